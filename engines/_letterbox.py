"""Fits pictures into a network's input with their aspect kept, and takes boxes back. Knows nothing of networks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from engines._pictures import readable
from engines._resized import lay, resized

Place = Literal["corner", "middle"]


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a picture of so many pixels lies in the input: a pixel (x, y) at `scale * (x, y) + (left, top)`."""

    width_px: int
    height_px: int
    scale: tuple[float, float]
    left_px: int = 0
    top_px: int = 0

    def back(self, boxes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Boxes (n, 4) in pixels of the input, as boxes in pixels of the picture, and inside it."""
        corner = np.array([self.left_px, self.top_px] * 2, np.float32)
        limits = np.array([self.width_px, self.height_px] * 2, np.float32)
        return np.asarray(
            ((boxes - corner) / np.array(self.scale * 2, np.float32)).clip(0, limits), np.float32
        )


def letterboxed(
    pictures: Sequence[NDArray[Any]],
    size_px: tuple[int, int],
    fill: int,
    place: Place,
) -> tuple[NDArray[np.uint8], list[Placed]]:
    """Every picture, as large as fits, in an input of `size_px` (height, width): (n, height, width, 3), and where
    each lies: at the upper left, or in the middle. One without pixels gives an input that is all fill.
    """
    pictures = [readable(picture) for picture in pictures]
    batch = np.full((len(pictures), *size_px, 3), fill, np.uint8)
    placed = [_place(picture.shape, size_px, place) for picture in pictures]
    for page, picture, where in zip(batch, pictures, placed, strict=True):
        width, height = _fitted(where, place)
        if picture.size:
            lay(picture, page[where.top_px : where.top_px + height, where.left_px : where.left_px + width])
    return batch, placed


def stretched_over(
    pictures: Sequence[NDArray[Any]], size_px: tuple[int, int]
) -> tuple[NDArray[np.uint8], list[Placed]]:
    """Every picture stretched over the whole of an input of `size_px` (height, width), and where each lies."""
    pictures = [readable(picture) for picture in pictures]
    sizes = [(max(1, picture.shape[1]), max(1, picture.shape[0])) for picture in pictures]
    placed = [Placed(*size, (size_px[1] / size[0], size_px[0] / size[1])) for size in sizes]
    return resized(pictures, size_px)[0], placed


def _place(shape: tuple[int, ...], size_px: tuple[int, int], place: Place) -> Placed:
    height, width = shape[:2]
    scale = min(size_px[0] / max(height, 1), size_px[1] / max(width, 1))
    whole = Placed(width, height, (scale, scale))
    if place == "corner":
        return whole
    fitted = _fitted(whole, place)
    # half a pixel goes to the right and to the bottom
    left, top = ((size_px[1 - axis] - fitted[axis]) // 2 for axis in (0, 1))
    return Placed(width, height, (scale, scale), left, top)


def _fitted(placed: Placed, place: Place) -> tuple[int, int]:
    """Width and height in the input: YOLOX rounds down, Ultralytics to the nearest; at least a pixel."""
    whole = int if place == "corner" else round
    width, height = (max(1, whole(side * placed.scale[0])) for side in (placed.width_px, placed.height_px))
    return width, height
