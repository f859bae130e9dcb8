"""Heads that depth has a hole for: nearer than the sensor can measure, or hair that gives nothing back. Around such
a hole there are a face, shoulders and a back; the crown is a little above them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engines._overhead_plan import Array, kernel

STEP_PX = 4
MIN_RIM_M = 0.8  # lower than this above the floor no head is missing
PERSON_RIM = 0.65  # of the rim of a hole is somebody
NEAR_M, NEAR_RIM = 0.6, 0.3  # so near to the camera what is missing is nearer still, with floor behind it
CROWN_M = 0.12  # above most of the rim
MIN_AREA_M2, MAX_AREA_M2 = 0.006, 0.12


@kernel
def points_in_holes(
    depth: NDArray[np.uint16],
    scale_m: float,
    world_from_pixel: NDArray[np.float64],
    origin_m: NDArray[np.float64],
) -> Array:
    """Rows of u, v, x, y, height (n, 5) where crowns should be."""
    rows, columns = depth.shape[0] // STEP_PX, depth.shape[1] // STEP_PX
    seen = np.zeros((rows, columns), np.bool_)
    points = np.empty((rows * columns, 5), np.float32)
    stack = np.empty(rows * columns, np.int32)
    rim = np.empty(rows * columns * 4, np.float32)
    n = 0
    for row, column in np.ndindex(rows, columns):
        if depth[row * STEP_PX, column * STEP_PX] or seen[row, column]:
            continue
        seen[row, column] = True
        stack[0], filled, size, around, nearest = row * columns + column, 1, 0, 0, np.inf
        while size < filled:  # the stack stays: it is the list of the hole's cells
            r, c = stack[size] // columns, stack[size] % columns
            size += 1
            for dr, dc in ((0, 1), (1, 0), (0, -1), (-1, 0)):
                i, j = r + dr, c + dc
                if not (0 <= i < rows and 0 <= j < columns):
                    rim[around] = 0.0
                    around += 1
                elif depth[i * STEP_PX, j * STEP_PX]:
                    rim[around] = _height(
                        depth, i * STEP_PX, j * STEP_PX, scale_m, world_from_pixel, origin_m
                    )
                    around += 1
                    nearest = min(nearest, depth[i * STEP_PX, j * STEP_PX] * scale_m)
                elif not seen[i, j]:
                    seen[i, j] = True
                    stack[filled] = i * columns + j
                    filled += 1
        height = _crown(rim[:around], nearest)
        if height == 0:
            continue
        first, area = n, 0.0
        for k in range(size):
            v, u = stack[k] // columns * STEP_PX, stack[k] % columns * STEP_PX
            ray = world_from_pixel @ np.array([float(u), float(v), 1.0])
            metres = (height - origin_m[2]) / ray[2]
            points[n, 0], points[n, 1], points[n, 4] = u, v, height
            points[n, 2], points[n, 3] = origin_m[0] + metres * ray[0], origin_m[1] + metres * ray[1]
            side = (
                STEP_PX
                * metres
                * np.sqrt(
                    world_from_pixel[0, 0] ** 2 + world_from_pixel[1, 0] ** 2 + world_from_pixel[2, 0] ** 2
                )
            )
            area += side * side
            n += 1
        if not MIN_AREA_M2 <= area <= MAX_AREA_M2 or height >= origin_m[2]:
            n = first
    return points[:n]


@kernel
def _height(
    depth: NDArray[np.uint16],
    v: int,
    u: int,
    scale_m: float,
    world_from_pixel: NDArray[np.float64],
    origin_m: NDArray[np.float64],
) -> float:
    m = world_from_pixel
    return float(origin_m[2] + depth[v, u] * scale_m * (m[2, 0] * u + m[2, 1] * v + m[2, 2]))


@kernel
def _crown(rim: Array, nearest_m: float) -> float:
    """How high the head must be that is missing inside this rim; 0 if none is."""
    if len(rim) == 0 or np.mean(rim > MIN_RIM_M) < (NEAR_RIM if nearest_m < NEAR_M else PERSON_RIM):
        return 0.0
    somebody = np.sort(rim[rim > MIN_RIM_M])
    return float(somebody[int(0.75 * (len(somebody) - 1))] + CROWN_M)
