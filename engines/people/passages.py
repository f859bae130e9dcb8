"""One person at a time who walks through the view of an overhead camera: what the camera sees of them, cut out.

A place stands for all who walk through it: its floor and its lamp are drawn once. Which frame of whom comes out hangs
on a key alone, and on nothing that was drawn before.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from math import cos, sin
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engines.people.body import surface_of
from engines.people.clothes import Material, rows_of
from engines.people.crowd import Person
from engines.people.raster import Pinhole, Seen, Window
from engines.people.renderer import Renderer
from engines.people.sensor import (
    DepthMap,
    Lost,
    exposed,
    fray,
    key_of,
    lose,
    match,
    measured,
    reach_px,
    stereo_of,
)
from engines.people.setting import Camera, Setting
from engines.people.shading import Picture
from engines.people.shapes import Shape
from engines.people.skeleton import HEAD, Moment, bones_of, skeleton_of
from engines.people.walk import stride_m

Array = NDArray[np.float64]

HEAD_M = 1.55  # heads are about here
STEP_M = 0.05
MARGIN_PX = 70.0  # a head so far from the edge of the picture has shoulders in it


@dataclass(frozen=True, slots=True)
class Hung:
    """How an overhead camera hangs: tilt as the site's files have it."""

    height_m: float
    pitch_deg: float = 0.0
    roll_deg: float = 0.0
    focal_px: float = 385.0
    size_px: tuple[int, int] = (640, 480)

    def camera(self) -> Camera:
        """It, over the origin."""
        pitch, roll = np.radians(self.pitch_deg), np.radians(self.roll_deg)
        about_x = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
        about_y = np.array([[np.cos(roll), 0, np.sin(roll)], [0, 1, 0], [-np.sin(roll), 0, np.cos(roll)]])
        up = about_x.T @ about_y.T @ np.array([0.0, 0.0, -1.0])
        right = np.array([1.0, 0.0, 0.0]) - up[0] * up
        right /= np.linalg.norm(right)
        camera_from_world = np.round(np.stack([right, np.cross(up, right), up], axis=1), 12)
        shift = np.round(camera_from_world @ np.array([0.0, 0.0, -self.height_m]), 12)
        width, height = self.size_px
        eye = Pinhole(
            camera_from_world, shift, self.focal_px, self.focal_px, (width - 1) / 2, (height - 1) / 2
        )
        return Camera(eye, width, height)


@dataclass(frozen=True, slots=True)
class Way:
    """How somebody goes through: which way, and how it differs from one time to the next."""

    is_out: bool
    across_m: float = 0.0
    turned: float = 0.0  # radians off the way
    pace: float = 1.0  # times the usual speed
    strides: float = 0.0  # walked before the first frame
    time_s: float = 0.0  # what wanders slowly is there by now


class Some(NamedTuple):
    """Of so many evenly spaced times some, the first being 0."""

    of: int
    which: Collection[int]


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """A frame of a passage: a window of the picture, and what is true of who is in it."""

    color: Picture
    depth: DepthMap
    corner_px: tuple[int, int]  # left, top
    head_m: Array  # (2,), the head's middle, straight down
    height_m: float  # of the top of hair or hat


