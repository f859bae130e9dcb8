"""What a stereo depth camera like the RealSense D455 makes of a perfect picture: noise, holes, numbers.

Stereo measures disparity, `focal length * baseline / depth` in pixels; its noise is nearly the same near and far, so
that of depth grows with depth squared. Chance hangs on a key: the same key, the same noise.
"""

from __future__ import annotations

from random import Random
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from configs.kernels import kernel
from engines.people.ground import noise_tile
from engines.people.raster import Numbers, Seen, Window
from engines.people.shading import Picture
from engines.people.shapes import Floats

DepthMap = NDArray[np.uint16]  # (height, width), millimetres, 0 is no measurement

BASELINE_M = 0.095
STEPS = 32  # of disparity in a pixel
MIN_DEPTH_M = 0.43
STILL_PX, MOVING_PX = 0.065, 0.060  # deviation of disparity: what stays, and what changes with each frame
WINDOW_PX = 5  # over which stereo matching makes neighbours agree
EDGE_PX = 1.2  # a larger difference of disparity is an edge
GRAINS = (1 << 16) + 4096
ROW = 2048  # of a tile of noise, which is as long as it takes to begin anywhere and not end


class Tiles(NamedTuple):
    """Noise to take from at random places."""

    disparity: Floats  # (256, ROW), smooth, deviation 1
    patches: Floats  # (256, ROW), smooth, spread evenly from 0 to 1
    grains: NDArray[np.int8]  # (GRAINS,), deviation 16


class Lost(NamedTuple):
    """Where to look for what gives no depth, and the chance of it."""

    window: Window
    key: int


class Stereo(NamedTuple):
    """A depth sensor before what never moves."""

    reach_px_m: float  # focal length times baseline
    depths: DepthMap  # of every step of disparity
    bias: Floats  # (h, w), error of disparity that stays
    base: Floats  # (h, w), what is measured where nothing moves, as disparity; below 0 for nothing
    tiles: Tiles


@kernel
def scrambled(word: int) -> int:
    """64 bits that look random, the same for the same `word` on every machine (splitmix64)."""
    mixed = np.uint64(word) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return int((mixed ^ (mixed >> np.uint64(31))) & np.uint64(0x7FFFFFFFFFFFFFFF))


@kernel
def key_of(seed: int, camera: int, frame: int) -> int:
    """What the chance of one picture hangs on."""
    return scrambled(scrambled(scrambled(seed) ^ camera) ^ frame)


