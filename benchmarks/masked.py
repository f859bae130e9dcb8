"""What it costs to ask a gallery through a mask: the plain cosine, the mask for the best 200, the mask for all; and
what it costs the matcher to compare a tracklet with as many sightings as 256 people have at most.

python benchmarks/masked.py [--people 10000] [--width 768]

Milliseconds a query of one core, one query at a time and 32 at once, and how often the best is who is best of all by
the mask. Half of the numbers of each query are replaced by those of somebody else, and its mask knows which.
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

from engines.index.masked import best, masked_cosines  # noqa: E402
from pipeline.messages import Sighting  # noqa: E402
from stages._looks import likeness  # noqa: E402

ROUNDS, TOGETHER, SIGHTINGS = 30, 32, 256 * 12


def main() -> None:
    """The table, as Markdown."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--people", type=int, default=10_000)
    asked.add_argument("--width", type=int, default=768)
    given = asked.parse_args()
    random = np.random.default_rng(1)
    gallery = unit(random.standard_normal((given.people, given.width)))
    queries, visibility = hidden(gallery, random)
    ways: dict[str, Callable[[int], np.ndarray]] = {
        "plain, NumPy": lambda n: (queries[:n] @ gallery.T).argmax(axis=1),
        "plain": lambda n: best(queries[:n], visibility[:n], gallery, masked_below=0.0).rows[:, 0],
        "mask for 200": lambda n: best(queries[:n], visibility[:n], gallery).rows[:, 0],
        "mask for all": lambda n: masked_cosines(queries[:n], visibility[:n], gallery).argmax(axis=1),
    }
    wanted = ways["mask for all"](TOGETHER)
    print(f"### {given.people} vectors of {given.width}, one core\n")
    print("| way | ms a query, alone | of 32 at once | least, alone | the best of all by the mask |")
    print("| --- | --- | --- | --- | --- |")
    for name, way in ways.items():
        alone, together = timed(lambda way=way: way(1)), timed(lambda way=way: way(TOGETHER)) / TOGETHER
        right = 100 * float((way(TOGETHER) == wanted).mean())
        print(
            f"| {name} | {np.median(alone):.2f} | {np.median(together):.2f} | {alone.min():.2f} | {right:.0f} % |"
        )
    compared(gallery[:SIGHTINGS], random)


def compared(vectors: np.ndarray, random: np.random.Generator) -> None:
    """A table of what one tracklet costs the matcher."""
    shown = random.random((len(vectors), 2, vectors.shape[1])).astype(np.float32)
    plain = [Sighting(None, vector, 1, "made") for vector in vectors]  # type: ignore[arg-type]
    masked = [
        Sighting(None, vector, 1, "made", shown=some) for vector, some in zip(vectors, shown, strict=True)
    ]  # type: ignore[arg-type]
    print(f"\n### a tracklet and {len(vectors)} sightings, as the matcher compares them\n")
    print("| way | ms | least |\n| --- | --- | --- |")
    for name, some in (("the embedder does not say what shows", plain), ("what both show", masked)):
        taken = timed(lambda some=some: likeness(some[:1], some, 1.0))
        print(f"| {name} | {np.median(taken):.2f} | {taken.min():.2f} |")


def hidden(gallery: np.ndarray, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Queries, and the mask of each."""
    visibility = np.ones((TOGETHER, gallery.shape[1]), np.float32)
    other = np.roll(gallery[:TOGETHER], 1, axis=0)
    for mask in visibility:
        mask[random.permutation(gallery.shape[1])[: gallery.shape[1] // 2]] = 0.1
    noise = 0.5 * random.standard_normal(other.shape) / np.sqrt(gallery.shape[1])
    return unit(np.where(visibility == 1, gallery[:TOGETHER] + noise, other)), visibility


def timed(run: Callable[[], object]) -> np.ndarray:
    """Processor time of each round, in ms."""
    run()
    taken = []
    for _ in range(ROUNDS):
        began = time.process_time()
        run()
        taken.append(1000 * (time.process_time() - began))
    return np.array(taken)


def unit(rows: np.ndarray) -> np.ndarray:
    """Each of length 1."""
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


if __name__ == "__main__":
    main()
