"""Draws on a picture who is followed in it: boxes, names, and the ways that they have come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.messages import Frame, Picture, decoded

UNDECIDED = (170, 170, 170)
DARKEST, BRIGHTEST = 1.0, 99.0  # percentiles that become black and white
SAMPLES = 20_000  # pixels that say how bright a picture is

Way = NDArray[np.float32]  # (n, 2), pixels, the latest last


@dataclass(frozen=True, slots=True, eq=False)
class Followed:
    """Somebody in the picture; `name` says who, and its colour with it, `is_known` whether that is an identity."""

    box: NDArray[np.float32]  # (4,)
    way: Way
    name: str
    is_known: bool


def shown(frame: Frame) -> Picture:
    """A new picture on whose pixels the boxes of this frame lie: in colour, or else of infrared or depth."""
    if frame.color is not None and frame.registration is None:
        return np.ascontiguousarray(decoded(frame.color)).copy()
    if frame.infrared is not None:
        return _grey(decoded(frame.infrared))
    if frame.depth is not None:
        far = _grey(decoded(frame.depth))
        return np.where(far == 0, 0, 255 - far).astype(np.uint8)
    lens = frame.view.intrinsics
    return np.zeros((lens.height_px, lens.width_px, 3), np.uint8)


def draw(picture: Picture, people: Sequence[Followed]) -> None:
    """Draw them on the picture, those behind first."""
    scale = max(picture.shape[0] / 720, 0.4)
    for one in sorted(people, key=lambda one: float(one.box[3])):
        color = _color(one.name) if one.is_known else UNDECIDED
        thick = max(1, round(2 * scale))
        cv2.polylines(picture, [np.rint(one.way).astype(np.int32)], False, color, thick, cv2.LINE_AA)
        left, top, right, bottom = (int(edge) for edge in np.rint(one.box))
        cv2.rectangle(picture, (left, top), (right, bottom), color, thick, cv2.LINE_AA)
        _write(picture, one.name, (left, top), color, scale)


def _write(
    picture: Picture, text: str, corner: tuple[int, int], color: tuple[int, int, int], scale: float
) -> None:
    """The name above its box, or inside where there is no room above."""
    size, thick = 0.6 * scale, max(1, round(1.4 * scale))
    (wide, high), below = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, size, thick)
    left = min(max(corner[0], 0), max(picture.shape[1] - wide, 0))
    bottom = max(corner[1], high + below)
    cv2.rectangle(picture, (left, bottom - high - below), (left + wide, bottom), color, cv2.FILLED)
    place = (left, bottom - below // 2 - 1)
    cv2.putText(picture, text, place, cv2.FONT_HERSHEY_SIMPLEX, size, (0, 0, 0), thick, cv2.LINE_AA)


def _color(name: str) -> tuple[int, int, int]:
    """A bright colour, the same for the same name in every run."""
    hue = int.from_bytes(blake2b(name.encode(), digest_size=2).digest(), "big") % 180
    red, green, blue = cv2.cvtColor(np.array([[[hue, 190, 255]]], np.uint8), cv2.COLOR_HSV2RGB)[0, 0]
    return int(red), int(green), int(blue)


def _grey(picture: NDArray[Any]) -> Picture:
    """Infrared or depth in 8 bits and three channels; more bits are stretched."""
    if picture.dtype != np.uint8:
        step = max(1, round((picture.size / SAMPLES) ** 0.5))
        some = picture[::step, ::step]
        black, white = np.percentile(some[some > 0], (DARKEST, BRIGHTEST)) if some.any() else (0.0, 1.0)
        share = (picture - np.float32(black)) / np.float32(max(white - black, 1.0))
        picture = np.where(picture > 0, np.rint(1 + share.clip(0, 1) * 254), 0).astype(np.uint8)
    return np.repeat(picture[..., None], 3, axis=2).astype(np.uint8)
