"""Who is who on simulated sites of 24 people, 4 cameras and 120 s, beside a naive answer and an oracle; and whether
decisions are as sure as events say:

python benchmarks/decisions.py [--chart FILE.svg] [--kept DIR] SEED [SEED ...]

Each site is run once as it is and once with everybody in the same clothes; what the matcher was told is kept, and told
to each matcher again, with colour and by depth alone. With `--kept` it stays in that folder, and need not be simulated
again. The naive one gives a tracklet to the nearest of those who are not in view, greedily, if its similarity is above
that at which looks say nothing. The oracle gives each tracklet to the person whom it followed most.
"""

from __future__ import annotations

import sys
import tempfile
from argparse import ArgumentParser
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from simulated_site import MAIN, NaiveMatch, exchanged, told_who_is_who  # noqa: E402

import engines.people.staging as staging  # noqa: E402
from engines.evaluate.evaluate_run import score_run  # noqa: E402
from engines.evaluate.run_folder import Run, read_run  # noqa: E402
from engines.evaluate.run_scores import Rules  # noqa: E402
from engines.evaluate.truth import CameraTruth, read_truth  # noqa: E402
from engines.people.crowd import Person, crowd_of  # noqa: E402
from engines.tvrid_embedder import TvridEmbedder  # noqa: E402
from pipeline.choices import Choices  # noqa: E402
from pipeline.graph import Graph  # noqa: E402
from pipeline.graphfile import GraphFile  # noqa: E402
from pipeline.messages import Command, CorrectionEvent, Embedding, IdentityEvent, Tracklet  # noqa: E402
from pipeline.session import Session  # noqa: E402
from pipeline.wire import decode, encode  # noqa: E402
from stages.embed import Embed  # noqa: E402
from stages.match import Given, Match  # noqa: E402
from stages.source.simulated import _scene, write_truth  # noqa: E402

CROWD = {"people": 24, "seconds": 120.0, "fps": 10.0}
SAYS_NOTHING = 0.80  # the main graph's `midpoint`
EDGES = np.linspace(0.0, 1.0, 11)
STEPS = "steps"

Step = int | Embedding  # the time has passed to, or somebody was looked at


@dataclass
class Told(Match):
    """The matcher, which keeps what it is told, for all its copies: a graph makes one of its own."""

    steps: ClassVar[list[Step]] = []

    def process(self, message: Embedding | Command) -> Iterator[Given]:
        if isinstance(message, Embedding):
            self.steps.append(message)
        return super().process(message)

    def advance(self, to_ns: int) -> Iterator[Given]:
        self.steps.append(to_ns)
        return super().advance(to_ns)


class Site(NamedTuple):
    """A site as it was simulated, and what its matcher was told, or would have been by depth alone."""

    steps: Sequence[Step]
    by_depth: Sequence[Step]
    run: Run
    truth: tuple[CameraTruth, ...]

    def oracle(self) -> Mapping[str, str]:
        """The person whom each tracklet followed most."""
        return told_who_is_who(self.run, self.truth).identity_of

    def score(self, identity_of: Mapping[str, str]) -> tuple[float, float]:
        """Cross-camera IDF1, and identities for each person."""
        scores = score_run(replace(self.run, identity_of=identity_of), self.truth, Rules()).identities
        return scores.scores.identity.idf1, scores.per_person


class Decision(NamedTuple):
    """How likely it was said to be right, whether it was, and whether it was for somebody new."""

    said: float
    right: bool
    new: bool


def simulated(seed: int, in_same_clothes: bool, kept: Path) -> Site:
    """What the main graph makes of it, as it was kept there, or else in one process."""
    folder = kept / f"{seed}{'-same-clothes' * in_same_clothes}"
    if not folder.exists():
        kept.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix="part-", dir=kept))
        _simulate(seed, in_same_clothes, part)
        part.rename(folder)
    steps, by_depth = decode((folder / STEPS).read_bytes())
    return Site(steps, by_depth, read_run(folder), tuple(read_truth(folder)))


