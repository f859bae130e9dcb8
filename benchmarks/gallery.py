"""How fast it is found whom 20 vectors are like, beside what a user could install instead, all in one run:

make .venv-peers-gallery/.done
python benchmarks/gallery.py [VECTORS ...]

The people are of benchmarks/peers/nearest.py. Between two rounds 20 identities go and 20 others come. The ways take
turns, others' in processes of their own with the same vectors and queries; FAISS' HNSW cannot remove, so there they
only come. Recall is against NumPy's product, that of ours also of 1,000 more queries.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

import numpy as np
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.peers.nearest import DIMENSION, EACH, TOGETHER, Floats, people  # noqa: E402
from engines.index.gallery import Gallery  # noqa: E402

SIZES = 1_000, 10_000, 100_000, 1_000_000
ASKED, CHANGED, ROUNDS, HELD_OUT = 20, 20, 11, 1_000
PEERS = ROOT / ".venv-peers-gallery" / "bin" / "python"
GRAPHS = {"hnsw", "hnswlib"}
MOST_IN_GRAPHS = 100_000  # to build one of more takes longer than all the rest


class Peer:
    """A way in a process of its own."""

    def __init__(self, way: str, count: int) -> None:
        command = [PEERS, ROOT / "benchmarks" / "peers" / "nearest.py", way, str(count), str(ASKED)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._said()

    def change(self, old: int, new: int) -> None:
        self._say(f"change {old} {new}")

    def ask(self) -> tuple[float, list[int]]:
        """Milliseconds, and the row that each query is most like."""
        self._say("ask")
        ms, rows = json.loads(self._said())
        return ms, rows

    def close(self) -> None:
        self._process.communicate()

    def _say(self, what: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(what + "\n")
        self._process.stdin.flush()

    def _said(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{PEERS}: has ended; make .venv-peers-gallery/.done")
        return line


class Plain:
    """NumPy: one matrix, a row of which is written over where somebody goes and another comes."""

    def __init__(self, count: int) -> None:
        self.vectors = np.empty((EACH * count, DIMENSION), np.float32)
        self.queries = np.empty((0, DIMENSION), np.float32)
        end = 0
        for vectors, queries in people(count, seed=1):
            self.vectors[end : end + EACH * len(vectors)] = vectors.reshape(-1, DIMENSION)
            end += EACH * len(vectors)
            self.queries = np.concatenate([self.queries, queries])[: ASKED + HELD_OUT]
        self.names = [f"P-{row // EACH}" for row in range(len(self.vectors))]
        self.news = next(people(TOGETHER, seed=2))[0]

    def change(self, old: int, new: int) -> None:
        self.vectors[EACH * old : EACH * (old + 1)] = self.news[new]
        self.names[EACH * old : EACH * (old + 1)] = [f"N-{new}"] * EACH

    def ask(self, queries: Floats) -> list[str]:
        return [self.names[row] for row in (queries @ self.vectors.T).argmax(axis=1).tolist()]


def measured(count: int) -> dict[str, list[float]]:
    """Milliseconds by way and round, and how often ours found whom NumPy finds."""
    plain, ours = Plain(count), Gallery(DIMENSION)
    for number in range(count):
        ours.put(f"P-{number}", plain.vectors[EACH * number : EACH * (number + 1)])
    ways = [
        way
        for way in ("flat", "ivf", "hnsw", "hnswlib")
        if way not in GRAPHS or EACH * count <= MOST_IN_GRAPHS
    ]
    peers = {way: Peer(way, count) for way in ways}
    asked, times = plain.queries[:ASKED], defaultdict[str, list[float]](list)
    changes = iter(zip(range(count - 1, -1, -1), range(TOGETHER), strict=False))
    for _round in range(ROUNDS):
        for old, new in [next(changes) for _ in range(min(CHANGED, count // 2 // ROUNDS))]:
            plain.change(old, new)
            ours.remove(f"P-{old}")
            ours.put(f"N-{new}", plain.news[new])
            for peer in peers.values():
                peer.change(old, new)
        truth, _ = plain.ask(asked), ours.like(asked)
        begun = perf_counter()
        plain.ask(asked)
        between = perf_counter()
        found = [those[0][0] for those in ours.like(asked)]
        times["NumPy"].append(1000 * (between - begun))
        times["ours"].append(1000 * (perf_counter() - between))
        times["recall: ours"].append(float(np.mean([a == b for a, b in zip(found, truth, strict=True)])))
        for way, peer in peers.items():
            ms, rows = peer.ask()
            times[way].append(ms)
            same = [f"P-{row // EACH}" == who for row, who in zip(rows, truth, strict=True)]
            times[f"recall: {way}"].append(float(np.mean(same)))
    for peer in peers.values():
        peer.close()
    rest = plain.queries[ASKED : min(ASKED + HELD_OUT, count // 2)]  # of whom nobody has gone
    found = [those[0][0] if those else "" for those in ours.like(rest)]
    times["held out"] = [float(np.mean([a == b for a, b in zip(found, plain.ask(rest), strict=True)]))]
    return times


def main(sizes: Sequence[int]) -> None:
    """Print a table for each size."""
    out = Console(width=120)
    for size in sizes:
        times = measured(size // EACH)
        table = Table(
            "20 queries",
            "ms, median",
            "least",
            "ours / it",
            "recall@1",
            title=f"{size:,} vectors of {DIMENSION}",
        )
        for way in [way for way in times if f"recall: {way}" in times or way == "NumPy"]:
            ratio = np.median(np.array(times["ours"]) / np.array(times[way]))
            recall = np.mean(times.get(f"recall: {way}", [1.0]))
            table.add_row(
                way,
                f"{np.median(times[way]):.3f}",
                f"{min(times[way]):.3f}",
                f"1/{1 / ratio:.2f}",
                f"{recall:.4f}",
            )
        out.print(table, f"recall of ours on held-out queries: {times['held out'][0]:.4f}\n")


if __name__ == "__main__":
    main([int(size) for size in sys.argv[1:]] or SIZES)
