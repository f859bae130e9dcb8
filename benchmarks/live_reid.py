"""What the small models cost in a running graph, beside the plain one of the same encoder, which is `unified`:

    python benchmarks/live_reid.py [--models unified saga dpm] [--runtimes openvino onnxruntime]

Milliseconds of one core for a crop of SynthPed, one at a time and 16 at once, and how many times the plain one's: the
medians of rounds that are taken in turns.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np  # noqa: E402

from engines.embedder import Embedder  # noqa: E402
from engines.reid.lab.laboratory import Key, Laboratory  # noqa: E402

PLAIN, ROUNDS, TOGETHER = "unified", 15, 16


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
        ways: dict[tuple[str, bool], Callable[[], object]] = {}
        for name, engine in engines.items():
            ways[name, False] = lambda engine=engine: [engine.seen([one]) for one in crops]
            ways[name, True] = lambda engine=engine: engine.seen(crops)
        print(f"### {runtime}, one core\n\n| model | ms a crop | of {TOGETHER} at once | times plain |")
        print("| --- | --- | --- | --- |")
        taken = raced(ways)
        for name in names:
            alone, together = taken[name, False], taken[name, True]
            ratio = np.median(together / taken[PLAIN, True])
            print(
                f"| {name} | {np.median(alone):.2f} | {np.median(together):.2f} | {ratio:.2f} |", flush=True
            )
        for engine in engines.values():
            engine.close()
        print()


def raced(ways: dict[tuple[str, bool], Callable[[], object]]) -> dict[tuple[str, bool], np.ndarray]:
    """Processor time of each way for a crop, in ms, by round."""
    made: dict[tuple[str, bool], list[float]] = {way: [] for way in ways}
    for _ in range(ROUNDS + 1):
        for way, run in ways.items():
            began = time.process_time()
            run()
            made[way].append(1000 * (time.process_time() - began) / TOGETHER)
    return {way: np.array(some[1:]) for way, some in made.items()}  # the first warms up


if __name__ == "__main__":
    main()