def _simulate(seed: int, in_same_clothes: bool, work: Path) -> None:
    file, crowd = GraphFile.read(MAIN), {**CROWD, "seed": seed}
    Told.steps.clear()
    staging.crowd_of = _in_same_clothes if in_same_clothes else crowd_of
    _scene.cache_clear()
    write_truth(work, crowd, file.site, list(file.cameras))
    session = Session(file, Choices(simulate=crowd, positions=True, executor="inline"), work)
    session.graph = Graph(exchanged(match=Told())(session.graph.nodes))
    if status := session.conduct(say=print):
        raise SystemExit(status)
    told_of = (tuple(map(_without_crops, steps)) for steps in (Told.steps, by_depth_alone(Told.steps)))
    (work / STEPS).write_bytes(encode(tuple(told_of)))


def _in_same_clothes(people: int, seed: int) -> list[Person]:
    """Statures, hair, hats and bags stay their own; children and who sits in a wheelchair wear what they have."""
    crowd = crowd_of(people, seed)
    model = next(person for person in crowd if not person.roles)
    return [one if set(one.roles) - {"hat"} else _dressed_as(one, model) for one in crowd]


def _dressed_as(one: Person, model: Person) -> Person:
    own, worn = one.materials, model.materials
    outfit = replace(model.outfit, hair=one.outfit.hair, hat=one.outfit.hat, bag=one.outfit.bag)
    return replace(one, outfit=outfit, materials=(*own[:2], *worn[2:5], *own[5:]))


def by_depth_alone(steps: Sequence[Step]) -> list[Step]:
    """The same, as if no camera had a colour."""
    embed, seen = Embed(TvridEmbedder()), list[Step]()
    embed.open()
    for step in steps:
        seen += [step] if isinstance(step, int) else embed.process(_without_color(step.tracklet))
    return seen


def _without_color(one: Tracklet) -> Tracklet:
    crops = tuple(replace(crop, color=None) for crop in one.crops)
    return replace(one, modality="depth" if one.modality == "rgbd" else one.modality, crops=crops)


def _without_crops(step: Step) -> Step:
    return step if isinstance(step, int) else replace(step, tracklet=replace(step.tracklet, crops=()))


def of_length_one(steps: Sequence[Step]) -> Iterator[Step]:
    """Vectors as a product compares them: some embedders say by the length how sure they are."""
    for step in steps:
        if isinstance(step, int) or not step.vector.size:
            yield step
        else:
            length = max(float(np.linalg.norm(step.vector)), 1e-9)
            yield replace(step, vector=(step.vector / length).astype(np.float32))


def told(steps: Iterable[Step], match: Match | NaiveMatch) -> list[Given]:
    """What a matcher says of them."""
    said: list[Given] = []
    for step in steps:
        said += match.advance(step) if isinstance(step, int) else match.process(step)
    return [*said, *match.finish()]


def identities(events: Sequence[Given]) -> dict[str, str]:
    """Of each tracklet in the end."""
    whose: dict[str, str] = {}
    for event in events:
        if isinstance(event, IdentityEvent):
            whose[event.tracklet_id] = event.identity_id
        elif event.kind == "merged":
            whose |= {one: event.to_ids[0] for one, who in whose.items() if who in event.from_ids}
        else:
            whose |= dict.fromkeys(event.tracklet_ids, event.to_ids[-1])
    return whose


def decisions(events: Sequence[Given], oracle: Mapping[str, str]) -> Iterator[Decision]:
    """Of each tracklet that followed somebody: right if it was given to whom most tracklets so far were of that person,
    or to somebody new and nobody was.
    """
    for number, event in enumerate(events):
        if isinstance(event, CorrectionEvent) or event.match.decision == "none":
            continue
        person, new = oracle.get(event.tracklet_id), event.match.decision == "new"
        if person is None or event.match.probability is None:
            continue
        of = defaultdict[str, Counter[str]](Counter)
        for tracklet, who in identities(events[:number]).items():
            of[who].update([oracle[tracklet]] if tracklet in oracle else [])
        owner = {who: people.most_common(1)[0][0] for who, people in of.items() if people}
        right = person not in owner.values() if new else owner.get(event.identity_id) == person
        yield Decision(event.match.probability, right, new)


def reliability(made: Sequence[Decision]) -> str:
    """ECE, Brier skill and how many are in between. The question is whether it is somebody known: its base rate is that
    of a guess that is the same for all. Beside it: whether the decision is right, which nearly all are.
    """
    said, right = (np.array(column, float) for column in list(zip(*made, strict=True))[:2])
    new = np.array([one.new for one in made])
    known, is_known = np.where(new, 1 - said, said), np.where(new, 1 - right, right)
    error = sum(abs(said[b].sum() - right[b].sum()) for b in _bins(said)) / len(made)
    between = float(((said > 0.1) & (said < 0.9)).mean())
    return (
        f"{len(made)} decisions, {right.mean():.3f} right, {said.mean():.3f} said: ECE {error:.3f}, Brier skill "
        f"{_skill(known, is_known):.2f} (known or new), {_skill(said, right):.2f} (right or wrong), "
        f"{between:.1%} from 0.1 to 0.9"
    )


