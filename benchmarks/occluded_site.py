"""Who is who on a simulated site whose cameras look across, as more and more hides people: nothing, a counter before
half of each view, counters and pillars. Everybody walks the same at each level.

python benchmarks/occluded_site.py fit SEED [SEED ...]
python benchmarks/occluded_site.py SEED [SEED ...]

Cross-camera IDF1. Boxes are those of the simulation, with the noise and the misses of a detector; cameras are not
placed, so that looks and times alone say who is who. Of one network (--masked) are compared: its vectors as they are
(plain), through the masks that it says (predicted), through masks of what really changed of each vector, which is known
by drawing everybody with nothing before them (true), through either of other crops (shuffled), and through none (ones).
Beside it another network (--fused), the nearest mean colour (naive), and who is told whom each tracklet followed
(oracle). `fit` finds midpoint and slope of each way on sites of all levels, and writes them for the other; and says how
often two tracklets of one person are more alike than two of two people.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("OMP_NUM_THREADS", "1")
ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

import numpy as np  # noqa: E402
from _occluded import Recorded, recorded  # noqa: E402
from decisions import identities, told  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402
from scipy.optimize import minimize  # noqa: E402
from simulated_site import NaiveMatch  # noqa: E402

from engines._reid_commands import _engine  # noqa: E402
from engines.index.masked import masked_cosines  # noqa: E402
from engines.people.hiding import LEVELS  # noqa: E402
from pipeline.messages import Embedding, Sighting  # noqa: E402
from stages._looks import likeness  # noqa: E402
from stages._remembered import looked  # noqa: E402
from stages.embed import Embed  # noqa: E402
from stages.match import Match  # noqa: E402

MASKED = ("plain", "predicted", "true", "shuffled", "true shuffled", "ones")
SETTINGS = ROOT / "var" / "occluded_site.json"
BACK = "predicted, there and back"
GAIN = 0.01  # less is none
KEPT = 0.2  # of the gain at most may be left with the masks of other crops

JUDGED = {"masks": ("plain", "predicted", "shuffled"), "right masks": ("plain", "true", "true shuffled")}
MORE = (0.0, 1.0, 2.0, 3.0, 4.0)  # evidence
Looks = dict[int, tuple[Any, Any]]  # by crop: a vector, and a mask or None
Steps = list[int | Embedding]


@dataclass
class Known:
    """An embedder that was asked before: of each picture, by its id."""

    looks: Looks
    says_what_shows: bool
    reads: str = "color"
    model_id: str = "known"

    def seen(self, pictures: Sequence[Any]) -> tuple[Any, Any]:
        vectors, masks = zip(*(self.looks[id(one)] for one in pictures), strict=True)
        return np.stack(vectors), np.stack(masks)

    def __call__(self, pictures: Sequence[Any]) -> Any:
        return np.stack([self.looks[id(one)][0] for one in pictures])


@dataclass
class Ways:
    """Everything that is known of the crops of a site, by what is compared."""

    masked: Any
    fused: Any
    kept: Path | None = None  # where sites are

    def __call__(self, site: Recorded, seed: int) -> dict[str, Steps]:
        """What the matcher is told, in each way."""
        pictures = [crop.picture for _, crop in site.crops]
        vectors, predicted = self.masked.seen(pictures)
        whole, _ = self.masked.seen(site.whole)
        others, right = np.random.default_rng(seed).permutation(len(predicted)), unchanged(vectors, whole)
        masks = {
            "plain": None,
            "predicted": predicted,
            "true": right,
            "shuffled": predicted[others],
            "true shuffled": right[others],
            "ones": np.ones_like(predicted),
        }
        ways = {name: (vectors, mask) for name, mask in masks.items()}
        ways |= {"fused": (self.fused(pictures), None), "naive": (mean_colors(pictures), None)}
        return {name: embedded(site, pictures, *way) for name, way in ways.items()}


def unchanged(vectors: Any, whole: Any) -> Any:
    """How much of each number is left of what it is with nothing before the person: 1 is all of it."""
    return (1 - np.abs(vectors - whole) / np.maximum(np.abs(vectors) + np.abs(whole), 1e-9)).astype(
        np.float32
    )


def mean_colors(pictures: Sequence[Any]) -> Any:
    """What the naive answer compares."""
    means = np.array([one.reshape(-1, 3).mean(axis=0) for one in pictures], np.float32)
    return means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-6)


def embedded(site: Recorded, pictures: Sequence[Any], vectors: Any, masks: Any) -> Steps:
    """What the matcher is told, with these vectors and masks of the crops."""
    each = [None] * len(vectors) if masks is None else masks
    looks = {id(one): looks for one, *looks in zip(pictures, vectors, each, strict=True)}
    embed, steps = Embed(Known(looks, masks is not None)), Steps()
    for step in site.steps:
        steps += [step] if isinstance(step, int) else embed.process(step)
    return steps


class Pairs(NamedTuple):
    """How like pairs of tracklets look that were before different cameras, and whether they are of one person."""

    alike: Any
    same: Any


Alike = Callable[[Sequence[Sighting]], Any]


def as_the_matcher_does(some: Sequence[Sighting]) -> Any:
    """What both show of each two."""
    return likeness(some, some, 1.0)


def there_and_back(some: Sequence[Sighting]) -> Any:
    """As DPM would have it of two who do not ask: the mean of the scores that each of them would get as a query."""
    vectors, visibility = np.stack([one.vector for one in some]), np.stack([one.visibility for one in some])
    scores = masked_cosines(vectors, visibility, vectors)
    return (scores + scores.T) / 2


def pairs_of(steps: Steps, person_of: Mapping[str, int], by: Alike) -> Pairs:
    """Those of a site, each tracklet as it is known in the end."""
    known: dict[str, Sighting] = {}
    for step in steps:
        if not isinstance(step, int):
            id = step.tracklet.tracklet_id
            known[id] = looked(known.get(id), step)
    some = [one for id, one in known.items() if one.votes and id in person_of]
    cameras = np.array([one.tracklet.camera_id for one in some])
    people = np.array([person_of[one.tracklet.tracklet_id] for one in some])
    alike, apart = by(some), cameras[:, None] != cameras
    rows = np.triu(apart, 1) & np.isfinite(alike)
    return Pairs(alike[rows], (people[:, None] == people)[rows])


def sorted_right(pairs: Sequence[Pairs]) -> float:
    """How often two of one person are more alike than two of two."""
    alike, same = (np.concatenate(column) for column in zip(*pairs, strict=True))
    yes, no = alike[same], np.sort(alike[~same])
    below, upto = (np.searchsorted(no, yes, side) for side in ("left", "right"))
    return float((below + upto).mean() / 2 / len(no))


def fitted(pairs: Sequence[Pairs]) -> tuple[float, float]:
    """Midpoint and slope that say best which pairs are the same, both kinds counting for as much (logistic)."""
    alike, same = (np.concatenate(column) for column in zip(*pairs, strict=True))
    weights = np.where(same, 0.5 / same.sum(), 0.5 / (~same).sum())
    middle, spread = float(np.median(alike[same])), float(alike.std())

    def loss(told: Any) -> float:
        evidence = np.exp(told[1]) * ((alike - middle) / spread - told[0])
        return float((weights * np.logaddexp(0, np.where(same, -evidence, evidence))).sum())

    off, log_slope = minimize(loss, [0.0, 0.0], method="Nelder-Mead").x
    return middle + float(off) * spread, float(np.exp(log_slope)) / spread


def with_more(fits: tuple[float, float], more: float) -> list[float]:
    """Midpoint and slope, so much more evidence being wanted."""
    midpoint, slope = fits
    return [round(midpoint + more / slope, 5), round(slope, 3)]


def scored(name: str, says: Sequence[float], site: Recorded, steps: Steps) -> float:
    """IDF1 of a way."""
    midpoint, slope = says
    match = NaiveMatch(similarity=midpoint) if name == "naive" else Match(midpoint=midpoint, slope=slope)
    return site.idf1(identities(told(steps, match)))


def fit(ways: Ways, seeds: Sequence[int]) -> None:
    """Write how much similarities say, and how much more they must, the same in all ways: there are many whom somebody
    may be.
    """
    pairs, sites = defaultdict[str, list[Pairs]](list), defaultdict[str, list[tuple[Recorded, Steps]]](list)
    for seed in seeds:
        for level in LEVELS:
            site = recorded(seed, level, ways.kept)
            for name, steps in ways(site, seed).items():
                sites[name].append((site, steps))
                pairs[name].append(pairs_of(steps, site.person_of, as_the_matcher_does))
                if name == "predicted":
                    pairs[BACK].append(pairs_of(steps, site.person_of, there_and_back))
    print({name: round(sorted_right(some), 3) for name, some in pairs.items()})
    del pairs[BACK]
    fits = {name: fitted(some) for name, some in pairs.items()}
    tried = {}
    for more in MORE:
        means = {
            name: float(np.mean([scored(name, with_more(fits[name], more), *one) for one in some]))
            for name, some in sites.items()
        }
        print(f"{more:g} more:", {name: round(score, 3) for name, score in means.items()}, flush=True)
        tried[more] = sum(means.values())
    models = {"masked": ways.masked.model_id, "fused": ways.fused.model_id}
    more = max(tried, key=lambda one: tried[one])
    said = {name: with_more(own, more) for name, own in fits.items()}
    SETTINGS.parent.mkdir(exist_ok=True)
    SETTINGS.write_text(json.dumps({"models": models, "seeds": list(seeds), "says": said}, indent=2) + "\n")


def report(ways: Ways, seeds: Sequence[int]) -> None:
    """The tables, and what became of the claim."""
    says = _says(ways)
    scores, shows = defaultdict[tuple[str, int], list[float]](list), defaultdict[int, list[float]](list)
    pairs = defaultdict[tuple[str, int], list[Pairs]](list)
    for seed in seeds:
        for level in LEVELS:
            site = recorded(seed, level, ways.kept)
            shows[level].append(site.shows)
            scores["oracle", level].append(site.idf1(site.person_of))
            for name, steps in ways(site, seed).items():
                scores[name, level].append(scored(name, says[name], site, steps))
                pairs[name, level].append(pairs_of(steps, site.person_of, as_the_matcher_does))
            now = {name: round(some[-1], 3) for (name, at), some in scores.items() if at == level}
            print(f"seed {seed}, level {level}: {now}", flush=True)
    names = ("naive", *MASKED, "fused", "oracle")
    table = Table("level", "shows", *names, title=f"cross-camera IDF1, seeds {list(seeds)}: mean (from to)")
    right = Table("level", *names[:-1], title="pairs of tracklets sorted right")
    for level in LEVELS:
        row = [scores[name, level] for name in names]
        told = (f"{np.mean(some):.3f} ({min(some):.3f} {max(some):.3f})" for some in row)
        table.add_row(str(level), f"{np.mean(shows[level]):.2f}", *told)
        right.add_row(str(level), *(f"{sorted_right(pairs[name, level]):.3f}" for name in names[:-1]))
    for one in (table, right):
        Console(width=240).print(one)
    for level in LEVELS:
        for what, ways_of in JUDGED.items():
            _judge(f"level {level}, IDF1: {what}", *(float(np.mean(scores[one, level])) for one in ways_of))
            _judge(f"level {level}, pairs: {what}", *(sorted_right(pairs[one, level]) for one in ways_of))


def _says(ways: Ways) -> dict[str, list[float]]:
    models = {"masked": ways.masked.model_id, "fused": ways.fused.model_id}
    kept = json.loads(SETTINGS.read_text()) if SETTINGS.exists() else {"models": "nothing"}
    if kept["models"] != models:
        raise SystemExit(
            f"{SETTINGS}: is fitted for {kept['models']}; run 'fit' first, with seeds of its own"
        )
    says: dict[str, list[float]] = kept["says"]
    return says


def _judge(where: str, plain: float, predicted: float, shuffled: float) -> None:
    gain, rest = predicted - plain, shuffled - plain
    said = "holds" if gain >= GAIN and rest <= KEPT * gain else "does not hold"
    print(f"{where} gain {gain:+.3f}, those of other crops {rest:+.3f}: the claim {said}")


def main() -> None:
    """Fit, or the table."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--masked", default="dpm", help="a model by name, or an ONNX file")
    asked.add_argument("--fused", default="saga", help="the same")
    asked.add_argument("what", nargs="+", metavar="fit | SEED")
    asked.add_argument(
        "--kept", type=Path, help="a folder for simulated sites, so that they need not be anew"
    )
    given = asked.parse_args()
    ways = Ways(_engine(given.masked), _engine(given.fused), given.kept)
    run: Callable[[Ways, Sequence[int]], None] = fit if given.what[0] == "fit" else report
    for engine in (ways.masked, ways.fused):
        engine.open()
    run(ways, [int(seed) for seed in given.what if seed != "fit"])


if __name__ == "__main__":
    main()
