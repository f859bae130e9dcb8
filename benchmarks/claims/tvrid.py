"""TVRID's three tracks on simulated people whom nobody learned from, side by side, and the shipped network's speed:

    python benchmarks/claims/tvrid.py [tracks | speed] [--seeds 9241 9242 9243] [--baseline DIR] [--plot FILE]

Scores are mAP in percent, the mean of the challenge's three scenarios, with 95 % intervals by drawing people again.
DIR holds what `benchmarks/tvrid.py baseline` has trained: rgb/, depth/, cross/.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

from bars import Bar  # noqa: E402
from bars import write as write_bars  # noqa: E402

from engines._overhead_maps import maps_of_each  # noqa: E402
from engines.evaluate.retrieval import nearest_first  # noqa: E402
from engines.evaluate.tvrid import SCENARIOS, Passages, scores, without_itself  # noqa: E402
from engines.overhead_descriptor import OverheadDescriptor  # noqa: E402
from engines.people.passages import points_of  # noqa: E402
from engines.reid.data.tvrid import evenly  # noqa: E402
from engines.reid.tvrid_set import Passage, passages, people_of  # noqa: E402
from engines.reid.upright import HEAD_PX, Upright, mirrored  # noqa: E402
from engines.tvrid_embedder import MODEL, TvridEmbedder  # noqa: E402

SHOWN, DRAWS = 5, 300
LENGTH = 64  # of what a picture says as depth would
HEAD_ROW = round(HEAD_PX[1])
KINDS = ("rgb", "depth", "rgbd", "cross query", "cross gallery")
Vectors = dict[str, np.ndarray]  # by some of KINDS: (passages, d)


def main() -> None:
    """The tables, as Markdown."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("part", nargs="?", choices=["tracks", "speed"])
    asked.add_argument("--seeds", nargs="+", type=int, default=[9241, 9242, 9243])
    asked.add_argument("--baseline", type=Path)
    asked.add_argument("--plot", type=Path, help="an SVG to write the tracks' scores into")
    given = asked.parse_args()
    if given.part in (None, "tracks"):
        tracks(given.seeds, given.baseline, given.plot)
    if given.part in (None, "speed"):
        speed()


def tracks(seeds: Sequence[int], baseline: Path | None, plot: Path | None) -> None:
    """A row for each way and track: seeds, their mean, what people drawn again make of it."""
    rows: dict[tuple[str, str], list[Scored]] = {}
    for seed in seeds:
        _, tested = people_of(seed)
        shown = [(one, evenly(range(len(one.shots)), SHOWN)) for one in passages(tested, seed)]  # type: ignore[arg-type]
        told = _told([one for one, _ in shown])
        for way, vectors in _ways(shown, baseline, seed):
            for track, (asked, there) in ASKED.items():
                if asked in vectors and there in vectors:
                    rows.setdefault((way, track), []).append(
                        scored(vectors[asked], vectors[there], told, seed)
                    )
    people = len(np.unique(told.people))
    print(
        f"### mAP of {people} people, {len(told)} passages in the gallery, seeds {', '.join(map(str, seeds))}\n"
    )
    print(f"| way | track | each seed | mean | 95 % | {' | '.join(SCENARIOS)} |\n|{'---|' * 8}")
    groups: dict[str, dict[str, Bar]] = {track: {} for track in ASKED}
    for (way, track), some in rows.items():
        low, high = np.percentile(np.mean([one.drawn for one in some], axis=0), [2.5, 97.5])
        mean = float(np.mean([one.mean for one in some]))
        groups[track][way] = Bar(mean, float(low), float(high))
        each = ", ".join(f"{one.mean:.1f}" for one in some)
        cases = " | ".join(f"{value:.1f}" for value in np.mean([one.scenarios for one in some], axis=0))
        print(f"| {way} | {track} | {each} | {mean:.1f} | {low:.1f} to {high:.1f} | {cases} |")
    print()
    if plot:
        title = "TVRID, simulated: mAP in percent, with 95 % intervals; the goals dashed"
        write_bars(plot, title, groups, GOALS)