def _skill(said: Any, true: Any) -> float:
    base = np.square(true.mean() - true).mean()
    return (
        float(1 - np.square(said - true).mean() / base) if base else float("nan")
    )  # all alike: nothing to gain


def _bins(said: Any) -> list[Any]:
    number = np.clip(np.digitize(said, EDGES) - 1, 0, len(EDGES) - 2)
    return [number == one for one in range(len(EDGES) - 1)]


def chart(made: Sequence[Decision]) -> str:
    """An SVG: for each tenth of what was said the share that was right, as large as it has decisions."""
    said, right = np.array([one.said for one in made]), np.array([one.right for one in made], float)
    marks = [
        f'<circle cx="{40 + 400 * said[b].mean():.1f}" cy="{420 - 400 * right[b].mean():.1f}" '
        f'r="{2 + 1.2 * np.sqrt(b.sum()):.1f}"><title>{low:.1f} to {high:.1f}: {b.sum()} decisions, '
        f"{said[b].mean():.2f} said, {right[b].mean():.2f} right</title></circle>"
        for b, (low, high) in zip(_bins(said), pairwise(EDGES), strict=True)
        if b.any()
    ]
    return "\n".join(
        [
            '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 480 470" font-family="sans-serif" font-size="12">',
            '<rect width="480" height="470" fill="white"/>',
            '<path d="M40 420H440M40 420V20M40 420L440 20" stroke="#888" fill="none"/>',
            '<g fill="#1f6feb" fill-opacity="0.6">',
            *marks,
            "</g>",
            '<text x="240" y="445" text-anchor="middle">probability that was said (0 to 1)</text>',
            '<text x="24" y="220" text-anchor="middle" transform="rotate(-90 24 220)">share right (0 to 1)</text>',
            f'<text x="240" y="463" text-anchor="middle">{len(made)} decisions; areas are how many</text>',
            "</svg>\n",
        ]
    )


def main(seeds: Sequence[int], picture: str, kept: Path) -> None:
    """Print a table of means, and how far probabilities can be trusted."""
    scores = defaultdict[tuple[str, str], list[tuple[float, float]]](list)
    made = defaultdict[str, list[Decision]](list)
    for seed in seeds:
        for clothes in (False, True):
            site = simulated(seed, clothes, kept)
            oracle = site.oracle()
            for by, steps in (("", site.steps), (", depth alone", site.by_depth)):
                name = f"{'same clothes' if clothes else 'look-alikes'}{by}"
                events = told(steps, Match())
                naive = identities(told(of_length_one(steps), NaiveMatch(similarity=SAYS_NOTHING)))
                scores[name, "ours"].append(site.score(identities(events)))
                scores[name, "naive"].append(site.score(naive))
                scores[name, "oracle"].append(site.score(oracle))
                made[name] += decisions(events, oracle)
                print(f"seed {seed}, {name}: {scores[name, 'ours'][-1]}", flush=True)
    table = Table("", "naive", "ours", "oracle", title=f"IDF1 / identities per person, seeds {list(seeds)}")
    for name in made:
        means = (np.mean(scores[name, of], axis=0) for of in ("naive", "ours", "oracle"))
        table.add_row(name, *(f"{idf1:.3f} / {ids:.2f}" for idf1, ids in means))
    Console(width=140).print(table)
    made["all"] = [one for some in made.values() for one in some]
    for name, some in made.items():
        print(f"{name}: {reliability(some)}")
    if picture:
        Path(picture).write_text(chart(made["all"]))


if __name__ == "__main__":
    asked = ArgumentParser()
    asked.add_argument("seeds", type=int, nargs="*", default=[5002])
    asked.add_argument("--chart", default="")
    asked.add_argument("--kept", type=Path)
    words = asked.parse_args()
    with tempfile.TemporaryDirectory(prefix="decisions-") as unkept:
        main(words.seeds, words.chart, words.kept or Path(unkept))