def tiles_of(seed: str) -> Tiles:
    """The noise of a sensor."""
    smooth = np.tile(noise_tile(Random(f"{seed}/disparity"), WINDOW_PX), (1, ROW // 256))
    rough = np.tile(noise_tile(Random(f"{seed}/patches"), 4), (1, ROW // 256))
    ranks = np.argsort(np.argsort(rough, axis=None, kind="stable"), kind="stable") / rough.size
    sums = np.frombuffer(Random(f"{seed}/grains").randbytes(4 * GRAINS), np.uint8).reshape(-1, 4).sum(axis=1)
    grains = np.clip(np.rint((sums.astype(np.float64) - 510.0) * (16.0 / 147.8)), -127, 127)
    return Tiles(smooth, ranks.reshape(rough.shape).astype(np.float32), grains.astype(np.int8))


def stereo_of(focal_px: float, still: Seen, holes: Floats, seed: str) -> Stereo:
    """The sensor of a camera before `still`. `holes` (m,) is the share of each triangle that gives no depth."""
    reach = focal_px * BASELINE_M
    steps = np.maximum(np.arange(int(reach / 0.2 * STEPS)), 1)
    metres = reach * STEPS / steps
    depths = np.where((metres < MIN_DEPTH_M) | (metres > 65.0), 0.0, np.rint(1000.0 * metres)).astype(
        np.uint16
    )
    tiles = tiles_of(seed)
    h, w = still.nearness.shape
    start = Random(f"{seed}/bias").randrange(256)
    bias = STILL_PX * tiles.disparity[(np.arange(h) + start) % 256, :w]
    base = np.empty((h, w), np.float32)
    stereo = Stereo(reach, depths, np.ascontiguousarray(bias), base, tiles)
    whole = Window(0, 0, w, h)
    match(stereo, still, whole, base)
    fray(stereo, still, whole, start, base)
    lose(stereo, still.ids, holes, Lost(whole, start), base)
    return stereo


def depth_of(stereo: Stereo, seen: Seen, holes: Floats, window: Window, key: int) -> DepthMap:
    """What the sensor measures of a picture in which things move within a window: (h, w) millimetres."""
    disparity = stereo.base.copy()
    match(stereo, seen, window, disparity)
    fray(stereo, seen, window, key, disparity)
    lose(stereo, seen.ids, holes, Lost(window, key), disparity)
    return measured(stereo, disparity, key)


def reach_px(stereo: Stereo) -> int:
    """How far to the left of something near, depth is missing because of it."""
    return int(stereo.reach_px_m / MIN_DEPTH_M) + 3


@kernel
def match(stereo: Stereo, seen: Seen, window: Window, disparity: Floats) -> None:
    """Write the disparity of each pixel in a window as matching finds it, below 0 where it finds none."""
    nearness, reach, bias = seen.nearness, stereo.reach_px_m, stereo.bias
    right = np.empty(nearness.shape[1] + 2, np.float32)  # the nearest that the right imager sees
    for v in range(window.top, window.bottom):
        right.fill(0.0)
        for u in range(window.left, window.right):
            near = reach * nearness[v, u]
            there = int(u - near + 1.0)
            if there >= 0:
                right[there], right[there + 1] = max(right[there], near), max(right[there + 1], near)
        for u in range(window.left, window.right):
            here = reach * nearness[v, u]
            there = int(u - here + 1.0)
            if there < 1 or right[there] > here + EDGE_PX:
                disparity[v, u] = -1.0
            else:
                disparity[v, u] = here + bias[v, u]


@kernel
def fray(stereo: Stereo, seen: Seen, window: Window, key: int, disparity: Floats) -> None:
    """Change disparity at the edges of what is near: holes, edges that lie wrong, and a few pixels between."""
    nearness, reach, patches = seen.nearness, stereo.reach_px_m, stereo.tiles.patches
    start = scrambled(key ^ 0x51)
    for v in range(max(2, window.top), min(nearness.shape[0] - 2, window.bottom)):
        row, column = (v + (start & 255)) & 255, (start >> 8) & 255
        for u in range(max(2, window.left), min(nearness.shape[1] - 2, window.right)):
            a, b, c, d = nearness[v, u - 2], nearness[v, u + 2], nearness[v - 2, u], nearness[v + 2, u]
            here, high, low = reach * nearness[v, u], reach * max(a, b, c, d), reach * min(a, b, c, d)
            luck = patches[row, column + u]
            if high - here > EDGE_PX:
                if luck < 0.35:
                    disparity[v, u] = -1.0
                elif luck < 0.60:
                    disparity[v, u] = high
                elif luck < 0.62:
                    disparity[v, u] = 0.5 * (high + here)
            elif here - low > EDGE_PX:
                if luck < 0.20:
                    disparity[v, u] = -1.0
                elif luck > 0.90:
                    disparity[v, u] = low


@kernel
def lose(stereo: Stereo, ids: Numbers, holes: Floats, lost: Lost, disparity: Floats) -> None:
    """Take depth away in patches from triangles that have a share of holes (m,)."""
    patches, window, start = stereo.tiles.patches, lost.window, scrambled(lost.key ^ 0xA7)
    for v in range(window.top, window.bottom):
        row, column = (v + (start & 255)) & 255, (start >> 8) & 255
        for u in range(window.left, window.right):
            t = ids[v, u]
            if t >= 0 and patches[row, column + u] < holes[t]:
                disparity[v, u] = -1.0


@kernel
def measured(stereo: Stereo, disparity: Floats, key: int) -> DepthMap:
    """Depth (h, w) in millimetres of disparity, with the noise of this moment."""
    depths, noise = stereo.depths, stereo.tiles.disparity
    h, w = disparity.shape
    depth = np.empty((h, w), np.uint16)
    one, two = scrambled(key ^ 0x0D), scrambled(key ^ 0xD0)
    most = len(depths) - 1
    weight = np.float32(MOVING_PX * STEPS * 0.70710678)
    for v in range(h):
        first, second = (v + (one & 255)) & 255, (v + (two & 255)) & 255
        left, other = (one >> 8) & 255, (two >> 8) & 255
        for u in range(w):
            level = disparity[v, u] * np.float32(STEPS) + np.float32(0.5)
            level += weight * (noise[first, left + u] + noise[second, other + u])
            depth[v, u] = depths[min(max(int(level), 0), most)] if disparity[v, u] > 0.0 else 0
    return depth


@kernel
def exposed(color: Picture, grains: NDArray[np.int8], key: int) -> Picture:
    """A picture as a sensor gives it: a little soft, and noisy, more so in the dark."""
    h, w = color.shape[0], 3 * color.shape[1]
    flat = color.reshape(h, w)
    out = np.empty((h, w), np.uint8)
    soft = np.empty(w + 6, np.int32)  # with a pixel more at both ends
    for v in range(h):
        up, down = max(0, v - 1), min(h - 1, v + 1)
        for i in range(w):
            soft[i + 3] = np.int32(flat[up, i]) + 4 * np.int32(flat[v, i]) + np.int32(flat[down, i])
        for i in range(3):
            soft[i], soft[w + 3 + i] = soft[i + 3], soft[w + i]
        start = scrambled(key + v) & 0xFFFF
        for i in range(w):
            level = (soft[i] + 4 * soft[i + 3] + soft[i + 6]) * np.int32(1821) >> np.int32(16)  # / 36
            strength = np.int32(70) - (level * np.int32(24) >> np.int32(8))
            level += (np.int32(grains[start + i]) * strength + np.int32(128)) >> np.int32(8)
            out[v, i] = min(max(level, np.int32(0)), np.int32(255))
    return out.reshape(color.shape)
