"""Draws one person into the picture that a detector would cut out: seen from the ground or from the air, in colour or
in infrared, with what each pixel shows.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from random import Random
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.people.body import BAG, BOTTOM, HAIR, HAT, SHOE, SKIN, TOP
from engines.people.ground import noise_tile
from engines.people.raster import Pinhole, Seen, Window, draw, move, see
from engines.people.setting import looking_at, response
from engines.people.shading import Drawn, Light, Lit, illuminate, paint, samples_of
from engines.people.shapes import Floats
from engines.people.skeleton import Moment, bones_of
from engines.reid.lab.people import Figure

Array = NDArray[np.float64]
Picture = NDArray[np.uint8]
Parts = NDArray[np.int8]  # of each pixel the material of engines.people.body, NOTHING where there is nobody
NOTHING = -1
PARTS = (SKIN, HAIR, TOP, BOTTOM, SHOE, BAG, HAT)
FINER = 2  # as many pixels each way are drawn as are kept
NARROWEST = 0.42  # a cut is at least so wide, as a share of its height: who stands straight is no line


@dataclass(frozen=True)
class Aim:
    """From where somebody is looked at, in degrees: `pitch` down from the level, `turn` around them."""

    pitch: float
    turn: float
    far_m: float


class Cut(NamedTuple):
    """Where a detector cuts: shares of the person's own box. Left, top, right and bottom margins; below 0 cuts off."""

    left: float = 0.06
    top: float = 0.04
    right: float = 0.06
    bottom: float = 0.04


class Shone(NamedTuple):
    """Light: its share from one side and from everywhere, and where it comes from (degrees)."""

    lamp: tuple[float, float, float]
    around: tuple[float, float, float]
    turn: float
    high: float


class Shot(NamedTuple):
    """How somebody is seen at one moment."""

    now: Moment
    aim: Aim
    cut: Cut
    shone: Shone


class Sighted(NamedTuple):
    """Somebody, and of each pixel how much of it they fill, what of them, and its colour."""

    color: Picture  # (h, w, 3), black around
    cover: Floats  # (h, w), 0 to 1
    parts: Parts  # (h, w)


def sighted(figure: Figure, shot: Shot, size: tuple[int, int]) -> Sighted:
    """Somebody as they walk, drawn at (height, width)."""
    shape = figure.shape
    points, normals = np.empty_like(shape.points), np.empty_like(shape.normals)
    move(shape, bones_of(figure.skeleton, figure.style, shot.now), points, normals)
    eye = _framed(points, shot.aim, shot.cut, (FINER * size[0], FINER * size[1]))
    screen = np.empty_like(points)
    see(points, eye, screen)
    tall, wide = FINER * size[0], FINER * size[1]
    seen = Seen(np.zeros((tall, wide), np.float32), np.full((tall, wide), -1, np.int32))
    draw(screen, shape.triangles, 0, seen)
    looks = np.zeros((len(points), 7), np.float32)
    looks[:, 5:] = shape.uv_m
    lit = _lit(shot.shone)
    illuminate(points, normals, lit.light, looks)
    drawn = Drawn(screen, looks, shape.triangles, shape.materials, figure.table)
    color = np.zeros((tall, wide, 3), np.uint8)
    pixels, samples = samples_of(drawn, seen, Window(0, 0, wide, tall))
    paint(pixels, samples, drawn, lit, color)
    shown = np.where(seen.ids >= 0, shape.materials[seen.ids], NOTHING).astype(np.int8)
    return _coarser(color, shown, size)


def _coarser(color: Picture, parts: Parts, size: tuple[int, int]) -> Sighted:
    """Means of FINER x FINER pixels, without what is around; of parts the highest."""
    covered = (parts >= 0).astype(np.float32)
    cover = np.asarray(cv2.resize(covered, size[::-1], interpolation=cv2.INTER_AREA), np.float32)
    mean = cv2.resize(color, size[::-1], interpolation=cv2.INTER_AREA).astype(np.float32)
    shown = parts.reshape(size[0], FINER, size[1], FINER).max(axis=(1, 3))
    full = np.minimum(mean / np.maximum(cover, 1e-3)[..., None], 255.0)
    return Sighted(full.astype(np.uint8), cover, shown)


def _framed(points: Floats, aim: Aim, cut: Cut, size: tuple[int, int]) -> Pinhole:
    """A pinhole whose picture is a person's box and the margins of a cut, stretched to the size as data sets do."""
    middle = 0.5 * (points.min(axis=0) + points.max(axis=0))
    pitch, turn = np.radians(min(aim.pitch, 89.5)), np.radians(aim.turn)
    away = np.array([np.cos(pitch) * np.cos(turn), np.cos(pitch) * np.sin(turn), np.sin(pitch)])
    place, target = middle + aim.far_m * away, middle
    eye = looking_at(tuple(place), tuple(target), 1.0, (1, 1))
    seen = points @ eye.camera_from_world.T.astype(np.float32) + eye.shift_m.astype(np.float32)
    u, v = seen[:, 0] / seen[:, 2], seen[:, 1] / seen[:, 2]
    left, right, top, bottom = float(u.min()), float(u.max()), float(v.min()), float(v.max())
    wide, tall = right - left, bottom - top
    narrow = max(0.0, NARROWEST * tall - wide) / 2
    left, right, wide = left - narrow, right + narrow, wide + 2 * narrow
    left, right = left - cut.left * wide, right + cut.right * wide
    top, bottom = top - cut.top * tall, bottom + cut.bottom * tall
    fx, fy = size[1] / (right - left), size[0] / (bottom - top)
    return eye._replace(fx=fx, fy=fy, cx=-left * fx - 0.5, cy=-top * fy - 0.5)


def _lit(shone: Shone) -> Lit:
    turn, high = np.radians(shone.turn), np.radians(shone.high)
    place = 30.0 * np.array([np.cos(high) * np.cos(turn), np.cos(high) * np.sin(turn), np.sin(high)])
    lamp, around = np.array(shone.lamp, np.float32), np.array(shone.around, np.float32)
    light = Light(_anywhere(), place, lamp, around, np.float32(0.45) * around)
    return Lit(light, _unshaded(), response(), _grain())


@cache
def _anywhere() -> Pinhole:
    """Of a lamp that casts no shadow, and need not look."""
    return Pinhole(np.eye(3), np.zeros(3), 1.0, 1.0, 0.0, 0.0)


@cache
def _unshaded() -> Floats:
    return np.zeros((1, 1), np.float32)


@cache
def _grain() -> Floats:
    folds, weave = noise_tile(Random("lab/folds"), 9), noise_tile(Random("lab/weave"), 2)
    return np.asarray(0.75 * folds + 0.35 * weave, np.float32)
