"""What people look like, of one kind of vectors, to find whom somebody is like. They lie in zero-padded blocks of one
size: a plain product changes in its last bits with the number of its rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from heapq import heappush, heapreplace

import numpy as np
from numpy.typing import NDArray

BLOCK = 1024  # rows
BEST = 3  # of somebody's vectors, as the matcher does it: one view of them may be like, others unlike
DIGITS = 5

Vector = NDArray[np.float32]


class Table:
    """Unit vectors of `dimension` numbers, by identity."""

    def __init__(self, dimension: int) -> None:
        self.dimension = dimension
        self._blocks: list[NDArray[np.float32]] = []
        self._whose: list[str] = []  # by row; nobody's is empty
        self._rows: dict[str, list[int]] = {}
        self._free: list[int] = []

    def __len__(self) -> int:
        return len(self._whose) - len(self._free)

    def put(self, identity: str, vectors: Iterable[Vector]) -> None:
        """These, and no others, are what this identity looks like."""
        self.remove(identity)
        for vector in vectors:
            row = self._row()
            self._blocks[row // BLOCK][row % BLOCK] = vector
            self._whose[row] = identity
            self._rows.setdefault(identity, []).append(row)

    def remove(self, identity: str) -> None:
        """Leave nothing of what this identity looks like."""
        for row in self._rows.pop(identity, ()):
            self._blocks[row // BLOCK][row % BLOCK] = 0.0
            self._whose[row] = ""
            self._free.append(row)

    def like(self, vector: Vector, most: int) -> list[tuple[str, float]]:
        """Whom a unit vector is like, up to so many: the mean cosine of their best vectors, the most like first."""
        if not self._blocks:
            return []
        cosines = np.round(np.concatenate([block @ vector for block in self._blocks]), DIGITS)
        found: list[tuple[float, str]] = []  # a heap, the least like first
        seen: set[str] = set()
        for row in np.argsort(-cosines, kind="stable").tolist():
            whose = self._whose[row] if row < len(self._whose) else ""
            if len(found) == most and cosines[row] <= found[0][0]:
                break  # nobody's mean is above their best
            if whose and whose not in seen:
                seen.add(whose)
                best = np.sort(cosines[self._rows[whose]])[-BEST:]
                one = round(float(best.mean()), DIGITS), whose
                if len(found) < most:
                    heappush(found, one)
                elif one > found[0]:
                    heapreplace(found, one)
        return [(whose, cosine) for cosine, whose in sorted(found, key=lambda one: (-one[0], one[1]))]

    def _row(self) -> int:
        if self._free:
            return self._free.pop()
        if len(self._whose) == BLOCK * len(self._blocks):
            self._blocks.append(np.zeros((BLOCK, self.dimension), np.float32))
        self._whose.append("")
        return len(self._whose) - 1
