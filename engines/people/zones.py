"""Where people can be seen: the part of the floor before each camera, and the ways into it that no camera sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.people.raster import NEAR_M
from engines.people.setting import Camera

Array = NDArray[np.float64]

HEAD_M = 1.55  # heads are about here
REACH_M = 4.6  # of a low camera: what is further away is left to others
COLUMN_M = (0.0, 0.4, 0.8, 1.2, 1.6, 2.0)
WELL_PX = 45.0  # from the picture's edge, and clear of the strip without depth
STEP_M, FARTHEST_M = 0.1, 7.0  # of a way in, from the middle


@dataclass(frozen=True, eq=False)
class Zone:
    """A camera's part of the floor. Most people walk along `ahead`, the top of the picture."""

    camera: Camera
    middle: Array  # (2,)
    ahead: Array  # (2,)
    half_long: float  # heads are seen this far from the middle, along and across
    half_wide: float
    gates: Array  # (n, 2), outside of every view; those along the way first
    along: int  # how many of them are along the way

    def at(self, along_m: float, across_m: float) -> Array:
        """The floor point that lies this far ahead of the middle, and to its left."""
        return self.middle + along_m * self.ahead + across_m * self.left

    def sees(self, point: Array) -> bool:
        """Whether the head of who stands there is well in the picture."""
        return bool(seen_by(self.camera, np.array([*point, HEAD_M]), WELL_PX))

    @property
    def left(self) -> Array:
        """To the left of `ahead`."""
        return np.array([-self.ahead[1], self.ahead[0]])


def seen_by(camera: Camera, points_m: Array, margin_px: float = 0.0) -> NDArray[np.bool_]:
    """Which points (..., 3) lie in a camera's picture."""
    eye = camera.eye
    before = points_m @ eye.camera_from_world.T + eye.shift_m
    depth = np.maximum(before[..., 2], NEAR_M)
    u, v = eye.fx * before[..., 0] / depth + eye.cx, eye.fy * before[..., 1] / depth + eye.cy
    inside = (u >= margin_px) & (u <= camera.width - 1 - margin_px)
    inside &= (v >= margin_px) & (v <= camera.height - 1 - margin_px)
    return np.asarray(inside & (before[..., 2] > NEAR_M))


def zones_of(cameras: Sequence[Camera]) -> list[Zone]:
    """The zone of each camera. Raises ValueError for one that sees no part of the floor from above."""
    return [_zone(camera, number, cameras) for number, camera in enumerate(cameras)]


def _zone(camera: Camera, number: int, cameras: Sequence[Camera]) -> Zone:
    place = -camera.eye.camera_from_world.T @ camera.eye.shift_m
    up = -camera.eye.camera_from_world[1, :2]
    ahead = up / np.linalg.norm(up)
    left = np.array([-ahead[1], ahead[0]])
    reach = max(REACH_M, 1.3 * float(place[2] - HEAD_M))
    steps = np.arange(-reach, reach + 0.05, 0.1)
    along, across = np.meshgrid(steps, steps, indexing="ij")
    floor = place[:2] + along[..., None] * ahead + across[..., None] * left
    heads = np.concatenate([floor, np.full((*floor.shape[:2], 1), HEAD_M)], axis=-1)
    near = np.linalg.norm(heads - place, axis=-1) <= reach
    inside = seen_by(camera, heads, 12.0) & near
    if inside.sum() < 50:
        raise ValueError(f"camera {number} sees too little of the floor for people to walk there")
    a, b = float(along[inside].mean()), float(across[inside].mean())
    row, column = inside[:, np.abs(steps - b).argmin()], inside[np.abs(steps - a).argmin()]
    middle = place[:2] + a * ahead + b * left
    gates, ways = _gates(middle, ahead, cameras)
    if len(gates) < 2:
        raise ValueError(f"camera {number} sees so far that no one can come in unseen")
    return Zone(camera, middle, ahead, 0.05 * float(row.sum()), 0.05 * float(column.sum()), gates, ways)


def _gates(middle: Array, ahead: Array, cameras: Sequence[Camera]) -> tuple[Array, int]:
    """Points around a middle that nobody sees, and how many of them are along the way."""
    gates, ways = [], 0
    for turn in (0, 180, 90, 270, 45, 135, 225, 315):
        angle = np.radians(turn)
        cos, sin = np.cos(angle), np.sin(angle)
        toward = np.array([ahead[0] * cos - ahead[1] * sin, ahead[0] * sin + ahead[1] * cos])
        far = np.arange(1.0, FARTHEST_M, STEP_M)
        seen = _anybody_seen(middle + far[:, None] * toward, cameras)
        hidden = ~seen[:-3] & ~seen[1:-2] & ~seen[2:-1] & ~seen[3:]  # and so are the next steps
        if hidden.any():
            gates.append(middle + (far[int(hidden.argmax())] + STEP_M) * toward)
            ways += turn in (0, 180)
    return np.array(gates).reshape(-1, 2), ways


def _anybody_seen(points_m: Array, cameras: Sequence[Camera]) -> NDArray[np.bool_]:
    """Whether any camera sees some of a person, or what they push, at floor points (n, 2)."""
    around = np.array([[0.0, 0.0], [0.5, 0.0], [-0.5, 0.0], [0.0, 0.5], [0.0, -0.5]])
    spots = points_m[:, None, None] + around[:, None]
    heights = np.broadcast_to(np.array(COLUMN_M)[:, None], (len(points_m), len(around), len(COLUMN_M), 1))
    columns = np.concatenate([np.broadcast_to(spots, (*heights.shape[:3], 2)), heights], axis=-1)
    seen = np.zeros(len(points_m), np.bool_)
    for camera in cameras:
        seen |= seen_by(camera, columns).any(axis=(1, 2))
    return seen
