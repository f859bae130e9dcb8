"""Vectors of many, several of each, to find whom a vector is like. Up to `EXACT` vectors each is multiplied; beyond,
those whose bits are nearest (engines/index/sketches.py), so that what is found does not depend on who came when.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from configs.kernels import quick
from engines.index.sketches import Sketches

EXACT = 256
NEAR = 24  # vectors that are multiplied for each who is asked for, at least
DIGITS = 5  # the last bits of a product depend on the machine

Floats = NDArray[np.float32]
Rows = NDArray[np.integer[Any]]


class Gallery:
    """Unit vectors of `dimension` numbers, by name."""

    def __init__(self, dimension: int) -> None:
        self._vectors = np.zeros((EXACT, dimension), np.float32)
        self._owners = np.zeros(EXACT, np.int32)  # by row: a number of a name
        self._sketches = Sketches(dimension)
        self._names: list[str] = []  # by number
        self._numbers: dict[str, int] = {}
        self._rows: dict[str, list[int]] = {}
        self._free_rows: list[int] = []
        self._free_numbers: list[int] = []
        self._used = 0  # rows

    def __len__(self) -> int:
        """How many vectors there are."""
        return self._used - len(self._free_rows)

    def put(self, name: str, vectors: Floats) -> None:
        """These (n, dimension), and no others, are of this name."""
        self.remove(name)
        if not len(vectors):
            return
        self._rows[name] = rows = [self._row() for _ in vectors]
        self._numbers[name] = number = self._free_numbers.pop() if self._free_numbers else len(self._names)
        self._names[number : number + 1] = [name]
        self._vectors[rows], self._owners[rows] = vectors, number
        self._sketches.put(np.array(rows), self._sketches.of(vectors))

    def remove(self, name: str) -> None:
        """Leave nothing of this name."""
        rows = self._rows.pop(name, [])
        if rows:
            self._vectors[rows] = 0
            self._sketches.remove(np.array(rows))
            self._free_rows += rows
            number = self._numbers.pop(name)
            self._names[number] = ""
            self._free_numbers.append(number)

    def like(self, queries: Floats, most: int = 1) -> list[list[tuple[str, float]]]:
        """For each unit vector (q, dimension) who is most like it, up to so many: names, and the cosine with that of
        their vectors that is most like.
        """
        queries = np.ascontiguousarray(queries, np.float32)
        rows, counts = self._near(queries, most)
        owners, cosines = np.full((len(queries), most), -1, np.int32), np.full((len(queries), most), -2.0)
        _best(self._vectors, self._owners, queries, rows, counts, (owners, cosines))
        names = self._names
        return [
            sorted(
                ((names[n], round(cosine, DIGITS)) for n, cosine in zip(*one, strict=True) if n >= 0),
                key=lambda found: (-found[1], found[0]),
            )
            for one in zip(owners.tolist(), cosines.tolist(), strict=True)
        ]

    def _near(self, queries: Floats, most: int) -> tuple[Rows, Rows]:
        if len(self) > EXACT:
            return self._sketches.near(self._sketches.of(queries), NEAR * most)
        every = np.array([row for rows in self._rows.values() for row in rows], np.int32)
        return np.tile(every, len(queries)), np.full(len(queries), len(every))

    def _row(self) -> int:
        if self._free_rows:
            return self._free_rows.pop()
        if self._used == len(self._vectors):
            old = self._vectors
            self._vectors = np.zeros((2 * len(old), old.shape[1]), np.float32)
            self._vectors[: len(old)] = old
            old[:] = 0  # memory is freed as it is
            self._owners = np.concatenate([self._owners, np.zeros_like(self._owners)])
        self._used += 1
        return self._used - 1


@quick
def _best(  # noqa: PLR0913
    vectors: Floats, owners: Rows, queries: Floats, rows: Rows, counts: Rows, best: tuple[Rows, Floats]
) -> None:
    """For each query the owners of those of its rows that are most like it, the most like first."""
    whose, cosines = best
    end = 0
    for one in range(len(queries)):
        query, start, end = queries[one], end, end + counts[one]
        for row in rows[start:end]:
            vector, cosine = vectors[row], np.float32(0)
            for i in range(len(query)):
                cosine += vector[i] * query[i]
            place = len(cosines[one]) - 1
            if cosine <= cosines[one, place]:
                continue
            for i in range(place):
                if whose[one, i] == owners[row]:
                    place = i
                    break
            if cosine <= cosines[one, place]:
                continue
            while place and cosines[one, place - 1] < cosine:
                whose[one, place], cosines[one, place] = whose[one, place - 1], cosines[one, place - 1]
                place -= 1
            whose[one, place], cosines[one, place] = owners[row], cosine
