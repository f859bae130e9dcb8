"""A place as one camera sees it: its floor, its lamp, and how that camera renders colour."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

import numpy as np
from numpy.typing import NDArray

from engines.people.clothes import Color
from engines.people.ground import Ground, ground_colors, noise_tile
from engines.people.raster import Pinhole
from engines.people.shading import LEVELS, Light, Lit, Picture
from engines.people.shapes import Floats

Array = NDArray[np.float64]
Place = tuple[float, float, float]

LAMP_PX = 512  # side of the picture that the lamp sees
NOWHERE = 1e-4  # nearness of what is beyond everything


@dataclass(frozen=True)
class Camera:
    """A pinhole and the size of its picture."""

    eye: Pinhole
    width: int
    height: int


@dataclass(frozen=True)
class Setting:
    """Colours are linear; lamp and light add up to about 1 on a floor that faces them."""

    ground: Ground
    ground_color: Color
    lamp_m: Place
    lit_m: Place  # what the lamp looks at
    lamp: Color
    above: Color
    below: Color
    gain: Color  # of the camera's red, green and blue
    seed: str = ""


def looking_at(place_m: Place, target_m: Place, focal_px: float, size_px: tuple[int, int]) -> Pinhole:
    """A pinhole at a place that has the target in the middle of its picture, the site's up being up."""
    ahead = np.subtract(target_m, place_m)
    ahead = ahead / np.linalg.norm(ahead)
    right = np.cross(ahead, [0.0, 0.0, 1.0])
    right = np.array([1.0, 0.0, 0.0]) if np.linalg.norm(right) < 1e-6 else right / np.linalg.norm(right)
    rotation = np.stack([right, np.cross(ahead, right), ahead])
    middle = (size_px[0] - 1) / 2, (size_px[1] - 1) / 2
    return Pinhole(rotation, -rotation @ np.array(place_m), focal_px, focal_px, *middle)


def lit_of(setting: Setting) -> Lit:
    """The light of a setting, with nothing before its lamp yet."""
    lamp, above, below = (
        np.array(np.multiply(color, setting.gain), np.float32)
        for color in (setting.lamp, setting.above, setting.below)
    )
    far_m = float(np.linalg.norm(np.subtract(setting.lamp_m, setting.lit_m)))
    eye = looking_at(setting.lamp_m, setting.lit_m, LAMP_PX * far_m / 9.5, (LAMP_PX, LAMP_PX))
    light = Light(eye, np.array(setting.lamp_m), lamp, above, below)
    grain = 0.75 * noise_tile(Random(f"{setting.seed}/folds"), 9)
    grain += 0.35 * noise_tile(Random(f"{setting.seed}/weave"), 2)
    return Lit(light, np.zeros((LAMP_PX, LAMP_PX), np.float32), response(), grain.astype(np.float32))


def response() -> NDArray[np.uint8]:
    """The number a sensor gives for each level of light: a gamma of 2.2 with a soft shoulder (LEVELS,)."""
    light = np.arange(LEVELS) / (LEVELS - 1) * 1.15
    curve = np.where(light < 0.7, light, 0.7 + 0.3 * np.tanh((light - 0.7) / 0.3))
    return np.asarray(np.rint(255.0 * curve ** (1 / 2.2)), np.uint8)


def floor_pictures(camera: Camera, setting: Setting, lit: Lit) -> tuple[Floats, Picture, Picture]:
    """The empty floor: nearness (h, w), its colours where the lamp reaches it, and where it does not."""
    v, u = np.mgrid[0 : camera.height, 0 : camera.width].astype(np.float64)
    nearness, _ = _floor_at(camera, u, v)
    bright, dark = np.zeros((*u.shape, 3)), np.zeros((*u.shape, 3))
    for du, dv in ((-0.25, -0.25), (0.25, -0.25), (-0.25, 0.25), (0.25, 0.25)):
        _, points = _floor_at(camera, u + du, v + dv)
        colors = ground_colors(setting.ground, setting.ground_color, points, Random(setting.seed))
        to_lamp = np.array(setting.lamp_m) - np.concatenate([points, np.zeros_like(points[..., :1])], axis=-1)
        facing = to_lamp[..., 2:] / np.linalg.norm(to_lamp, axis=-1, keepdims=True)
        dark += colors * lit.light.above / 4
        bright += colors * (lit.light.above + lit.light.lamp * facing) / 4
    return nearness, _seen_as(bright, lit), _seen_as(dark, lit)


def _floor_at(camera: Camera, u: Array, v: Array) -> tuple[Floats, Array]:
    """Nearness of the floor at pixels, and the points there (..., 2)."""
    eye, m = camera.eye, camera.eye.camera_from_world
    x, y = (u - eye.cx) / eye.fx, (v - eye.cy) / eye.fy
    rays = [x * m[0, k] + y * m[1, k] + m[2, k] for k in range(3)]
    place = [
        -(m[0, k] * eye.shift_m[0] + m[1, k] * eye.shift_m[1] + m[2, k] * eye.shift_m[2]) for k in range(3)
    ]
    nearness = np.maximum(-rays[2] / place[2], NOWHERE)
    points = np.stack([place[k] + rays[k] / nearness for k in range(2)], axis=-1)
    return nearness.astype(np.float32), points


def _seen_as(linear: Array, lit: Lit) -> Picture:
    return lit.response[np.clip(linear * (LEVELS - 1), 0, LEVELS - 1).astype(np.int64)]
