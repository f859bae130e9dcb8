"""A crowd that walks about before cameras: who and what is there, and where each bone of theirs is at any time."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, sin

import numpy as np
from numpy.typing import NDArray

from engines.people.crowd import Person
from engines.people.renderer import Actor, Renderer
from engines.people.schedule import BEFORE_S
from engines.people.setting import Camera, Setting
from engines.people.shapes import Floats, Shape
from engines.people.skeleton import ROOT, Moment, Skeleton, bones_of
from engines.people.walk import STEP_S

Array = NDArray[np.float64]

REACH_M = 4.5  # of a person and their shadow


@dataclass(frozen=True, eq=False)
class Surface:
    """A part of a scene that moves as one: a person (`owner`), what they push, or, owned by nobody, furniture."""

    name: str
    owner: int  # number of the person; 0 for what never moves
    shape: Shape


@dataclass(frozen=True, eq=False)
class Scene:
    """The first surfaces are the people, in order; `paths` says where they are (see walk.walk)."""

    people: tuple[Person, ...]
    skeletons: tuple[Skeleton, ...]  # by person
    surfaces: tuple[Surface, ...]
    materials: Floats  # rows, see clothes.rows_of
    paths: Array  # (steps, people, 7)
    cameras: tuple[Camera, ...]
    settings: tuple[Setting, ...]  # by camera

    def moment(self, person: Person, time_s: float) -> Moment | None:
        """Where somebody is, or None while they are where no camera sees them."""
        place = (time_s + BEFORE_S) / STEP_S
        step = min(int(place), len(self.paths) - 2)
        before, after = self.paths[step, person.number - 1], self.paths[step + 1, person.number - 1]
        if before[6] == 0.0 or after[6] == 0.0:
            return None
        now = before + min(1.0, place - step) * (after - before)
        x, y, heading, speed, strides, twist = (float(value) for value in now[:6])
        x, y = x - person.ahead_m * cos(heading), y - person.ahead_m * sin(heading)
        return Moment(x, y, heading, speed, strides, twist, float(time_s))

    def actors(self, camera: int, time_s: float) -> list[Actor]:
        """What moves near the view of a camera: the number of its surface, and its bones."""
        near: dict[int, Array] = {}
        for person in self.people:
            now = self.moment(person, time_s)
            if now is not None and _is_near(self.cameras[camera], now):
                near[person.number] = bones_of(self.skeletons[person.number - 1], person.style, now)
        moving = [(number, part) for number, part in enumerate(self.surfaces) if part.owner in near]
        return [
            (number, near[part.owner] if number < len(self.people) else near[part.owner][ROOT : ROOT + 1])
            for number, part in moving
        ]

    def renderer(self, camera: int) -> Renderer:
        """What draws the pictures of a camera."""
        still = [number for number, part in enumerate(self.surfaces) if not part.owner]
        shapes = [part.shape for part in self.surfaces]
        return Renderer(shapes, self.materials, still, self.cameras[camera], self.settings[camera])


def _is_near(camera: Camera, now: Moment) -> bool:
    """Whether someone could be in a picture, or their shadow."""
    eye = camera.eye
    x, y, z = eye.camera_from_world @ np.array([now.x_m, now.y_m, 1.0]) + eye.shift_m
    wide, tall = 0.5 * camera.width / eye.fx, 0.5 * camera.height / eye.fy
    return bool(
        z > -REACH_M and abs(x) < wide * max(z, 0.0) + REACH_M and abs(y) < tall * max(z, 0.0) + REACH_M
    )
