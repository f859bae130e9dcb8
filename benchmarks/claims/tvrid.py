"""TVRID's three tracks on simulated people whom nobody learned from, side by side, and the shipped network's speed:

    python benchmarks/claims/tvrid.py [tracks | speed] [--seeds 9001 9002 9003] [--baseline DIR]

Scores are mAP in percent, the mean of the challenge's three scenarios, with 95 % intervals by drawing people again.
DIR holds what `benchmarks/tvrid.py baseline` has trained: rgb/, depth/, cross/.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from engines._overhead_maps import maps_of  # noqa: E402
from engines.evaluate.retrieval import nearest_first  # noqa: E402
from engines.evaluate.tvrid import SCENARIOS, Passages, scores, without_itself  # noqa: E402
from engines.overhead_descriptor import OverheadDescriptor  # noqa: E402
from engines.people.passages import points_of  # noqa: E402
from engines.reid.data.tvrid import evenly  # noqa: E402
from engines.reid.lessons import PICTURE_PX  # noqa: E402
from engines.reid.overhead_people import shrunk  # noqa: E402
from engines.reid.tvrid_set import Passage, passages, people_of  # noqa: E402
from engines.tvrid_embedder import MODEL, TvridEmbedder  # noqa: E402

SHOWN, DRAWS = 5, 300
Vectors = dict[str, np.ndarray]  # by "rgb", "depth", "rgbd": (passages, d)


def main() -> None:
    """The tables, as Markdown."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("part", nargs="?", choices=["tracks", "speed"])
    asked.add_argument("--seeds", nargs="+", type=int, default=[9001, 9002, 9003])
    asked.add_argument("--baseline", type=Path)
    given = asked.parse_args()
    if given.part in (None, "tracks"):
        tracks(given.seeds, given.baseline)
    if given.part in (None, "speed"):
        speed()


def tracks(seeds: Sequence[int], baseline: Path | None) -> None:
    """A row for each way and track: seeds, their mean, what people drawn again make of it."""
    rows: dict[tuple[str, str], list[tuple[float, np.ndarray]]] = {}
    parts: dict[tuple[str, str], list[list[float]]] = {}
    for seed in seeds:
        _, tested = people_of(seed)
        shown = [(one, evenly(range(len(one.shots)), SHOWN)) for one in passages(tested, seed)]  # type: ignore[arg-type]
        told = _told([one for one, _ in shown])
        for way, vectors in _ways(shown, baseline, seed):
            for track, (asked, there) in {**ASKED, "rgb-d": ("rgbd", "rgbd")}.items():
                if asked in vectors and there in vectors:
                    mean, each, drawn = _scored(vectors[asked], vectors[there], told, seed)
                    rows.setdefault((way, track), []).append((mean, drawn))
                    parts.setdefault((way, track), []).append(each)
    people = len(np.unique(told.people))
    print(
        f"### mAP of {people} people, {len(told)} passages in the gallery, seeds {', '.join(map(str, seeds))}\n"
    )
    print(f"| way | track | each seed | mean | 95 % | {' | '.join(SCENARIOS)} |\n|{'---|' * 8}")
    for (way, track), some in rows.items():
        low, high = np.percentile(np.mean([drawn for _, drawn in some], axis=0), [2.5, 97.5])
        each = ", ".join(f"{mean:.1f}" for mean, _ in some)
        cases = " | ".join(f"{value:.1f}" for value in np.mean(parts[way, track], axis=0))
        print(
            f"| {way} | {track} | {each} | {np.mean([m for m, _ in some]):.1f} | {low:.1f} to {high:.1f} | {cases} |"
        )
    print()


ASKED = {"rgb": ("rgb", "rgb"), "depth": ("depth", "depth"), "cross": ("rgb", "depth")}


def _ways(
    shown: list[tuple[Passage, Any]], baseline: Path | None, seed: int
) -> Iterator[tuple[str, Vectors]]:
    random = np.random.default_rng(seed)
    yield "chance", {kind: random.normal(size=(len(shown), 16)) for kind in ("rgb", "depth")}
    recipe = _recipe(shown)
    yield "recipe", recipe
    yield (
        "recipe, people exchanged",
        {kind: one[random.permutation(len(one))] for kind, one in recipe.items()},
    )
    yield "descriptor", _descriptor(shown)
    if baseline is not None:
        yield "baseline", _baseline(shown, baseline)


