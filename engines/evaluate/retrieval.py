"""How well people are found in a gallery: mAP, CMC and mINP. Knows no data set and no model.

Of a gallery's pictures at the same distance, the one that stands first in it is the nearer: sorting is stable. A query
without anybody to find is counted, and is in no mean. (ViSA's released evaluator sets the first rank of its first query
to 0, a line left from debugging: not so here.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import nan
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.floating[Any]]  # (n, d); a row of NaN is like nobody
People = NDArray[np.int64]  # (n,)
Order = NDArray[np.int64]  # numbers in the gallery, the nearest first
Counts = Callable[[int], NDArray[np.bool_]]  # who of the gallery counts for a query, by its number: (n,)
Distance = Literal["cosine", "euclid"]

BLOCK = 2**23  # distances at once, at most: 64 MiB of the widest
LOW = np.uint64(2**32 - 1)


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What came of the queries that have somebody to find; each array (n,), in their order."""

    queries: NDArray[np.int64]  # their numbers
    average_precisions: NDArray[np.float64]
    first_ranks: NDArray[np.int64]  # of the first right one, from 1
    inverse_penalties: NDArray[np.float64]  # how many right ones there are, by the rank of the last
    asked: int  # queries, with those that have nobody to find
    pairs: int  # of any query and whoever counts for it

    @property
    def mean_average_precision(self) -> float:
        """mAP; NaN where there is nobody to find."""
        return _mean(self.average_precisions)

    @property
    def mean_inverse_penalty(self) -> float:
        """mINP; NaN where there is nobody to find."""
        return _mean(self.inverse_penalties)

    def cmc(self, rank: int) -> float:
        """The share of queries whose first right one is at this rank or before it."""
        return _mean(self.first_ranks <= rank)


@dataclass
class _Tally:
    """The scores of one case, as they are gathered."""

    counts: Counts
    rows: list[tuple[int, float, int, float]] = field(default_factory=list)
    asked: int = 0
    pairs: int = 0

    def add(self, number: int, order: Order, is_same: NDArray[np.bool_]) -> None:
        kept = order[self.counts(number)[order]]
        ranks = np.flatnonzero(is_same[kept]) + 1
        self.asked += 1
        self.pairs += len(kept)
        if right := len(ranks):
            precision = float((np.arange(1, right + 1) / ranks).mean())
            self.rows.append((number, precision, int(ranks[0]), right / float(ranks[-1])))

    def found(self) -> Found:
        numbers, precisions, firsts, inverses = zip(*self.rows, strict=True) if self.rows else ((),) * 4
        return Found(
            np.array(numbers, np.int64),
            np.array(precisions, np.float64),
            np.array(firsts, np.int64),
            np.array(inverses, np.float64),
            self.asked,
            self.pairs,
        )


def found(
    orders: Iterable[Order], query: People, gallery: People, cases: Mapping[str, Counts]
) -> dict[str, Found]:
    """The scores of each case, of an order for each query, in turn. Whoever an order leaves out is not looked for."""
    tallies = {name: _Tally(counts) for name, counts in cases.items()}
    for number, order in enumerate(orders):
        is_same = np.asarray(gallery == query[number])
        for tally in tallies.values():
            tally.add(number, order, is_same)
    return {name: tally.found() for name, tally in tallies.items()}


def other_cameras(
    query: People, query_cameras: NDArray[np.int64], gallery: People, gallery_cameras: NDArray[np.int64]
) -> Counts:
    """All but whoever the query's own camera saw of its person: that is no other sight of them."""

    def counts(number: int) -> NDArray[np.bool_]:
        return np.asarray((gallery != query[number]) | (gallery_cameras != query_cameras[number]))

    return counts


def everybody(gallery: Sequence[Any] | NDArray[Any]) -> Counts:
    """All of a gallery, for any query."""
    every = np.ones(len(gallery), bool)
    return lambda number: every


def distances(query: Vectors, gallery: Vectors, kind: Distance) -> Iterator[NDArray[np.floating[Any]]]:
    """The distances of some queries after the others from all of a gallery, (some, len(gallery)), of which there are
    never more than a block at once. Cosine is 1 - cosine, which ranks as Euclid and dot product of unit vectors do.
    What is like nobody is infinitely far.
    """
    measure = _cosine if kind == "cosine" else _euclid
    if kind == "cosine":
        query, gallery = _unit(query), _unit(gallery)
    alone, nobody = (np.asarray(np.isnan(some).any(axis=1)) for some in (query, gallery))
    is_given = kind != "cosine"  # and not ours to change
    query, gallery = np.nan_to_num(query, copy=is_given), np.nan_to_num(gallery, copy=is_given)
    rows = max(1, BLOCK // max(1, len(gallery)))
    for first in range(0, len(query), rows):
        block = measure(query[first : first + rows], gallery)
        block[:, nobody] = np.inf
        block[alone[first : first + rows]] = np.inf
        yield block


def nearest_first(blocks: Iterable[NDArray[np.floating[Any]]]) -> Iterator[Order]:
    """For each query the numbers of the gallery by distance, and by number where that is the same."""
    for block in blocks:
        yield from map(_sorted, block)


def _sorted(row: NDArray[np.floating[Any]]) -> Order:
    if row.dtype != np.float32 or np.signbit(row).any():
        return np.argsort(row, kind="stable")
    # floats that are not below 0 are in the order of their bits: with the number below them no two keys are the
    # same, so that a sort which is not stable, and five times as fast, will do
    keys = row.view(np.uint32).astype(np.uint64) << np.uint64(32)
    keys |= np.arange(len(row), dtype=np.uint64)
    keys.sort()
    return (keys & LOW).astype(np.int64)


def _cosine(query: Vectors, gallery: Vectors) -> NDArray[np.float32]:
    products = query @ gallery.T
    np.subtract(1, products, out=products)
    return np.maximum(products, 0, out=products)  # rounding alone is below


def _euclid(query: Vectors, gallery: Vectors) -> NDArray[np.float64]:
    from scipy.spatial.distance import (
        cdist,  # late: it takes longer to import than the rest of the command line
    )

    return np.asarray(cdist(query, gallery))


def _unit(vectors: Vectors) -> NDArray[np.float32]:
    """Each of length 1; what has no direction is like nobody."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(lengths > 0, lengths, nan), np.float32)


def _mean(values: NDArray[Any]) -> float:
    return float(values.mean()) if len(values) else nan
