"""Colour pictures of people from above as a camera that turned towards their head would take them, no depth asked for.

That camera is where the real one is; down is down in its picture, the head stands in one place, and a metre beside a
head at the usual height is always as long. Height, build and heading still show, how the camera hangs hardly does.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.people.raster import Pinhole

Array = NDArray[np.float64]

HIGH_PX, WIDE_PX = 96, 64
HEAD_PX = (31.5, 27.5)  # where the head is, across and down
PX_PER_M = 60.0
FINER = 2  # a picture is turned so much finer, and each pixel the mean of what it stands for
USUAL_M = 1.60  # of a head's middle, above the floor
NUMBERS = 3  # that are said of where the camera is
CELL_PX = 4  # of what is learned of depth
CELLS = HIGH_PX // CELL_PX, WIDE_PX // CELL_PX
TALLEST_M = 2.2


def numbers_of(eye: Pinhole, head_px: Array) -> NDArray[np.float32]:
    """How steeply the camera looks at a head that is seen at a pixel, how far away and how high it is, (NUMBERS,)."""
    ray, away_m = _looks(eye, head_px)
    down = float(ray @ eye.camera_from_world[:, 2])
    return np.array([-down, away_m - 1.5, _height_m(eye) - 3.0], np.float32)


def head_px(eye: Pinhole, floor_m: Array, height_m: float) -> Array:
    """Where the middle of a head is seen that is over a place on the floor, its top at a height: (2,)."""
    x, y, z = eye.camera_from_world @ np.array([*floor_m, height_m - 0.1]) + eye.shift_m
    return np.array([eye.fx * x / z + eye.cx, eye.fy * y / z + eye.cy])


def upright(picture: NDArray[np.uint8], crop_from_upright: Array) -> NDArray[np.uint8]:
    """A crop turned upright, (HIGH_PX, WIDE_PX, ...), black where it has nothing to show."""
    finer = np.diag([1 / FINER, 1 / FINER, 1.0])
    finer[:2, 2] = (1 / FINER - 1) / 2
    size, flags = (FINER * WIDE_PX, FINER * HIGH_PX), cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    turned = cv2.warpPerspective(picture, crop_from_upright @ finer, size, flags=flags)
    return np.asarray(cv2.resize(turned, (WIDE_PX, HIGH_PX), interpolation=cv2.INTER_AREA), np.uint8)


def crop_from_upright(eye: Pinhole, head_px: Array, corner_px: tuple[int, int]) -> Array:
    """From pixels of the upright picture to those of a crop whose corner is there, (3, 3)."""
    ahead, away_m = _looks(eye, head_px)
    down = -eye.camera_from_world[:, 2]
    down = down - (down @ ahead) * ahead
    if np.linalg.norm(down) < 0.02:  # right above somebody any way is as good
        down = np.array([0.0, 1.0, 0.0]) - ahead[1] * ahead
    down /= np.linalg.norm(down)
    lens = np.array([[eye.fx, 0, eye.cx - corner_px[0]], [0, eye.fy, eye.cy - corner_px[1]], [0, 0, 1]])
    scale = 1 / (PX_PER_M * away_m)
    rays = np.array([[scale, 0, -HEAD_PX[0] * scale], [0, scale, -HEAD_PX[1] * scale], [0, 0, 1]])
    return np.asarray(lens @ np.stack([np.cross(down, ahead), down, ahead], axis=1) @ rays, np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Upright:
    """A picture turned upright, what is said of where the camera is, and what may be learned of depth."""

    picture: NDArray[np.uint8]  # (HIGH_PX, WIDE_PX, 3)
    numbers: NDArray[np.float32]  # (NUMBERS,)
    from_upright: Array  # see `crop_from_upright`

    @classmethod
    def of(
        cls, picture: NDArray[np.uint8], corner_px: tuple[int, int], eye: Pinhole, head_px: Array
    ) -> Upright:
        """That of a crop in which a head is seen at a pixel of the camera's whole picture."""
        from_upright = crop_from_upright(eye, head_px, corner_px)
        return cls(upright(picture, from_upright), numbers_of(eye, head_px), from_upright)

    @property
    def layers(self) -> NDArray[np.float32]:
        """What the network takes, (4, HIGH_PX, WIDE_PX)."""
        return np.asarray(layers_of(self.picture[None], self.numbers[None])[0])


def layers_of(pictures: NDArray[np.uint8], numbers: NDArray[np.float32]) -> NDArray[np.float32]:
    """Colours of 0 to 255 of upright pictures, and a layer whose first cells hold the numbers: (n, 4, high, wide)."""
    layers = np.zeros((len(pictures), 4, HIGH_PX, WIDE_PX), np.float32)
    layers[:, :3], layers[:, 3, 0, :NUMBERS] = pictures.transpose(0, 3, 1, 2), numbers
    return layers


def mirrored(layers: NDArray[np.float32]) -> NDArray[np.float32]:
    """Layers (n, 4, HIGH_PX, WIDE_PX) of people as in a mirror; where the camera is stays what it is."""
    made = layers.copy()
    made[:, :3] = layers[:, :3, :, ::-1]
    return made


def depth_shown(points: NDArray[np.float32], reach_m: float, from_upright: Array) -> NDArray[np.uint8]:
    """What a network may learn of depth from a crop's points: in each cell of the upright picture how much of it is a
    person, and how high up, (2, *CELLS), the latter 0 where nothing is.
    """
    z = np.nan_to_num(points[..., 2])
    near = (points[..., 0] ** 2 + points[..., 1] ** 2 < reach_m**2) & (z > 0.1) & (z < TALLEST_M)
    shown = np.stack([near * np.float32(255), near * z * np.float32(255 / TALLEST_M)], axis=-1)
    flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    fine = cv2.warpPerspective(shown, from_upright, (WIDE_PX, HIGH_PX), flags=flags)
    cells = fine.reshape(CELLS[0], CELL_PX, CELLS[1], CELL_PX, 2).mean(axis=(1, 3))
    cells[..., 1] = np.where(cells[..., 0] > 0, cells[..., 1] * 255 / np.maximum(cells[..., 0], 1e-6), 0)
    return np.asarray(np.clip(np.rint(cells), 0, 255).astype(np.uint8).transpose(2, 0, 1))


def _looks(eye: Pinhole, head_px: Array) -> tuple[Array, float]:
    """Towards a head, (3,) in the camera's axes, and how far away it is if it is as high up as usual."""
    ray = np.array([(head_px[0] - eye.cx) / eye.fx, (head_px[1] - eye.cy) / eye.fy, 1.0])
    ray /= np.linalg.norm(ray)
    steep = max(-float(ray @ eye.camera_from_world[:, 2]), 0.2)
    return ray, max(_height_m(eye) - USUAL_M, 0.3) / steep


def _height_m(eye: Pinhole) -> float:
    return float(-(eye.camera_from_world.T @ eye.shift_m)[2])
