"""Light on surfaces: a lamp that casts hard shadows, light from all around, patterns, and a camera's response."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from configs.kernels import kernel
from engines.people.clothes import CHECKS, HOOPS, PATCH, STRIPES, TWO_TONE
from engines.people.raster import Numbers, Pinhole, Seen, Window
from engines.people.shapes import Floats

Picture = NDArray[np.uint8]  # (height, width, 3), RGB

BIAS = 0.006  # a surface this share nearer to the lamp shades what is behind it
GRAIN_SIDE = 256  # of the tile of brightness that is laid over surfaces
LEVELS = 4096  # of light that a response tells apart


class Light(NamedTuple):
    """One lamp, and light from everywhere. Colours are linear, as this camera sees them."""

    eye: Pinhole  # of the lamp
    place_m: NDArray[np.float64]  # (3,)
    lamp: Floats  # (3,) red, green, blue
    above: Floats  # (3,), from the ceiling
    below: Floats  # (3,), from the floor


class Lit(NamedTuple):
    """A picture's lamp: what it sees, and how what falls on the sensor becomes a number."""

    light: Light
    shadows: Floats  # nearness from the lamp (rows, columns)
    response: NDArray[np.uint8]  # (LEVELS,)
    grain: Floats  # (GRAIN_SIDE, GRAIN_SIDE), around 0


class Drawn(NamedTuple):
    """All surfaces of a scene as they were drawn."""

    screen: Floats  # (n, 3)
    looks: Floats  # (n, 7): light from above and from the lamp; place before the lamp; pattern coordinates
    triangles: Numbers  # (m, 3)
    materials: Numbers  # (m,)
    table: Floats  # (k, 11), see clothes.rows_of


@kernel
def illuminate(points: Floats, normals: Floats, light: Light, looks: Floats) -> None:
    """Write how much light from above and from the lamp reaches each point, and its place before the lamp."""
    m, s = light.eye.camera_from_world, light.eye.shift_m
    for p in range(len(points)):
        x, y, z = points[p, 0], points[p, 1], points[p, 2]
        i, j, k = normals[p, 0], normals[p, 1], normals[p, 2]
        dx, dy, dz = light.place_m[0] - x, light.place_m[1] - y, light.place_m[2] - z
        facing = (dx * i + dy * j + dz * k) / np.sqrt((dx * dx + dy * dy + dz * dz) * (i * i + j * j + k * k))
        looks[p, 0] = 0.5 + 0.5 * k
        looks[p, 1] = max(0.0, facing)
        for row in range(3):
            looks[p, 2 + row] = m[row, 0] * x + m[row, 1] * y + m[row, 2] * z + s[row]


@kernel
def samples_of(drawn: Drawn, seen: Seen, window: Window) -> tuple[Numbers, Floats]:
    """The pixels that show a triangle, as row, column and triangle (p, 3), and the looks there (p, 7)."""
    looks, screen, triangles = drawn.looks, drawn.screen, drawn.triangles
    nearness, ids = seen.nearness, seen.ids
    most = max(0, window.bottom - window.top) * max(0, window.right - window.left)
    pixels, samples, n = np.empty((most, 3), np.int32), np.empty((most, 7), np.float32), 0
    for v in range(window.top, window.bottom):
        for u in range(window.left, window.right):
            t = ids[v, u]
            if t < 0:
                continue
            a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
            ax, ay = screen[a, 0], screen[a, 1]
            bx, by, cx, cy = screen[b, 0] - ax, screen[b, 1] - ay, screen[c, 0] - ax, screen[c, 1] - ay
            wide = np.float32(1.0) / ((bx * cy - by * cx) * nearness[v, u])
            x, y = np.float32(u) - ax, np.float32(v) - ay
            pb, pc = (x * cy - y * cx) * wide * screen[b, 2], (bx * y - by * x) * wide * screen[c, 2]
            pa = np.float32(1.0) - pb - pc
            pixels[n, 0], pixels[n, 1], pixels[n, 2] = v, u, t
            for i in range(7):
                samples[n, i] = pa * looks[a, i] + pb * looks[b, i] + pc * looks[c, i]
            n += 1
    return pixels[:n], samples[:n]


