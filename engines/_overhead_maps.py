"""People seen from above as maps of metres: what a camera's height and tilt are no longer shows in them.

Three maps of a person from three sides, over cells that move and turn with them: across and along, from above; across
and up; along and up. Up is a share of the person's height, across the line of their shoulders.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines._overhead_plan import kernel

Array = NDArray[np.float32]

SIDE = 32  # cells of a map, each way
CELL_M = 0.0375
REACH_M = 0.60  # nothing further from the head's middle is taken for the person
LOW, HIGH = 0.10, 1.08  # shares of the height
CHANNELS = 5  # of a map: how much is seen, the third coordinate, and the colour
MAPS = 3
NUMBERS = 16  # that are said of the whole
LAYERS = MAPS * CHANNELS + 1  # the last one holds the numbers, in its first cells
ENOUGH = 60  # measured pixels, below which nothing is known of a person
TOP_M = 0.08  # what is so little below the highest of a cell is seen from above
DARK = 8.0  # added to what a sensor counts before its logarithm is taken


def maps_of(color: NDArray[np.uint8] | None, points: Array, height_m: float, turned: float = 0.0) -> Array:
    """The maps (LAYERS, SIDE, SIDE) of a crop: RGB (h, w, 3) or None, and points (h, w, 3) in metres from the head's
    place on the floor. All 0 where too little is measured. `turned` turns it, in radians.
    """
    made: Array = maps_of_each([color], [points], np.array([height_m]), turned)[0]
    return made


def maps_of_each(
    colors: Sequence[NDArray[np.uint8] | None],
    points: Sequence[Array],
    heights_m: NDArray[Any],
    turned: float = 0.0,
) -> Array:
    """The maps of several crops, (n, LAYERS, SIDE, SIDE)."""
    layers = np.zeros((len(points), LAYERS, SIDE, SIDE), np.float32)
    most = max((one.shape[0] * one.shape[1] for one in points), default=0)
    # memory is asked for once: that which is new costs as much as what is done in it
    near = np.empty((3, most), np.float32)
    shades, cells = np.empty((most, 3), np.uint8), np.empty((3, most), np.uint32)  # no index is below 0
    # of one cell side by side: in `layers` they are a page apart, where a cache keeps few at once
    sums = np.empty((MAPS, SIDE, SIDE, CHANNELS), np.float32)
    for color, own, height_m, made in zip(colors, points, heights_m.tolist(), layers, strict=True):
        seen = np.zeros((1, 1, 3), np.uint8) if color is None else color
        if height_m > 0.3:  # NaN is not
            _fill(seen, color is not None, own, height_m, turned, made, near, shades, cells, sums)
    return layers


@kernel
def _fill(
    color: Any,
    has_color: bool,
    points: Array,
    height_m: float,
    turned: float,
    layers: Array,
    near: Array,
    shades: NDArray[np.uint8],
    cells: NDArray[np.uint32],
    sums: Array,
) -> None:
    h, w = points.shape[0], points.shape[1]
    logs = np.empty(256, np.float32)
    for k in range(256):
        logs[k] = np.log(np.float32(k) + np.float32(DARK))
    count, band = 0, 0
    sx, sy, sxx, sxy, syy, hx, hy, heads = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0
    hxx, hxy, hyy = 0.0, 0.0, 0.0
    low, high = LOW * height_m, HIGH * height_m
    for i in range(h):
        for j in range(w):
            z = points[i, j, 2]
            if not (z > low and z < high):
                continue
            x, y = points[i, j, 0], points[i, j, 1]
            away = x * x + y * y
            if away > REACH_M * REACH_M:
                continue
            share = z * (1 / height_m)
            near[0, count], near[1, count], near[2, count] = x, y, share
            if has_color:  # read here, where what is missing from a cache holds nothing up
                shades[count, 0], shades[count, 1] = color[i, j, 0], color[i, j, 1]
                shades[count, 2] = color[i, j, 2]
            count += 1
            if share > 0.66 and share < 0.88 and away < 0.1225:
                sx += x
                sy += y
                sxx += x * x
                sxy += x * y
                syy += y * y
                band += 1
            elif share > 0.92 and away < 0.04:
                hx += x
                hy += y
                hxx += x * x
                hxy += x * y
                hyy += y * y
                heads += 1
    if count < ENOUGH:
        return
    angle, wide, deep = 0.0, 0.0, 0.0
    if band > 20:
        sx, sy = sx / band, sy / band
        a, b, c = sxx / band - sx * sx, sxy / band - sx * sy, syy / band - sy * sy
        angle = 0.5 * np.arctan2(2.0 * b, a - c)
        spread = np.sqrt(max(0.25 * (a - c) * (a - c) + b * b, 0.0))
        wide, deep = np.sqrt(max(0.5 * (a + c) + spread, 0.0)), np.sqrt(max(0.5 * (a + c) - spread, 0.0))
    angle += turned
    cos, sin = np.cos(angle), np.sin(angle)
    half = 0.5 * SIDE
    top = np.zeros((SIDE, SIDE), np.float32)
    across, along, up = near[0, :count], near[1, :count], near[2, :count]
    for p in range(count):
        x, y = across[p], along[p]
        across[p], along[p] = cos * x + sin * y, cos * y - sin * x
    _place(across, 1 / CELL_M, half, cells[0])
    _place(along, 1 / CELL_M, half, cells[1])
    _place(up, SIDE / (HIGH - LOW), -LOW * SIDE / (HIGH - LOW), cells[2])
    for p in range(count):
        a, b = cells[0, p], cells[1, p]
        top[b, a] = max(top[b, a], up[p])
    sums[:] = 0.0
    red, green, blue = 0.0, 0.0, 0.0
    over = TOP_M / height_m
    r, g, lum = 0.0, 0.0, 0.0
    for p in range(count):
        u, v, share = across[p], along[p], up[p]
        a, b, c = cells[0, p], cells[1, p], cells[2, p]
        if has_color:
            r = logs[shades[p, 0]]
            g = logs[shades[p, 1]]
            lum = logs[shades[p, 2]]
            red, green, blue = red + r, green + g, blue + lum
        for m in range(3):
            if m == 0:
                if share < top[b, a] - over:
                    continue
                row, column, value = b, a, share
            elif m == 1:
                row, column, value = c, a, v
            else:
                row, column, value = c, b, u
            sums[m, row, column, 0] += 1.0
            sums[m, row, column, 1] += value
            if has_color:
                sums[m, row, column, 2] += r
                sums[m, row, column, 3] += g
                sums[m, row, column, 4] += lum
    red, green, blue = red / count, green / count, blue / count
    for m in range(3):
        first = CHANNELS * m
        for row in range(SIDE):
            for column in range(SIDE):
                n = sums[m, row, column, 0]
                if n > 0.0:
                    layers[first, row, column] = 0.5 + 0.1 * min(np.log(n), 5.0)
                    scale = 1.0 if m == 0 else 3.0
                    layers[first + 1, row, column] = sums[m, row, column, 1] * (scale / n)
                    if has_color:
                        layers[first + 2, row, column] = sums[m, row, column, 2] / n - red
                        layers[first + 3, row, column] = sums[m, row, column, 3] / n - green
                        layers[first + 4, row, column] = sums[m, row, column, 4] / n - blue
    said = layers[MAPS * CHANNELS]
    said[0, 0] = (height_m - 1.65) * 5.0
    said[0, 1] = 1.0 if has_color else 0.0
    if has_color:
        said[0, 2], said[0, 3], said[0, 4] = red - 4.5, green - 4.5, blue - 4.5
    said[0, 5] = wide * 8.0
    said[0, 6] = deep * 8.0
    said[0, 7] = np.log(count) / 3.0 - 2.5
    if heads > 20:
        hx, hy = hx / heads, hy / heads
        a, b, c = hxx / heads - hx * hx, hxy / heads - hx * hy, hyy / heads - hy * hy
        said[0, 8] = np.sqrt(np.sqrt(max(a * c - b * b, 0.0))) * 15.0
        u, v = cos * (sx - hx) + sin * (sy - hy), cos * (sy - hy) - sin * (sx - hx)
        said[0, 9] = np.sqrt(u * u + v * v) * 5.0
    said[0, 10] = band / count
    said[0, 11] = 1.0


@kernel
def _place(values: Array, cells_a_unit: float, first: float, cells: NDArray[np.uint32]) -> None:
    """In which cell of a row each value lies; those before or behind it are in its ends."""
    for p in range(len(values)):
        cells[p] = min(max(int(values[p] * cells_a_unit + first), 0), SIDE - 1)
