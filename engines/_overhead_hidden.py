"""What of a body the camera cannot see, since somebody taller stands in the way."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from engines._overhead_plan import Array, kernel

DIRECTIONS = 16
_ANGLES = [2.0 * math.pi * k / DIRECTIONS for k in range(DIRECTIONS)]
AROUND = np.array([(math.sin(angle), math.cos(angle)) for angle in _ANGLES])  # row and column of each
CHEST_M, CHEST_BELOW_M = 0.22, 0.35  # shoulders, so far around a head's middle and below its crown
SHOULDERS_BELOW_M, HEAD_WIDE_M = 0.20, 0.10  # what hides them: somebody's body up to there, or one's own head


@kernel
def hidden_share(
    k: int, sums: NDArray[np.float64], tops: Array, eye: Array, reach_m: float, cell_m: float
) -> float:
    """The share of directions in which the shoulders of a head are not to be seen, if somebody taller within reach is
    between some of them and the camera: of the others the head itself may be. `sums` (n, 6) are of each head: cells,
    rows, columns, ...; `tops` (n,) its height; `eye` the camera's row, column and height.
    """
    hidden, by_others = 0, 0
    own_row, own_column = sums[k, 1] / sums[k, 0], sums[k, 2] / sums[k, 0]
    near = _taller_near(k, sums, tops, reach_m / cell_m)
    if len(near) < 2:
        return 0.0
    for direction in range(DIRECTIONS):
        row = own_row + CHEST_M / cell_m * AROUND[direction, 0]
        column = own_column + CHEST_M / cell_m * AROUND[direction, 1]
        height = tops[k] - CHEST_BELOW_M
        to_row, to_column, up = eye[0] - row, eye[1] - column, eye[2] - height
        for j in near:
            wide_m, top = (HEAD_WIDE_M, tops[j]) if j == k else (CHEST_M, tops[j] - SHOULDERS_BELOW_M)
            r, c = sums[j, 1] / sums[j, 0] - row, sums[j, 2] / sums[j, 0] - column
            along = (r * to_row + c * to_column) / max(to_row * to_row + to_column * to_column, 1e-9)
            off_m = cell_m * np.sqrt((r - along * to_row) ** 2 + (c - along * to_column) ** 2)
            if 0.0 < along < 1.0 and height + along * up <= top and off_m < wide_m:
                hidden += 1
                by_others += j != k
                break
    return hidden / DIRECTIONS if by_others > 0 else 0.0


@kernel
def _taller_near(k: int, sums: NDArray[np.float64], tops: Array, reach_cells: float) -> NDArray[np.int64]:
    """The heads that are no lower and in reach of one, itself among them."""
    near, n = np.empty(len(tops), np.int64), 0
    own_row, own_column = sums[k, 1] / sums[k, 0], sums[k, 2] / sums[k, 0]
    for j in range(len(tops)):
        if tops[j] >= tops[k]:
            r, c = sums[j, 1] / sums[j, 0], sums[j, 2] / sums[j, 0]
            if np.sqrt((r - own_row) ** 2 + (c - own_column) ** 2) <= reach_cells:
                near[n] = j
                n += 1
    return near[:n]