@kernel
def block(samples: Floats, shadows: Floats, lamp: Pinhole) -> None:
    """Take the lamp's light from samples that something nearer to it shades: of the four nearest texels."""
    rows, columns = shadows.shape
    fx, fy, cx, cy = lamp.fx, lamp.fy, lamp.cx, lamp.cy
    for p in range(len(samples)):
        if samples[p, 1] <= 0.0 or samples[p, 4] <= 0.05:
            continue
        nearness = 1.0 / samples[p, 4]
        u, v = fx * samples[p, 2] * nearness + cx, fy * samples[p, 3] * nearness + cy
        if not (0.0 <= u < columns - 1 and 0.0 <= v < rows - 1):
            continue
        i, j, limit = int(v), int(u), (1.0 + BIAS) * nearness
        x, y = u - j, v - i
        upper = (1.0 - x) * (shadows[i, j] < limit) + x * (shadows[i, j + 1] < limit)
        lower = (1.0 - x) * (shadows[i + 1, j] < limit) + x * (shadows[i + 1, j + 1] < limit)
        samples[p, 1] *= (1.0 - y) * upper + y * lower


@kernel
def _share(place: float, period: float) -> float:
    place = place / period
    return float(place - np.floor(place))


@kernel
def _has_other(pattern: int, u: float, v: float, period: float, part: float) -> bool:
    """Whether a material has its other colour at pattern coordinates in metres."""
    if pattern == HOOPS:
        return _share(v, period) < part
    if pattern == STRIPES:
        return _share(u, period) < part
    if pattern == CHECKS:
        return (_share(u, period) < part) != (_share(v, period) < part)
    if pattern == TWO_TONE:
        return v > part
    if pattern == PATCH:
        return abs(u) < period and part < v < part + 1.6 * period
    x, y = _share(u, period) - 0.5, _share(v, period) - 0.5
    return x * x + y * y < part * part


@kernel
def paint(pixels: Numbers, samples: Floats, drawn: Drawn, lit: Lit, color: Picture) -> None:
    """Write the colours of pixels whose light is known."""
    table, materials, grain, response = drawn.table, drawn.materials, lit.grain, lit.response
    lamp, above, below = lit.light.lamp, lit.light.above, lit.light.below
    for p in range(len(pixels)):
        k, sky, straight = materials[pixels[p, 2]], samples[p, 0], samples[p, 1]
        u, v, pattern = samples[p, 5], samples[p, 6], int(table[k, 6])
        has_other = pattern > 0 and _has_other(pattern, u, v, table[k, 7], table[k, 8])
        first = 3 if has_other else 0
        fold = grain[int(v * 160.0 + 4096.0) & (GRAIN_SIDE - 1), int(u * 160.0 + 4096.0) & (GRAIN_SIDE - 1)]
        shine = (1.0 + table[k, 9] * fold) * (LEVELS - 1)
        for i in range(3):
            falls = lamp[i] * straight + above[i] * sky + below[i] * (1.0 - sky)
            level = int(table[k, first + i] * falls * shine)
            color[pixels[p, 0], pixels[p, 1], i] = response[min(max(level, 0), LEVELS - 1)]


class Floor(NamedTuple):
    """A picture of what never moves, where the lamp reaches it and where it does not."""

    nearness: Floats  # (h, w)
    bright: Picture
    dark: Picture
    before_lamp: Floats  # (h, w, 3): column and row of what the lamp sees, and nearness to the lamp


@kernel
def darken(floor: Floor, shadows: Floats, ids: Numbers, window: Window, color: Picture) -> None:
    """Write the colour of what never moves where the lamp does not quite reach it."""
    places, bright, dark = floor.before_lamp, floor.bright, floor.dark
    rows, columns = shadows.shape
    for v in range(window.top, window.bottom):
        for u in range(window.left, window.right):
            across, down, limit = places[v, u, 0], places[v, u, 1], (1.0 + BIAS) * places[v, u, 2]
            if ids[v, u] >= 0 or limit <= 0.0 or not (0.0 <= across < columns - 1 and 0.0 <= down < rows - 1):
                continue
            i, j = int(down), int(across)
            a, b = shadows[i, j] >= limit, shadows[i, j + 1] >= limit
            c, d = shadows[i + 1, j] >= limit, shadows[i + 1, j + 1] >= limit
            if not (a or b or c or d):
                continue
            x, y = across - j, down - i
            shaded = (1.0 - y) * ((1.0 - x) * a + x * b) + y * ((1.0 - x) * c + x * d)
            for k in range(3):
                high = np.float64(bright[v, u, k])
                color[v, u, k] = np.uint8(high + shaded * (dark[v, u, k] - high) + 0.5)
