"""Depth to a plan of heights: what stands above the floor, seen from straight above, in cells of metres.

A plan is (rows, columns) float32, rows along y, columns along x; 0 is where nothing stands. Kernels are compiled
once, kept on disk, run without the interpreter's lock, and exact, so that every machine gives the same.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from typing import Any, TypeVar

import numba
import numpy as np
from numpy.typing import NDArray

from configs import kernels

F = TypeVar("F", bound=Callable[..., Any])
Array = NDArray[np.float32]
Labels = NDArray[np.int32]

TOP_M = 0.08  # a cell's height is the mean of what lies this close below its highest point
SAME_M = 0.15  # neighbouring cells further apart in height are of two surfaces
MARGIN_CELLS = 8  # empty cells around the points, so that no kernel looks over the edge
FAR_DROP_M = 0.03
SPIKE_M = 0.06
LEVEL_M = 0.005  # how finely heights are sorted


def _compiled_in() -> str:
    """A folder for these sources: what numba keeps does not see that a kernel that is called has changed."""
    here = Path(__file__).parent
    sources = b"".join(path.read_bytes() for path in sorted(here.glob("_overhead*.py")))
    return str(here / "__pycache__" / blake2b(sources, digest_size=6).hexdigest())


CONFIG: Any = numba.config
COMPILED_IN = CONFIG.CACHE_DIR or _compiled_in()


def kernel(function: F) -> F:
    """Compiled when first called."""
    before, CONFIG.CACHE_DIR = CONFIG.CACHE_DIR, COMPILED_IN
    try:
        return kernels.kernel(function)
    finally:
        CONFIG.CACHE_DIR = before


@kernel
def edges_of(depth: NDArray[np.uint16]) -> Labels:
    """Left, top, right and bottom of what depth can see, in pixels: stereo cameras are blind at one side."""
    h, w = depth.shape
    step = 8
    rows, columns = np.zeros(h // step, np.int32), np.zeros(w // step, np.int32)
    for r in range(h // step):
        for c in range(w // step):
            if depth[r * step, c * step]:
                rows[r] += 1
                columns[c] += 1
    enough_c, enough_r = max(columns.max() // 3, 1), max(rows.max() // 3, 1)
    seen_c, seen_r = np.nonzero(columns >= enough_c)[0], np.nonzero(rows >= enough_r)[0]
    if len(seen_c) == 0 or len(seen_r) == 0:
        return np.array([0, 0, w, h], np.int32)
    last_c = w if seen_c[-1] == len(columns) - 1 else seen_c[-1] * step
    last_r = h if seen_r[-1] == len(rows) - 1 else seen_r[-1] * step
    return np.array([seen_c[0] * step, seen_r[0] * step, last_c, last_r], np.int32)


@kernel
def points_above_floor(
    depth: NDArray[np.uint16],
    scale_m: float,
    world_from_pixel: NDArray[np.float64],
    origin_m: NDArray[np.float64],
    step: int,
    min_height_m: float,
    max_range_m: float,
) -> Array:
    """Rows of u, v, x, y, height (n, 5): every `step`-th pixel that is clearly above the floor."""
    h, w = depth.shape
    m = world_from_pixel
    farthest = int(min(65535.0, max_range_m / scale_m))
    wide = (w + step - 1) // step
    points = np.empty((((h + step - 1) // step) * wide, 5), np.float32)
    raws, heights, above = np.empty(wide, np.uint16), np.empty(wide), np.empty(wide, np.bool_)
    slants, found = m[2, 0] * (np.arange(wide) * step), np.empty(wide, np.int32)
    n = 0
    for v in range(0, h, step):
        across, x0, y0 = m[2, 1] * v + m[2, 2], m[0, 1] * v + m[0, 2], m[1, 1] * v + m[1, 2]
        for i in range(wide):
            raws[i] = depth[v, np.uint32(i) * np.uint32(step)]
        for i in range(wide):  # without a branch: several pixels at once
            metres = raws[i] * scale_m
            heights[i] = origin_m[2] + metres * (slants[i] + across)
            above[i] = heights[i] >= min_height_m + 0.006 * metres * metres  # the floor and its noise
        few = 0
        for i in range(wide):
            found[few] = i
            few += above[i]
        for i in found[:few]:
            u, raw = i * step, raws[i]
            if raw == 0 or raw > farthest:
                continue
            metres = raw * scale_m
            points[n, 0], points[n, 1], points[n, 4] = u, v, heights[i]
            points[n, 2] = origin_m[0] + metres * (m[0, 0] * u + x0)
            points[n, 3] = origin_m[1] + metres * (m[1, 0] * u + y0)
            n += 1
    return points[:n]


@kernel
def plan_of(points: Array, cell_m: float, max_height_m: float) -> tuple[float, float, Array, Labels]:
    """Left and low edge of the plan in metres, the plan, and the cell of every point."""
    left, low, right, high = points[0, 2], points[0, 3], points[0, 2], points[0, 3]
    for i in range(len(points)):
        left, right = min(left, points[i, 2]), max(right, points[i, 2])
        low, high = min(low, points[i, 3]), max(high, points[i, 3])
    x_min, y_min = left - MARGIN_CELLS * cell_m, low - MARGIN_CELLS * cell_m
    columns = int((right - x_min) / cell_m) + MARGIN_CELLS + 1
    rows = int((high - y_min) / cell_m) + MARGIN_CELLS + 1
    top = np.zeros(rows * columns, np.float32)
    cells = np.empty(len(points), np.int32)
    for i in range(len(points)):
        cell = int((points[i, 3] - y_min) / cell_m) * columns + int((points[i, 2] - x_min) / cell_m)
        cells[i] = cell
        if points[i, 4] <= max_height_m and points[i, 4] > top[cell]:
            top[cell] = points[i, 4]
    total = np.zeros(rows * columns, np.float32)
    count = np.zeros(rows * columns, np.float32)
    for i in range(len(points)):
        if top[cells[i]] - TOP_M <= points[i, 4] <= max_height_m:
            total[cells[i]] += points[i, 4]
            count[cells[i]] += 1
    for cell in range(rows * columns):
        if count[cell] > 0:
            total[cell] /= count[cell]
    return x_min, y_min, total.reshape(rows, columns), cells


@kernel
def smoothed(plan: Array) -> Array:
    """The plan with small gaps closed and each cell the mean of its neighbours on the same surface."""
    rows, columns = plan.shape
    out = np.zeros_like(plan)
    for r in range(1, rows - 1):
        for c in range(1, columns - 1):
            here = plan[r, c]
            if here == 0 and plan[r, c - 1] == 0 and plan[r, c + 1] == 0:
                continue
            high, filled = np.float32(0), 0
            for i in range(r - 1, r + 2):
                for j in range(c - 1, c + 2):
                    if plan[i, j] > 0:
                        filled += 1
                        high = max(high, plan[i, j])
            if here == 0 and filled < 4:
                continue
            level = here if here > 0 else high
            total, weight = np.float32(0), np.float32(0)
            for i in range(r - 1, r + 2):
                for j in range(c - 1, c + 2):
                    if plan[i, j] > 0 and abs(plan[i, j] - level) < SAME_M:
                        share = np.float32(4) if i == r and j == c else np.float32(1 + (i == r or j == c))
                        total += share * plan[i, j]
                        weight += share
            out[r, c] = total / weight
    return out


@kernel
def without_spikes(plan: Array) -> Array:
    """The plan without what is narrower than three cells and stands out by more than `SPIKE_M`: poles, bars and
    false matches (a morphological opening).
    """
    rows, columns = plan.shape
    low, out = np.zeros_like(plan), plan.copy()
    for r in range(1, rows - 1):
        for c in range(1, columns - 1):
            if plan[r, c] > 0:
                least = plan[r, c]
                for i in range(r - 1, r + 2):
                    for j in range(c - 1, c + 2):
                        least = min(least, plan[i, j])
                low[r, c] = least
    for r in range(1, rows - 1):
        for c in range(1, columns - 1):
            if plan[r, c] > 0:
                most = low[r, c]
                for i in range(r - 1, r + 2):
                    for j in range(c - 1, c + 2):
                        most = max(most, low[i, j])
                out[r, c] = min(plan[r, c], most + SPIKE_M)
    return out


@kernel
def places_of(cells: Labels, columns: int) -> Labels:
    """Row and column (n, 2) of each cell of a plan with so many columns."""
    places = np.empty((len(cells), 2), np.int32)
    inverse = 1.0 / columns
    for i in range(len(cells)):
        places[i, 0] = int((cells[i] + 0.5) * inverse)  # a division of integers takes ten times as long
        places[i, 1] = cells[i] - places[i, 0] * columns
    return places


@kernel
def _find(parent: Labels, cell: int) -> int:
    while parent[cell] != cell:
        parent[cell] = parent[parent[cell]]
        cell = parent[cell]
    return cell


@kernel
def _highest_first(plan: Array, min_height_m: float) -> Labels:
    """Cells of at least this height in falling order, those of one level in the order of the plan."""
    flat = plan.ravel()
    out, above = np.empty(len(flat), np.int32), np.empty(len(flat), np.int32)
    n, levels = 0, 0
    for cell in range(len(flat)):
        if flat[cell] >= min_height_m:
            out[n], above[n] = cell, int(flat[cell] / LEVEL_M)
            levels = max(levels, above[n] + 1)
            n += 1
    starts = np.zeros(levels + 1, np.int32)
    for i in range(n):
        starts[levels - above[i]] += 1
    for level in range(levels):
        starts[level + 1] += starts[level]
    order = np.empty(n, np.int32)
    for i in range(n):
        level = levels - 1 - above[i]
        order[starts[level]] = out[i]
        starts[level] += 1
    return order


@kernel
def peaks_of(
    plan: Array, min_height_m: float, min_drop_m: float, apart_cells: float, step_m: float
) -> tuple[Labels, Labels, Labels]:
    """The cells (n,) of the peaks, highest first; for every cell the number of its peak, -1 for none; and the cells
    that may have one.

    As if the plan rose out of water: a peak that meets a higher one before it stands out by `min_drop_m`
    becomes part of it, else each keeps its own slopes (watershed with topological persistence). Where two are
    further apart than a head is wide, `FAR_DROP_M` is enough. Water does not run down steps higher than `step_m`.
    """
    rows, columns = plan.shape
    flat = plan.ravel()
    order = _highest_first(plan, min_height_m)
    peak = np.full(rows * columns, -1, np.int32)  # of each cell that is out, as that peak's cell
    parent = np.full(rows * columns, -1, np.int32)  # of each peak, the one it has become part of
    for cell in order:
        highest, uphill = -1, -1
        for di in range(-1, 2):
            for dj in range(-1, 2):
                other = cell + di * columns + dj
                if peak[other] < 0 or flat[other] - flat[cell] > step_m:
                    continue
                if uphill < 0 or flat[other] > flat[uphill]:
                    uphill = other
                root = _find(parent, peak[other])
                if highest < 0:
                    highest = root
                elif root != highest:
                    low, highest = (root, highest) if flat[root] <= flat[highest] else (highest, root)
                    away = (low // columns - highest // columns) ** 2 + (
                        low % columns - highest % columns
                    ) ** 2
                    enough = min_drop_m if away < apart_cells * apart_cells else FAR_DROP_M
                    if flat[low] - flat[cell] < enough:
                        parent[low] = highest
        peak[cell] = cell if uphill < 0 else peak[uphill]
        if uphill < 0:
            parent[cell] = cell
    return _numbered(parent, peak, order, rows, columns)


@kernel
def _numbered(
    parent: Labels, peak: Labels, order: Labels, rows: int, columns: int
) -> tuple[Labels, Labels, Labels]:
    number = np.full(rows * columns, -1, np.int32)
    peaks = np.empty(len(order), np.int32)
    n = 0
    for cell in order:
        root = _find(parent, peak[cell])
        if root == cell:
            peaks[n] = cell
            number[cell] = n
            n += 1
        else:
            number[cell] = number[root]
    return peaks[:n], number.reshape(rows, columns), order
