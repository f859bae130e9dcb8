"""Who is who on the simulated 4-camera site, with the shipped network and with the descriptor, from the same tracks:

    python benchmarks/tvrid_site.py score SEED [SEED ...]
    python benchmarks/tvrid_site.py fit SEED [SEED ...]

`score` runs the main graph once for a seed, up to its tracklets, and then what tells people apart and the matcher in
several ways. `fit` says at which similarity two tracklets are as likely of one person as of two, which goes into the
model's YAML as `like` and `like_by_depth`; its seeds are no others' (5001 and on).
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from simulated_site import CROWD, MAIN, exchanged, told_who_is_who  # noqa: E402

from engines.evaluate.evaluate_run import score_run  # noqa: E402
from engines.evaluate.run_folder import Run, read_run  # noqa: E402
from engines.evaluate.run_scores import Rules  # noqa: E402
from engines.evaluate.truth import read_truth  # noqa: E402
from engines.overhead_descriptor import OverheadDescriptor  # noqa: E402
from engines.tvrid_embedder import SAYS_NOTHING, TvridEmbedder  # noqa: E402
from pipeline.choices import Choices  # noqa: E402
from pipeline.graph import Graph  # noqa: E402
from pipeline.graphfile import GraphFile  # noqa: E402
from pipeline.messages import CorrectionEvent, Embedding, Tracklet  # noqa: E402
from pipeline.session import Session  # noqa: E402
from stages.embed import Embed  # noqa: E402
from stages.match import Match  # noqa: E402
from stages.source.simulated import write_truth  # noqa: E402

WAYS = {"descriptor": OverheadDescriptor, "network": partial(TvridEmbedder, with_color="network")}


@dataclass
class Kept(Embed):
    """Keeps tracklets, and says nothing of how they look. The graph runs copies of it: all keep in one place."""

    tracklets: ClassVar[list[Tracklet]] = []

    def process_many(self, tracklets: Sequence[Tracklet]) -> Sequence[Iterable[Embedding]]:
        self.tracklets.extend(tracklets)
        none = np.empty(0, np.float32)
        return [[Embedding(one, none, one.modality, "nothing")] for one in tracklets]


def tracked(seed: int) -> tuple[list[Tracklet], Run, Any]:
    """The tracklets of a simulation as `embed` gets them, where they were, and the truth."""
    work = Path(tempfile.mkdtemp(prefix="tvrid-site-"))
    try:
        crowd, file = {**CROWD, "seed": seed}, GraphFile.read(MAIN)
        write_truth(work, crowd, file.site, list(file.cameras))
        Kept.tracklets.clear()
        session = Session(file, Choices(simulate=crowd, positions=True, executor="inline"), work / "run")
        session.graph = Graph(exchanged(embed=Kept(OverheadDescriptor()))(session.graph.nodes))
        if status := session.conduct(say=lambda *_: None):
            raise SystemExit(status)
        return list(Kept.tracklets), read_run(work / "run"), read_truth(work)
    finally:
        shutil.rmtree(work)


def embedded(tracklets: Sequence[Tracklet], engine: Any, has_color: bool) -> list[Embedding]:
    """What an engine says of tracklets, of their depth alone where there is to be no colour."""
    stage = Embed(engine)
    shown = tracklets if has_color else [_bare(one) for one in tracklets]
    return [next(iter(stage.process(one))) for one in shown]


def identities(embeddings: Iterable[Embedding]) -> dict[str, str]:
    """Who the matcher of the main graph says that each tracklet is in the end."""
    match, whose = Match(), dict[str, str]()
    for one in embeddings:
        _take(whose, match.advance(one.tracklet.seen_ns))
        _take(whose, match.process(one))
    _take(whose, match.finish())
    return whose


def _take(whose: dict[str, str], events: Iterable[Any]) -> None:
    for event in events:
        if not isinstance(event, CorrectionEvent):
            whose[event.tracklet_id] = event.identity_id
        elif event.kind == "split":
            whose.update(dict.fromkeys(event.tracklet_ids, event.to_ids[-1]))
        else:
            whose.update({id: event.whose(id, who) for id, who in whose.items()})


def score(seeds: Sequence[int]) -> None:
    """IDF1 across cameras of each way and seed."""
    print("| seed | colour | " + " | ".join((*WAYS, "oracle")) + " |\n|---|---|---|---|---|")
    gains: dict[bool, list[float]] = {True: [], False: []}
    for seed in seeds:
        tracklets, run, truth = tracked(seed)
        oracle = _idf1(run, truth, told_who_is_who(run, truth).identity_of)
        for has_color in (True, False):
            said = [
                _idf1(run, truth, identities(embedded(tracklets, make(), has_color)))
                for make in WAYS.values()
            ]
            gains[has_color].append(said[1] - said[0])
            cells = " | ".join(f"{value:.3f}" for value in (*said, oracle))
            print(f"| {seed} | {'yes' if has_color else 'no'} | {cells} |", flush=True)
    for has_color, some in gains.items():
        said = "colour and depth" if has_color else "depth alone"
        low, high = np.percentile(
            np.random.default_rng(1).choice(some, (2000, len(some))).mean(1), [2.5, 97.5]
        )
        print(
            f"\n{said}: the network gains {np.mean(some):+.3f} ({low:+.3f} to {high:+.3f} by drawing seeds again)"
        )


def _idf1(run: Run, truth: Any, whose: Mapping[str, str]) -> float:
    return float(score_run(replace(run, identity_of=whose), truth, Rules()).identities.scores.identity.idf1)


def fit(seeds: Sequence[int]) -> None:
    """The similarity at which as large a share of pairs of one person is below as of pairs of two is above."""
    engine, seen = TvridEmbedder(with_color="network"), {True: ([], []), False: ([], [])}  # type: ignore[var-annotated]
    for seed in seeds:
        tracklets, run, truth = tracked(seed)
        whose = told_who_is_who(run, truth).identity_of
        for has_color, (same, other) in seen.items():
            one, two = pairs(embedded(tracklets, engine, has_color), whose)
            like = engine.like if has_color else engine.like_by_depth
            own = (1 - SAYS_NOTHING) / (1 - like)  # see TvridEmbedder: back to what the network itself says
            same.append((one - 1 + own) / own)
            other.append((two - 1 + own) / own)
    for has_color, (same, other) in seen.items():
        one, two = np.concatenate(same), np.concatenate(other)
        steps = np.linspace(-1, 0.99, 400)
        below, above = (one[:, None] < steps).mean(0), (two[:, None] >= steps).mean(0)
        at = int(np.argmin(np.abs(below - above)))
        name = "like" if has_color else "like_by_depth"
        print(
            f"{name}: {min(steps[at], SAYS_NOTHING):.3f} (at which {100 * below[at]:.1f} % are wrong either way)"
        )


def pairs(embeddings: Iterable[Embedding], whose: Mapping[str, str]) -> tuple[np.ndarray, np.ndarray]:
    """Cosines of whole tracklets by different cameras: of one person, and of two."""
    sums: dict[str, Any] = {}
    cameras: dict[str, str] = {}
    for one in embeddings:
        if one.vector.size and one.tracklet.tracklet_id in whose:
            id = one.tracklet.tracklet_id
            sums[id], cameras[id] = sums.get(id, 0) + one.vector, one.camera_id
    vectors = np.stack([vector / np.linalg.norm(vector) for vector in sums.values()])
    who, where = np.array([whose[id] for id in sums]), np.array([cameras[id] for id in sums])
    cosines, counts = vectors @ vectors.T, np.triu(where[:, None] != where, 1)
    is_same = who[:, None] == who
    return cosines[is_same & counts], cosines[~is_same & counts]


def _bare(one: Tracklet) -> Tracklet:
    return replace(one, modality="depth", crops=tuple(replace(crop, color=None) for crop in one.crops))


if __name__ == "__main__":
    {"score": score, "fit": fit}[sys.argv[1]]([int(seed) for seed in sys.argv[2:]])