ASKED = {"rgb": ("rgb", "rgb"), "depth": ("depth", "depth"), "cross": ("cross query", "cross gallery")}
ASKED["colour and depth"] = ("rgbd", "rgbd")
GOALS = {"rgb": 97.0, "cross": 92.0, "depth": 90.0}


def _ways(
    shown: list[tuple[Passage, Any]], baseline: Path | None, seed: int
) -> Iterator[tuple[str, Vectors]]:
    random = np.random.default_rng(seed)
    yield "chance", {kind: random.normal(size=(len(shown), 16)) for kind in KINDS}
    recipe = _recipe(shown)
    yield "recipe", recipe
    yield (
        "recipe, people exchanged",
        {kind: one[random.permutation(len(one))] for kind, one in recipe.items()},
    )
    yield "descriptor", _descriptor(shown)
    yield "colours of the picture", {"rgb": np.stack([painted(_upright(*one)) for one in shown])}
    if baseline is not None:
        yield "baseline", _baseline(shown, baseline)


def _recipe(shown: list[tuple[Passage, Any]]) -> Vectors:
    """What ships: each passage the sum of what is said of its frames, which are the longer the surer."""
    engine = TvridEmbedder()
    made: dict[str, list[np.ndarray]] = {kind: [] for kind in KINDS}
    for one, frames in shown:
        said = pictured(_upright(one, frames))
        made["rgb"].append(said[0])
        made["cross query"].append(said[1])
        made["depth"].append(engine.vectors(np.stack([one.layers(at, has_color=False) for at in frames])))
        made["cross gallery"].append(made["depth"][-1])
        made["rgbd"].append(engine.vectors(np.stack([one.layers(at) for at in frames])))
    return {kind: np.stack([unit(some.sum(axis=0)) for some in every]) for kind, every in made.items()}


def _descriptor(shown: list[tuple[Passage, Any]]) -> Vectors:
    """Of depth, and of colour and depth: it has nothing for colour alone."""
    engine = OverheadDescriptor()
    made: dict[str, list[np.ndarray]] = {"depth": [], "rgbd": []}
    for one, frames in shown:
        points = [points_of(one.shots[at], one.taken, one.shots[at].head_m) for at in frames]
        heights_m = np.array([one.shots[at].height_m for at in frames], np.float32)
        made["depth"].append(engine([None] * len(points), points, heights_m).sum(axis=0))
        made["rgbd"].append(engine([one.shots[at].color for at in frames], points, heights_m).sum(axis=0))
    return {kind: np.stack([unit(one) for one in every]) for kind, every in made.items()}


def _upright(one: Passage, frames: Any) -> list[Upright]:
    return [one.upright(at) for at in frames]


@cache
def picture_network() -> Callable[[np.ndarray], np.ndarray]:
    """What runs the shipped picture network on layers (n, 4, h, w)."""
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = settings.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(MODEL.with_name("picture.onnx"), settings)
    return lambda layers: np.asarray(session.run(None, {"pictures": layers})[0])


def pictured(pictures: Sequence[Upright]) -> tuple[np.ndarray, np.ndarray]:
    """What is said of pictures to find others by, and to find depth by: (n, 128), (n, 64). Among pictures each is
    looked at in a mirror too; among depth, which tells left from right, that helps nobody.
    """
    layers = np.stack([one.layers for one in pictures])
    said = picture_network()(layers)
    return (said + picture_network()(mirrored(layers)))[:, LENGTH:], said[:, :LENGTH]


def painted(pictures: Sequence[Upright]) -> np.ndarray:
    """The naive answer: how often each colour is in four bands of where a person is in an upright picture."""
    bands = np.zeros((4, 512))
    for one in pictures:
        column = one.picture[HEAD_ROW - 8 :, 20:44] // 32
        for band, part in zip(bands, np.array_split(column.astype(np.int64), 4), strict=True):
            band += np.bincount((part @ [64, 8, 1]).ravel(), minlength=512)
    return unit(np.sqrt(bands / bands.sum(axis=1, keepdims=True)).ravel())


