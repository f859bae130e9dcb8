"""Crops in one batch, and batches in the order and the range that a network asks for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from engines._manifest import CHANNELS, Input
from engines._pictures import readable


def resized(
    pictures: Sequence[NDArray[Any]], size_px: tuple[int, int]
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Pictures, each stretched to `size_px` (height, width): (n, height, width, 3), and which of them have pixels.
    One without is black.
    """
    pictures = [readable(picture) for picture in pictures]
    batch = np.zeros((len(pictures), *size_px, 3), np.uint8)
    for page, picture in zip(batch, pictures, strict=True):
        if picture.size:
            lay(picture, page)
    return batch, np.array([picture.size > 0 for picture in pictures], bool)


def lay(picture: NDArray[np.uint8], page: NDArray[np.uint8]) -> None:
    """Stretch a picture over a page (height, width, 3)."""
    size = page.shape[1::-1]
    if picture.ndim == 2:
        page[:] = cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR)[..., None]
    elif (
        picture.strides[2] < 0
    ):  # colours from the last to the first: OpenCV would copy all of it before it begins
        small = cv2.resize(picture[..., ::-1], size, interpolation=cv2.INTER_LINEAR)
        page[:] = cv2.cvtColor(small, cv2.COLOR_BGR2RGB)
    else:
        cv2.resize(picture, size, dst=page, interpolation=cv2.INTER_LINEAR)


def ordered(batch: NDArray[np.uint8], wanted: Input) -> NDArray[np.float32]:
    """A batch (n, height, width, 3) of RGB as a network wants it: its layout, its colours, its range."""
    n, height, width, _ = batch.shape
    strip: NDArray[Any] = batch.reshape(n * height, width, 3)  # one tall picture
    if not n:
        return np.empty((0, *wanted.shape), np.float32)
    pages = _planes(strip, n, wanted) if wanted.layout == "NCHW" else _pixels(strip, n, wanted)
    values = pages.astype(np.float32, order="C")
    if set(wanted.range.mean) != {0.0} or set(wanted.range.scale) != {1.0}:
        places = (-1, 1, 1) if wanted.layout == "NCHW" else (-1,)
        values -= np.array(wanted.range.mean, np.float32).reshape(places)
        values /= np.array(wanted.range.scale, np.float32).reshape(places)
    return values


def _planes(strip: NDArray[Any], n: int, wanted: Input) -> NDArray[Any]:
    """Each channel of each picture by itself: OpenCV takes pixels apart much sooner than a transposed copy does."""
    if wanted.color == "grey":
        strip = cv2.cvtColor(strip, cv2.COLOR_RGB2GRAY)
    planes = np.array(cv2.split(strip))
    if wanted.color == "bgr":
        planes = planes[::-1]
    return planes.reshape(len(planes), n, *wanted.size).swapaxes(0, 1)


def _pixels(strip: NDArray[Any], n: int, wanted: Input) -> NDArray[Any]:
    """The channels of each pixel together."""
    if wanted.color != "rgb":
        strip = cv2.cvtColor(strip, cv2.COLOR_RGB2GRAY if wanted.color == "grey" else cv2.COLOR_RGB2BGR)
    return strip.reshape(n, *wanted.size, CHANNELS[wanted.color])
