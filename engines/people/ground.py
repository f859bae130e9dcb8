"""Floors, and the smooth noise that gives them and clothes their texture."""

from __future__ import annotations

from random import Random
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from engines.people.clothes import Color

Array = NDArray[np.float64]
Ground = Literal["tiles", "carpet", "concrete", "planks"]

GROUNDS: tuple[Ground, ...] = ("tiles", "carpet", "concrete", "planks")
SIDE = 256  # of a tile of noise


def noise_tile(chance: Random, reach: int) -> NDArray[np.float32]:
    """Noise (SIDE, SIDE) of mean 0 and deviation 1 that repeats, smooth over `reach` cells."""
    raw = np.frombuffer(chance.randbytes(2 * SIDE * SIDE), np.uint16).reshape(SIDE, SIDE)
    smooth = raw.astype(np.int64)
    for _ in range(3):  # three boxes are nearly a bell; whole numbers add up to the same everywhere
        for axis in (0, 1):
            shifts = range(-(reach // 2), reach - reach // 2)
            smooth = np.sum([np.roll(smooth, shift, axis) for shift in shifts], axis=0)
    centred = smooth - smooth.mean()
    return np.asarray(centred / np.sqrt((centred**2).mean()), np.float32)


def ground_colors(ground: Ground, color: Color, points_m: Array, chance: Random) -> Array:
    """The linear colours (..., 3) of a floor at points (..., 2)."""
    fine, coarse = noise_tile(chance, 2), noise_tile(chance, 9)
    x, y = points_m[..., 0], points_m[..., 1]
    speckle, clouds = _laid(fine, x, y, 180.0), _laid(coarse, x, y, 24.0)
    if ground == "tiles":
        shine = _tiles(x, y, coarse) + 0.015 * clouds + 0.02 * speckle
    elif ground == "planks":
        shine = _planks(x, y, coarse, fine)
    elif ground == "carpet":
        shine = 1.0 + 0.10 * speckle + 0.03 * clouds
    else:
        shine = 1.0 + 0.05 * clouds + 0.03 * speckle + 0.04 * _laid(coarse, x, y, 5.0)
    return np.asarray(np.clip(shine, 0.15, 1.6)[..., None] * np.array(color), np.float64)


def _laid(tile: NDArray[np.float32], x: Array, y: Array, per_m: float) -> Array:
    """A tile of noise repeated over the floor."""
    rows, columns = np.floor(y * per_m).astype(int) % SIDE, np.floor(x * per_m).astype(int) % SIDE
    return np.asarray(tile[rows, columns], np.float64)


def _tiles(x: Array, y: Array, tile: NDArray[np.float32], side_m: float = 0.6) -> Array:
    across, along = x / side_m, y / side_m
    joint = np.minimum(np.abs(across - np.rint(across)), np.abs(along - np.rint(along))) * side_m
    own = tile[np.floor(along).astype(int) % SIDE, (7 * np.floor(across).astype(int)) % SIDE]
    return np.where(joint < 0.004, 0.62, 1.0 + 0.035 * own)


def _planks(x: Array, y: Array, coarse: NDArray[np.float32], fine: NDArray[np.float32]) -> Array:
    """Boards 14 cm wide and 1.2 m long, each of its own tone, with a grain along it."""
    row = np.floor(y / 0.14).astype(int)
    along = x / 1.2 + (row * 0.381) % 1.0
    board = np.floor(along).astype(int)
    own = coarse[(3 * row) % SIDE, (5 * board + 11 * row) % SIDE]
    veins = fine[np.floor(y * 260).astype(int) % SIDE, np.floor(x * 9).astype(int) % SIDE]
    gap = (np.abs(y / 0.14 - np.rint(y / 0.14)) * 0.14 < 0.002) | (
        np.abs(along - np.rint(along)) * 1.2 < 0.002
    )
    return np.where(gap, 0.5, 1.0 + 0.10 * own + 0.06 * veins)