def _baseline(shown: list[tuple[Passage, Any]], folder: Path) -> Vectors:
    from engines.reid.tvrid_baseline_run import vectors_of

    of = vectors_of([(one, list(frames)) for one, frames in shown], folder)
    made = {track: one[track] for track, one in of.items() if track != "cross"}
    if cross := of.get("cross"):
        made |= {"cross query": cross["rgb"], "cross gallery": cross["depth"]}
    return made


def unit(vector: np.ndarray) -> np.ndarray:
    """It, of length 1."""
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-9))


def _told(some: Sequence[Passage]) -> Passages:
    ids = np.array([str(number) for number in range(len(some))])
    people, cameras, names = (
        np.array([str(getattr(one, what)) for one in some]) for what in ("person", "camera_name", "name")
    )
    return Passages(ids, ids, people, cameras, names)


class Scored(NamedTuple):
    """mAP in percent, that of each scenario, and with people drawn again, of those that there are."""

    mean: float
    scenarios: list[float]
    drawn: np.ndarray


def scored(query: np.ndarray, gallery: np.ndarray, told: Passages, seed: int) -> Scored:
    """Of vectors that ask and vectors that are there."""
    apart = np.linalg.norm(query[:, None] - gallery[None], axis=2).astype(np.float32)
    cases = [scores(without_itself(nearest_first([apart])), told)[name] for name in SCENARIOS]
    each = [100 * one.mean_average_precision for one in cases]
    people, random = told.numbers, np.random.default_rng(seed)
    drawn = []
    for _ in range(DRAWS):
        counts = np.bincount(
            random.integers(0, people.max() + 1, people.max() + 1), minlength=people.max() + 1
        )
        weighed = [
            np.average(one.average_precisions, weights=counts[people[one.queries]] + 1e-9) for one in cases
        ]
        drawn.append(100 * np.mean(weighed))
    return Scored(float(np.mean(each)), each, np.array(drawn))


def speed() -> None:
    """Of the shipped network with what runs it, one crop at a time and sixteen, by processor time, of one thread."""
    import cv2

    cv2.setNumThreads(1)
    _, tested = people_of(9001)
    some = next(passages(tested, 9001))
    shots = [some.shots[at % len(some.shots)] for at in range(16)]
    points = [points_of(one, some.taken, one.head_m) for one in shots]
    colors = [one.color for one in shots]
    heights_m = np.array([one.height_m for one in shots], np.float32)
    print(
        "### Processor time of a crop of 300 x 300, in ms, least and median of 25 times\n\n"
        "| | one at a time | sixteen at once |\n|---|---|---|"
    )
    layers = maps_of_each(colors, points, heights_m)
    _row("laying it out", lambda n: maps_of_each(colors[:n], points[:n], heights_m[:n]))
    for runtime in ("opencv", "onnxruntime"):
        engine = TvridEmbedder(runtime=runtime, with_color="network")  # type: ignore[arg-type]
        _row(f"the network, {runtime}", lambda n, engine=engine: engine.vectors(layers[:n]))
        _row(f"both, {runtime}", lambda n, engine=engine: engine(colors[:n], points[:n], heights_m[:n]))
    pictures = np.stack([some.upright(at % len(some.shots)).layers for at in range(16)])
    _row("turning a picture upright", lambda n: [some.upright(at % len(some.shots)) for at in range(n)])
    _row("the picture's network, onnxruntime", lambda n: picture_network()(pictures[:n]))
    _row("the descriptor", lambda n: OverheadDescriptor()(colors[:n], points[:n], heights_m[:n]))


def _row(name: str, run: Callable[[int], Any]) -> None:
    cells = []
    for count in (1, 16):
        run(count)
        taken = []
        for _ in range(25):
            began = time.process_time()
            for _ in range(16 // count):
                run(count)
            taken.append(1000 * (time.process_time() - began) / 16)
        cells.append(f"{min(taken):.2f}, {np.median(taken):.2f}")
    print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
