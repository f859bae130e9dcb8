"""What stands on a camera's floor for long: tables, chairs, plants. A slow map of heights, seen from above.

People come and go; what is there more often than not is furniture. Knows no people.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

CELL_M = 0.12
FIRST_LOOKS = 15  # of a cell: these are averaged, later ones only nudge
BARE_M = 0.10  # nothing in a cell rises above this: its floor is seen, noise and all
UP_M, DOWN_M = 0.004, 0.0017  # a nudge; what is there in 3 looks of 10 stays (the 0.7 quantile)
HIGHEST_M = 0.9  # taller furniture looks less like a person, and who sits or waits should stay one
SIDE_CELLS = 160


@dataclass(frozen=True, eq=False)
class Standing:
    """Heights above the floor of what stands there, in cells of `CELL_M`; 0 where nothing does."""

    corner_m: NDArray[np.float64]  # (2,), x and y of the first cell's lower corner
    heights_m: NDArray[np.float32]  # (rows, columns), rows along y
    looks: NDArray[np.int32]  # (rows, columns), how often each cell has been seen
    bare: NDArray[
        np.bool_
    ]  # (rows, columns), whether its floor has been seen: furniture does not come and go

    @cached_property
    def known_m(self) -> NDArray[np.float32]:
        """The heights of the cells that have been seen often enough; before, 0 of those that have been seen bare,
        NaN elsewhere.
        """
        early = np.where(self.bare, np.float32(0.0), np.float32(np.nan))
        return np.where(self.looks >= FIRST_LOOKS, self.heights_m, early)

    def packed(self) -> tuple[Any, ...]:
        """All that `unpacked` needs, as plain values and small arrays: most of the map is in no camera's view."""
        rows, columns = np.nonzero(self.looks)
        first = (int(rows.min()), int(columns.min())) if len(rows) else (0, 0)
        last = (int(rows.max()) + 1, int(columns.max()) + 1) if len(rows) else (0, 0)
        part = slice(first[0], last[0]), slice(first[1], last[1])
        return self.corner_m, first, self.heights_m[part], self.looks[part], self.bare[part]

    @classmethod
    def unpacked(
        cls, corner_m: NDArray[np.float64], first: tuple[int, int], *parts: NDArray[Any]
    ) -> Standing:
        """The map of which these parts have been seen."""
        whole = [np.zeros((SIDE_CELLS, SIDE_CELLS), part.dtype) for part in parts]
        for array, part in zip(whole, parts, strict=True):
            array[first[0] : first[0] + len(part), first[1] : first[1] + part.shape[1]] = part
        return cls(corner_m, *whole)

    def after(self, points_m: NDArray[np.float64]) -> Standing:
        """After one more look: points (n, 3) on the floor and above it."""
        columns, rows = np.floor((points_m[:, :2] - self.corner_m) / CELL_M).astype(np.intp).T
        inside = (rows >= 0) & (rows < SIDE_CELLS) & (columns >= 0) & (columns < SIDE_CELLS)
        top_m = np.full(self.heights_m.shape, -1.0, np.float32)
        np.maximum.at(top_m, (rows[inside], columns[inside]), points_m[inside, 2].clip(0.0, HIGHEST_M))
        seen = top_m >= 0
        looks = self.looks + seen
        nudge_m = np.clip(top_m - self.heights_m, -DOWN_M, UP_M)
        learn_m = (top_m - self.heights_m) / np.maximum(looks, 1)
        heights_m = self.heights_m + np.where(seen, np.where(looks <= FIRST_LOOKS, learn_m, nudge_m), 0.0)
        bare = self.bare | (seen & (top_m < BARE_M))
        return Standing(self.corner_m, heights_m.astype(np.float32), looks.astype(np.int32), bare)


def nothing_around(x_m: float, y_m: float) -> Standing:
    """An empty map around a place on the floor."""
    half_m = SIDE_CELLS * CELL_M / 2
    shape = (SIDE_CELLS, SIDE_CELLS)
    corner_m = np.array([x_m - half_m, y_m - half_m])
    return Standing(corner_m, np.zeros(shape, np.float32), np.zeros(shape, np.int32), np.zeros(shape, bool))
