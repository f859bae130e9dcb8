"""Other packages' galleries for benchmarks/gallery.py, each in a process of this file: made once, asked and changed by
lines on its standard input. Also who the people are, so that every process makes the same.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

DIMENSION, EACH = 512, 5
TOGETHER = 20_000  # identities that are made at once

Floats = NDArray[np.float32]


def people(count: int, seed: int) -> Iterator[tuple[Floats, Floats]]:
    """So many identities, some at a time: EACH vectors of each, and one to ask with. All of one are at a cosine of 0.6
    to 0.9 with a middle that nobody sees.
    """
    chance = np.random.default_rng(seed)
    for start in range(0, count, TOGETHER):
        some = min(TOGETHER, count - start)
        middle = _unit(chance.standard_normal((some, 1, DIMENSION), np.float32))
        aside = chance.standard_normal((some, EACH + 1, DIMENSION), np.float32)
        aside = _unit(aside - (aside * middle).sum(-1, keepdims=True) * middle)
        cosine = chance.uniform(0.6, 0.9, (some, EACH + 1, 1)).astype(np.float32)
        vectors = cosine * middle + np.sqrt(1 - cosine**2) * aside
        yield np.ascontiguousarray(vectors[:, :EACH]), np.ascontiguousarray(vectors[:, EACH])


def _unit(vectors: Floats) -> Floats:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True), np.float32)


class FaissIndex:
    """`made` is what faiss calls it; labels are rows."""

    def __init__(self, kind: str, vectors: int) -> None:
        import faiss

        lists = int(np.sqrt(vectors))
        made = {"flat": "IDMap2,Flat", "ivf": f"IVF{lists},Flat", "hnsw": "IDMap2,HNSW32"}[kind]
        self._index = faiss.index_factory(DIMENSION, made, faiss.METRIC_INNER_PRODUCT)
        self._kind = kind
        if kind == "ivf":
            faiss.extract_index_ivf(self._index).nprobe = max(1, lists // 16)

    def add(self, vectors: Floats, rows: NDArray[np.int64]) -> None:
        if not self._index.is_trained:
            self._index.train(vectors)
        self._index.add_with_ids(vectors, rows)

    def remove(self, rows: NDArray[np.int64]) -> None:
        if self._kind != "hnsw":  # it cannot
            self._index.remove_ids(rows)

    def ask(self, queries: Floats) -> NDArray[np.int64]:
        return self._index.search(queries, 1)[1][:, 0]


class Hnswlib:
    """Labels are rows."""

    def __init__(self, vectors: int) -> None:
        import hnswlib

        self._index = hnswlib.Index("ip", DIMENSION)
        self._index.init_index(2 * vectors, M=16, ef_construction=100, allow_replace_deleted=True)
        self._index.set_ef(64)

    def add(self, vectors: Floats, rows: NDArray[np.int64]) -> None:
        self._index.add_items(vectors, rows, replace_deleted=True)

    def remove(self, rows: NDArray[np.int64]) -> None:
        for row in rows.tolist():
            self._index.mark_deleted(row)

    def ask(self, queries: Floats) -> NDArray[np.int64]:
        return np.asarray(self._index.knn_query(queries, 1)[0][:, 0], np.int64)


def main(way: str, count: int, asked: int) -> None:
    """Answer `ask` with milliseconds and rows, and change an identity on `change OLD NEW`."""
    index = Hnswlib(EACH * count) if way == "hnswlib" else FaissIndex(way, EACH * count)
    queries, end = np.empty((0, DIMENSION), np.float32), 0
    for vectors, to_ask in people(count, seed=1):
        rows = vectors.reshape(-1, DIMENSION)
        index.add(rows, np.arange(end, end + len(rows)))
        queries, end = np.concatenate([queries, to_ask])[:asked], end + len(rows)
    news = next(people(TOGETHER, seed=2))[0]
    print("ready", flush=True)
    for line in sys.stdin:
        if line.startswith("change"):
            _, old, new = map(str, line.split())
            index.remove(np.arange(EACH) + EACH * int(old))
            index.add(news[int(new)], np.arange(EACH) + end + EACH * int(new))
        else:
            begun = perf_counter()
            found = index.ask(queries)
            print(json.dumps([1000 * (perf_counter() - begun), found.tolist()]), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
