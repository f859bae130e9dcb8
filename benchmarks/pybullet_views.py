"""What a D455 above PyBullet's world would see of it: drawn by TinyRenderer, with the noise of a depth sensor."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import numpy as np
import pybullet
from numpy.typing import NDArray

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from pybullet_bodies import DATA, Body, Person  # noqa: E402

from calibration.camera import Mount, pose_of  # noqa: E402
from engines.people.raster import Pinhole, Seen, Window  # noqa: E402
from engines.people.sensor import Stereo, depth_of, exposed, key_of, stereo_of  # noqa: E402
from engines.people.setting import Camera  # noqa: E402
from engines.people.truth import HEAD_SEEN, MIN_PIXELS, Presence, why_ignored  # noqa: E402
from stages.source.simulated import LENS  # noqa: E402

NEAR_M, FAR_M = 0.1, 14.0
LINK = 1 << 24  # a pixel's body and link in one number
FLOORS = ("5a6573", "8a6242", "b3ada3", "55665d")
HOLES = 0.02  # share of a person that gives no depth
ALONE = 2  # a picture of somebody alone is so many times as wide, and half as fine
AWAY = (500.0, 500.0, 0.0)


class Place(NamedTuple):
    """Where somebody is in their walk."""

    x_m: float
    y_m: float
    heading: float
    strides: float


class Drawn(NamedTuple):
    """A picture by TinyRenderer: red, green, blue; metres along the axis; body and link of each pixel."""

    color: NDArray[np.uint8]
    depth_m: NDArray[np.float32]
    parts: NDArray[np.int64]


@dataclass
class World:
    """Everybody in one world, and each of them alone in another, so that it is known what of them is hidden."""

    people: Sequence[Person]

    def __post_init__(self) -> None:
        with silenced():
            self._client, self._alone = pybullet.connect(pybullet.DIRECT), pybullet.connect(pybullet.DIRECT)
            for client in (self._client, self._alone):
                pybullet.setAdditionalSearchPath(str(DATA), physicsClientId=client)
            self._floor = pybullet.loadURDF("plane.urdf", physicsClientId=self._client)
            self._bodies = [Body(person, self._client) for person in self.people]
            self._single = [Body(person, self._alone) for person in self.people]
        for body in (*self._bodies, *self._single):
            body.pose(*AWAY, 0.0)

    def stand(self, there: dict[int, Place]) -> None:
        """Put people (by number) where they are, and all others away."""
        for person, body in zip(self.people, self._bodies, strict=True):
            body.pose(*there.get(person.number, (*AWAY, 0.0)))

    def close(self) -> None:
        """PyBullet has room for some hundred worlds."""
        for client in (self._client, self._alone):
            pybullet.disconnect(client)

    def heads(self, person: int) -> list[int]:
        """The links of somebody's head."""
        return self._bodies[person - 1].head_links

    def draw(self, camera: Camera, light: Light) -> Drawn:
        """The world as it stands."""
        pybullet.changeVisualShape(self._floor, -1, rgbaColor=light.floor, physicsClientId=self._client)
        return _draw(self._client, camera, light)

    def presences(
        self, there: dict[int, Place], camera: Camera, drawn: Drawn, light: Light
    ) -> list[Presence]:
        """What is true of who is in the picture."""
        found = []
        for number, place in sorted(there.items()):
            body, single = self._bodies[number - 1], self._single[number - 1]
            shown = (drawn.parts >= 0) & (drawn.parts % LINK == body.id)
            if shown.sum() < MIN_PIXELS:
                continue
            single.pose(*place)
            alone = _draw(self._alone, _wider(camera), light)
            single.pose(*AWAY, 0.0)
            found.append(_presence(body, drawn, alone, camera))
        return found


@dataclass(frozen=True)
class Light:
    """A place's floor and lamp, and how its camera sees colours."""

    floor: tuple[float, float, float, float]
    towards: tuple[float, float, float]
    ambient: float
    diffuse: float
    gain: tuple[float, float, float]

    @classmethod
    def of(cls, number: int, seed: str) -> Light:
        """That of the place with this number, another one for another seed."""
        chance = Random(f"{seed}/light")
        code = FLOORS[number % len(FLOORS)]
        red, green, blue = (int(code[i : i + 2], 16) / 255 for i in (0, 2, 4))
        towards = chance.uniform(-4.0, 4.0), chance.uniform(-4.0, 4.0), chance.uniform(4.0, 7.0)
        exposure = chance.uniform(0.80, 1.15)
        gain = exposure * chance.uniform(0.88, 1.12), exposure, exposure * chance.uniform(0.88, 1.12)
        return cls(
            (red, green, blue, 1.0), towards, chance.uniform(0.45, 0.65), chance.uniform(0.35, 0.5), gain
        )


class Sensor:
    """One camera with its noise. The same seed and frame, the same picture."""

    def __init__(self, camera: Camera, number: int, seed: int, light: Light) -> None:
        self.camera, self.light, self._number, self._seed = camera, light, number, seed
        floor = _floor_nearness(camera)
        self._holes = np.full(256, HOLES, np.float32)
        still = Seen(floor, np.full(floor.shape, -1, np.int32))
        self._stereo: Stereo = stereo_of(camera.eye.fx, still, self._holes, f"{seed}/{number}/pybullet")

    def heights_m(self, depth: NDArray[np.uint16]) -> NDArray[np.float32]:
        """Of each pixel above the floor (h, w)."""
        eye = self.camera.eye
        high = float(-(eye.camera_from_world.T @ eye.shift_m)[2])
        share = 1.0 - 0.001 * depth * _floor_nearness(self.camera)
        return np.asarray(high * share, np.float32)

    def frame(self, drawn: Drawn, index: int) -> tuple[NDArray[np.uint8], NDArray[np.uint16]]:
        """Colour, and depth in millimetres, of a frame."""
        key = key_of(self._seed, self._number, index)
        lit = np.clip(drawn.color * np.array(self.light.gain, np.float32), 0, 255).astype(np.uint8)
        bodies = np.where(drawn.parts >= 0, drawn.parts % LINK, 0)
        seen = Seen(
            np.float32(1.0) / np.maximum(drawn.depth_m, np.float32(NEAR_M)),
            np.where(bodies > 0, bodies, -1).astype(np.int32),
        )
        whole = Window(0, 0, self.camera.width, self.camera.height)
        color = exposed(np.ascontiguousarray(lit), self._stereo.tiles.grains, key)
        return color, depth_of(self._stereo, seen, self._holes, whole, key ^ 1)