class Place:
    """A camera's view, and all people that are to walk through it. Not for several threads at once."""

    def __init__(self, camera: Camera, setting: Setting, people: Sequence[Person], seed: int) -> None:
        self._camera, self._people, self._seed = camera, people, seed % (1 << 62)
        self._skeletons = [skeleton_of(person.body) for person in people]
        shapes, materials = _dressed(people)
        self._renderer = Renderer(shapes, rows_of(materials), (), camera, setting)
        self._heads = [(shape.bones == HEAD).all(axis=1) for shape in shapes]
        self._holes = self._renderer.hole_shares
        still = Seen(self._renderer.still_nearness, self._renderer.still_ids)
        self._stereo = stereo_of(camera.eye.fx, still, self._holes, f"{seed}/stereo")
        self._middle, self._ahead = _way_of(camera)

    def passage(self, number: int, way: Way, frames: int | Some, key: int, side_px: int) -> Iterator[Shot]:
        """Person `number` of the people, seen so many times on the way through, in windows of this side."""
        person, some = (
            self._people[number],
            frames if isinstance(frames, Some) else Some(frames, range(frames)),
        )
        for index, (now, time_s) in enumerate(self._moments(person, way, some.of)):
            if index not in some.which:
                continue
            moment = Moment(
                now[0], now[1], now[2], person.speed_m_s * way.pace, now[3], 0.0, way.time_s + time_s
            )
            yield self._shot(number, moment, key_of(self._seed ^ key, number, index), side_px)

    def _moments(self, person: Person, way: Way, frames: int) -> Iterator[tuple[Array, float]]:
        """Place, heading and strides at evenly spaced points of the way, and when."""
        sign = -1.0 if way.is_out else 1.0
        ahead = sign * self._ahead
        start = self._middle + way.across_m * np.array([-self._ahead[1], self._ahead[0]])
        c, s = cos(way.turned), sin(way.turned)
        toward = np.array([c * ahead[0] - s * ahead[1], s * ahead[0] + c * ahead[1]])
        along = np.arange(-4.0, 4.0, STEP_M)
        seen = along[_well_inside(self._camera, start + along[:, None] * toward)]
        first, last = (float(seen[0]), float(seen[-1])) if len(seen) else (-0.3, 0.3)
        speed, heading = person.speed_m_s * way.pace, float(np.arctan2(toward[1], toward[0]))
        stride = stride_m(person.body.stature, speed)
        for at in np.linspace(first, last, frames):
            x, y = start + at * toward
            yield np.array([x, y, heading, way.strides + (at - first) / stride]), (at - first) / speed

    def _shot(self, number: int, moment: Moment, key: int, side_px: int) -> Shot:
        renderer, stereo = self._renderer, self._stereo
        bones = bones_of(self._skeletons[number], self._people[number].style, moment)
        actors = [(number, bones)]
        seen = renderer.draw(actors)
        points, screen = renderer.drawn(number)
        window = self._window(screen[screen[:, 2] > 0], side_px)
        rows, columns = slice(window.top, window.bottom), slice(window.left, window.right)
        color = exposed(
            np.ascontiguousarray(renderer.picture(actors)[rows, columns]), stereo.tiles.grains, key
        )
        moving = renderer.window(actors, reach_px(stereo))
        disparity = stereo.base.copy()
        match(stereo, seen, moving, disparity)
        fray(stereo, seen, moving, key, disparity)
        lose(stereo, seen.ids, self._holes, Lost(moving, key), disparity)
        depth = measured(stereo, np.ascontiguousarray(disparity[rows, columns]), key ^ 1)
        head = points[self._heads[number]]
        middle = np.asarray((head[:, :2].min(axis=0) + head[:, :2].max(axis=0)) / 2, np.float64)
        return Shot(color, depth, (window.left, window.top), middle, float(head[:, 2].max()))

    def _window(self, screen: NDArray[np.float32], side_px: int) -> Window:
        """Around the middle of somebody's picture, wholly inside the camera's."""
        low, high = screen[:, :2].min(axis=0), screen[:, :2].max(axis=0)
        width, height = min(side_px, self._camera.width), min(side_px, self._camera.height)
        left = int(np.clip((low[0] + high[0] - width) / 2, 0, self._camera.width - width))
        top = int(np.clip((low[1] + high[1] - height) / 2, 0, self._camera.height - height))
        return Window(left, top, left + width, top + height)


def points_of(shot: Shot, camera: Camera, floor_m: Array) -> NDArray[np.float32]:
    """Where each pixel of a shot is, from a place on the floor, up is z; NaN where nothing was measured."""
    h, w = shot.depth.shape
    eye, (left, top) = camera.eye, shot.corner_px
    metres = np.where(shot.depth == 0, np.nan, shot.depth / np.float32(1000.0)).astype(np.float32)
    x = ((np.arange(w) + left - eye.cx) / eye.fx).astype(np.float32) * metres
    y = ((np.arange(h) + top - eye.cy) / eye.fy).astype(np.float32)[:, None] * metres
    rotation = eye.camera_from_world.T.astype(np.float32)
    origin = -eye.camera_from_world.T @ eye.shift_m - np.array([*floor_m, 0.0])
    parts = [
        rotation[k, 0] * x + rotation[k, 1] * y + rotation[k, 2] * metres + np.float32(origin[k])
        for k in range(3)
    ]
    return np.stack(parts, axis=-1)


def _dressed(people: Sequence[Person]) -> tuple[list[Shape], list[Material]]:
    shapes, materials = [], list[Material]()
    for person in people:
        shape = surface_of(person.body, person.outfit)
        shapes.append(shape._replace(materials=shape.materials + np.int32(len(materials))))
        materials.extend(person.materials)
    return shapes, materials


def _way_of(camera: Camera) -> tuple[Array, Array]:
    """The middle of the floor under where heads are seen, and the direction of the picture's top."""
    eye = camera.eye
    place = -eye.camera_from_world.T @ eye.shift_m
    up = -eye.camera_from_world[1, :2]
    grid = np.stack(np.meshgrid(np.arange(-4.0, 4.0, 0.1), np.arange(-4.0, 4.0, 0.1)), axis=-1).reshape(-1, 2)
    seen = grid[_well_inside(camera, grid + place[:2])]
    middle = seen.mean(axis=0) if len(seen) else np.zeros(2)
    return place[:2] + middle, up / np.linalg.norm(up)


def _well_inside(camera: Camera, places_m: Array) -> NDArray[np.bool_]:
    """Whether heads over floor places (n, 2) are well in the picture."""
    eye = camera.eye
    heads = np.concatenate([places_m, np.full((len(places_m), 1), HEAD_M)], axis=1)
    before = heads @ eye.camera_from_world.T + eye.shift_m
    z = np.maximum(before[:, 2], 0.1)
    u, v = eye.fx * before[:, 0] / z + eye.cx, eye.fy * before[:, 1] / z + eye.cy
    inside = (u > MARGIN_PX) & (u < camera.width - MARGIN_PX) & (v > MARGIN_PX)
    return np.asarray(inside & (v < camera.height - MARGIN_PX) & (before[:, 2] > 0.6) & (before[:, 2] < 4.5))