def _recipe(shown: list[tuple[Passage, Any]]) -> Vectors:
    """What ships: each passage the sum of what is said of its frames, which are the longer the surer."""
    import onnxruntime

    engine = TvridEmbedder()
    pictures = onnxruntime.InferenceSession(MODEL.with_name("picture.onnx"))
    made: dict[str, list[np.ndarray]] = {"rgb": [], "depth": [], "rgbd": []}
    for one, frames in shown:
        small = np.stack([shrunk(one.shots[at].color, PICTURE_PX) for at in frames]).transpose(0, 3, 1, 2)
        made["rgb"].append(pictures.run(None, {"pictures": small.astype(np.float32)})[0])
        made["depth"].append(engine.vectors(np.stack([one.layers(at, has_color=False) for at in frames])))
        made["rgbd"].append(engine.vectors(np.stack([one.layers(at) for at in frames])))
    return {kind: np.stack([_unit(some.sum(axis=0)) for some in every]) for kind, every in made.items()}


def _descriptor(shown: list[tuple[Passage, Any]]) -> Vectors:
    """Of depth, and of colour and depth: it has nothing for colour alone."""
    engine = OverheadDescriptor()
    made: dict[str, list[np.ndarray]] = {"depth": [], "rgbd": []}
    for one, frames in shown:
        points = [points_of(one.shots[at], one.taken, one.shots[at].head_m) for at in frames]
        heights_m = np.array([one.shots[at].height_m for at in frames], np.float32)
        made["depth"].append(engine([None] * len(points), points, heights_m).sum(axis=0))
        made["rgbd"].append(engine([one.shots[at].color for at in frames], points, heights_m).sum(axis=0))
    return {kind: np.stack([_unit(one) for one in every]) for kind, every in made.items()}


def _baseline(shown: list[tuple[Passage, Any]], folder: Path) -> Vectors:
    from engines.reid.tvrid_baseline_run import vectors_of

    return vectors_of([(one, list(frames)) for one, frames in shown], folder)


def _unit(vector: np.ndarray) -> np.ndarray:
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-9))


def _told(some: Sequence[Passage]) -> Passages:
    ids = np.array([str(number) for number in range(len(some))])
    people, cameras, names = (
        np.array([str(getattr(one, what)) for one in some]) for what in ("person", "camera_name", "name")
    )
    return Passages(ids, ids, people, cameras, names)


def _scored(
    query: np.ndarray, gallery: np.ndarray, told: Passages, seed: int
) -> tuple[float, list[float], np.ndarray]:
    """mAP, that of each scenario, and mAP with people drawn again, of those that there are."""
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
    return float(np.mean(each)), each, np.array(drawn)


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
        "### Processor time of a crop of 300 x 300, in ms\n\n| | one at a time | sixteen at once |\n|---|---|---|"
    )
    laid = _timed(lambda n: [maps_of(colors[k], points[k], float(heights_m[k])) for k in range(n)])
    print(f"| laying it out | {laid[0]:.2f} | {laid[1]:.2f} |")
    layers = np.stack([maps_of(colors[k], points[k], float(heights_m[k])) for k in range(16)])
    for runtime in ("opencv", "onnxruntime"):
        engine = TvridEmbedder(runtime=runtime, with_color="network")  # type: ignore[arg-type]
        alone = _timed(lambda n, engine=engine: engine.vectors(layers[:n]))
        whole = _timed(lambda n, engine=engine: engine(colors[:n], points[:n], heights_m[:n]))
        print(f"| the network, {runtime} | {alone[0]:.2f} | {alone[1]:.2f} |")
        print(f"| both, {runtime} | {whole[0]:.2f} | {whole[1]:.2f} |")
    other = _timed(lambda n: OverheadDescriptor()(colors[:n], points[:n], heights_m[:n]))
    print(f"| the descriptor | {other[0]:.2f} | {other[1]:.2f} |\n")


def _timed(run: Callable[[int], Any]) -> tuple[float, float]:
    taken = []
    for count in (1, 16):
        run(count)
        best = np.inf
        for _ in range(7):
            began = time.process_time()
            for _ in range(16 // count):
                run(count)
            best = min(best, (time.process_time() - began) / 16)
        taken.append(1000 * best)
    return taken[0], taken[1]


if __name__ == "__main__":
    main()