def camera_of(mount: Mount) -> Camera:
    """A D455 that hangs there; raises ValueError where height and tilt are not given."""
    pose = pose_of(mount)
    if pose is None:
        raise ValueError("a camera to be drawn needs height_m, pitch_deg and roll_deg")
    back = pose.inverse()
    eye = Pinhole(back.rotation, back.translation_m, LENS.fx_px, LENS.fy_px, LENS.cx_px, LENS.cy_px)
    return Camera(eye, LENS.width_px, LENS.height_px)


def _draw(client: int, camera: Camera, light: Light) -> Drawn:
    width, height, rgba, nearness, parts = pybullet.getCameraImage(
        camera.width,
        camera.height,
        *_matrices(camera),
        lightDirection=light.towards,
        lightAmbientCoeff=light.ambient,
        lightDiffuseCoeff=light.diffuse,
        lightSpecularCoeff=0.05,
        shadow=0,
        flags=pybullet.ER_SEGMENTATION_MASK_OBJECT_AND_LINKINDEX,
        renderer=pybullet.ER_TINY_RENDERER,
        physicsClientId=client,
    )
    size = height, width
    buffer = np.asarray(nearness, np.float32).reshape(size)
    depth_m = FAR_M * NEAR_M / (FAR_M - (FAR_M - NEAR_M) * buffer)
    color = np.asarray(rgba, np.uint8).reshape(*size, 4)[..., :3]
    return Drawn(color, depth_m, np.asarray(parts, np.int64).reshape(size))


def _matrices(camera: Camera) -> tuple[list[float], list[float]]:
    """OpenGL's view and projection, column by column."""
    eye, w, h = camera.eye, camera.width, camera.height
    view = np.eye(4)
    view[:3, :3], view[:3, 3] = eye.camera_from_world, eye.shift_m
    view = np.diag([1.0, -1.0, -1.0, 1.0]) @ view
    deep = FAR_M - NEAR_M
    projection = np.array(
        [
            [2 * eye.fx / w, 0, 1 - 2 * (eye.cx + 0.5) / w, 0],
            [0, 2 * eye.fy / h, 2 * (eye.cy + 0.5) / h - 1, 0],
            [0, 0, -(FAR_M + NEAR_M) / deep, -2 * FAR_M * NEAR_M / deep],
            [0, 0, -1, 0],
        ]
    )
    return view.T.ravel().tolist(), projection.T.ravel().tolist()


def _wider(camera: Camera) -> Camera:
    """The same picture at half the size, and as much again around it, in half of the pixels each way."""
    eye, step = camera.eye, 2 * ALONE
    fine = eye._replace(
        fx=eye.fx / step, fy=eye.fy / step, cx=camera.width / 4 - 0.5, cy=camera.height / 4 - 0.5
    )
    return Camera(fine, camera.width // 2, camera.height // 2)


def _presence(body: Body, drawn: Drawn, alone: Drawn, camera: Camera) -> Presence:
    shown = (drawn.parts >= 0) & (drawn.parts % LINK == body.id)
    rows, columns = np.nonzero(shown)
    whole = int((alone.parts >= 0).sum()) * (2 * ALONE) ** 2
    heads = [np.isin(parts // LINK - 1, body.head_links) for parts in (drawn.parts, alone.parts)]
    seen_px, whole_px = int((heads[0] & shown).sum()), int((heads[1] & (alone.parts >= 0)).sum())
    x, y, z = body.head()
    hidden = seen_px < HEAD_SEEN * whole_px * (2 * ALONE) ** 2
    return Presence(
        body.person.number,
        (int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1),
        min(1.0, len(rows) / max(1, whole)),
        x,
        y,
        z + body.person.radius_m,
        why_ignored(np.array([x, y, z]), camera, hidden),
    )


def _floor_nearness(camera: Camera) -> Any:
    """Nearness of the empty floor (h, w)."""
    eye = camera.eye
    v, u = np.mgrid[0 : camera.height, 0 : camera.width].astype(np.float64)
    rays = np.stack([(u - eye.cx) / eye.fx, (v - eye.cy) / eye.fy, np.ones_like(u)], axis=-1)
    up = rays @ eye.camera_from_world[:, 2]
    high = -(eye.camera_from_world.T @ eye.shift_m)[2]
    return np.maximum(-up / high, 1.0 / FAR_M).astype(np.float32)


class silenced:  # noqa: N801, a context like contextlib's
    """Keeps what PyBullet's own C++ says off the terminal: it writes past Python's streams."""

    def __enter__(self) -> None:
        self._kept = [os.dup(stream) for stream in (1, 2)]
        with Path(os.devnull).open("wb") as nowhere:
            for stream in (1, 2):
                os.dup2(nowhere.fileno(), stream)

    def __exit__(self, *_: object) -> None:
        for stream, kept in zip((1, 2), self._kept, strict=True):
            os.dup2(kept, stream)
            os.close(kept)
