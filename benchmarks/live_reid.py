"""What the small models cost in a running graph, beside the plain one of the same encoder, which is `unified`:

    python benchmarks/live_reid.py [--models unified saga dpm] [--runtimes openvino onnxruntime]

Milliseconds of one core for a crop of SynthPed, one at a time and 16 at once, and how many times the plain one's; and
for a query of 10,000 vectors of 768 numbers, as large models have, through the mask for the best 200 where the model
says what shows. The medians of rounds that are taken in turns.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np  # noqa: E402

from engines.embedder import Embedder  # noqa: E402
from engines.index.masked import best  # noqa: E402
from engines.reid.lab.laboratory import Key, Laboratory  # noqa: E402

PLAIN, ROUNDS, TOGETHER = "unified", 15, 16
PEOPLE, WIDTH = 10_000, 768
HEAD = f"| model | ms a crop | of {TOGETHER} at once | times plain | ms a query | times plain |"


def main() -> None:
    """A table for each runtime."""
    told = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    told.add_argument("--models", nargs="+", default=[PLAIN, "saga", "dpm"])
    told.add_argument("--runtimes", nargs="+", default=["openvino", "onnxruntime"])
    given = told.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    crops = [Laboratory().seen(Key(n, 0, 0, 0)).picture for n in range(TOGETHER)]
    names = list(dict.fromkeys([PLAIN, *given.models]))
    for runtime in given.runtimes:
        engines = {name: Embedder(name, runtime) for name in names}
        for engine in engines.values():
            engine.open()
        ways: dict[tuple[str, str], Callable[[], object]] = {}
        for name, engine in engines.items():
            ways[name, "alone"] = lambda engine=engine: [engine.seen([one]) for one in crops]
            ways[name, "together"] = lambda engine=engine: engine.seen(crops)
            ways[name, "asked"] = lambda engine=engine: asked(engine.says_what_shows)
        print(f"### {runtime}, one core\n\n{HEAD}\n| --- | --- | --- | --- | --- | --- |")
        taken = raced(ways)
        for name in names:
            alone, together, query = (np.median(taken[name, way]) for way in ("alone", "together", "asked"))
            by_crop, by_query = (
                np.median(taken[name, way] / taken[PLAIN, way]) for way in ("together", "asked")
            )
            row = f"{alone:.2f} | {together:.2f} | {by_crop:.2f} | {query:.2f} | {by_query:.2f}"
            print(f"| {name} | {row} |", flush=True)
        for engine in engines.values():
            engine.close()
        print()


def asked(is_masked: bool) -> None:
    """As many queries as there are crops, one at a time; half of each is hidden, as far as that is said."""
    gallery, visibility = seen_before()
    for query in gallery[:TOGETHER]:
        best(query[None], visibility, gallery, 10, masked_below=1.0 if is_masked else 0.0)


@cache
def seen_before() -> tuple[np.ndarray, np.ndarray]:
    """A gallery, and the visibility of a query."""
    random = np.random.default_rng(1)
    gallery = random.standard_normal((PEOPLE, WIDTH)).astype(np.float32)
    visibility = np.where(random.random((1, WIDTH)) < 0.5, 0.1, 1.0).astype(np.float32)
    return gallery / np.linalg.norm(gallery, axis=1, keepdims=True), visibility


def raced(ways: dict[tuple[str, str], Callable[[], object]]) -> dict[tuple[str, str], np.ndarray]:
    """Processor time of each way for a crop or a query, in ms, by round."""
    made: dict[tuple[str, str], list[float]] = {way: [] for way in ways}
    for _ in range(ROUNDS + 1):
        for way, run in ways.items():
            began = time.process_time()
            run()
            made[way].append(1000 * (time.process_time() - began) / TOGETHER)
    return {way: np.array(some[1:]) for way, some in made.items()}  # the first warms up


if __name__ == "__main__":
    main()
