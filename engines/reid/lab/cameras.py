"""Cameras and their places: from which side they see people, what is behind those, and how a sensor renders it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from random import Random
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.people.body import BAG, BOTTOM, HAIR, HAT, SHOE, SKIN, TOP
from engines.people.ground import noise_tile
from engines.reid.lab.chance import drawn
from engines.reid.lab.drawing import Aim, Cut, Picture, Shone

Array = NDArray[np.float64]
View = Literal["ground", "aerial", "infrared"]
Behind = Literal["wall", "tiles", "foliage", "asphalt", "boards", "stripes"]

BEHIND: tuple[Behind, ...] = ("wall", "tiles", "foliage", "asphalt", "boards", "stripes")
PITCH: dict[View, tuple[float, float]] = {
    "ground": (0.0, 22.0),
    "aerial": (30.0, 90.0),
    "infrared": (0.0, 22.0),
}
JITTER = 0.08  # of a box that a detector finds
# how much of near infrared cloth gives back: dyes hardly matter there, so that colours which differ become alike
INFRARED = {
    **{"black": 0.42, "blue": 0.62, "grey": 0.62, "white": 0.80, "navy": 0.42, "beige": 0.80},
    **{"green": 0.62, "brown": 0.42, "red": 0.80, "purple": 0.62, "yellow": 0.80, "orange": 0.80},
}
INFRARED_SKIN, INFRARED_HAIR = 0.70, {"grey": 0.55, "blond": 0.50}
VIGNETTE = 0.45  # as much darker are the corners of an infrared picture


@dataclass(frozen=True)
class Camera:
    """One of them. Its numbers come from its site and its own number; see `camera_of`."""

    number: int
    view: View
    pitch: tuple[float, float]  # degrees, between which people are seen
    colors: tuple[tuple[float, float, float], ...]  # what its red, green and blue see of each
    gamma: float
    blur_px: float
    noise: float  # levels of 255
    quality: int  # of JPEG
    light: float
    behind: Behind
    tone: tuple[float, float, float]  # of what is behind, 0 to 255


@lru_cache(maxsize=256)
def camera_of(seed: int, site: int, number: int, view: View) -> Camera:
    """A camera of a site. Sites differ in light, in colour, and in what stands behind people."""
    place, chance = drawn(seed, "site", site), drawn(seed, "camera", site, number)
    cast, site_gamma = place.normal(0.0, 0.06, 3), place.uniform(0.85, 1.15)
    families = place.permutation(len(BEHIND))[:4]
    mix = np.eye(3) * (1.0 + cast + chance.normal(0.0, 0.05, 3)) + chance.normal(0.0, 0.03, (3, 3))
    low, high = PITCH[view]
    middle = chance.uniform(low, high)
    around = 4.0 if view != "aerial" else 12.0
    return Camera(
        number=number,
        view=view,
        pitch=(max(low, middle - around), min(high, middle + around)),
        colors=tuple(tuple(float(one) for one in row) for row in mix),  # type: ignore[misc]
        gamma=float(site_gamma * chance.uniform(0.85, 1.2)),
        blur_px=float(chance.uniform(0.3, 1.1)),
        noise=float(chance.uniform(2.0, 7.0)),
        quality=int(chance.integers(40, 95)),
        light=float(chance.uniform(0.7, 1.25)),
        behind=BEHIND[int(families[int(chance.integers(4))])],
        tone=tuple(float(level) for level in chance.uniform(60.0, 190.0) * chance.uniform(0.8, 1.2, 3)),  # type: ignore[arg-type]
    )


def aimed(camera: Camera, chance: np.random.Generator) -> Aim:
    """From where it sees somebody this time."""
    return Aim(
        float(chance.uniform(*camera.pitch)),
        float(chance.uniform(0.0, 360.0)),
        float(chance.uniform(5.0, 12.0)),
    )


def cut(chance: np.random.Generator, shift: Array | None = None) -> Cut:
    """What a detector's box leaves around somebody, or cuts off; `shift` (3,) moves and widens it."""
    across, down, wider = chance.uniform(-JITTER, JITTER, 3) if shift is None else np.clip(shift, -0.2, 0.2)
    edge = 0.07 + 0.5 * wider
    return Cut(edge - across, edge - down, edge + across, edge + down)


def light(camera: Camera, chance: np.random.Generator) -> Shone:
    """That of a moment, before the sensor."""
    strong = camera.light * chance.uniform(0.85, 1.15)
    if camera.view == "infrared":  # lamps around the lens, nothing from the sky
        return Shone((0.45 * strong,) * 3, (0.5 * strong,) * 3, 0.0, 20.0)
    share = chance.uniform(0.25, 0.65)
    lamp, around = strong * share, strong * (1.0 - share)
    return Shone((lamp,) * 3, (around,) * 3, float(chance.uniform(0, 360)), float(chance.uniform(25, 80)))


def background(camera: Camera, size: tuple[int, int], chance: np.random.Generator) -> Picture:
    """What is behind somebody, another part of it each time; seen from the air the ground alone."""
    tall, wide = size
    floor = _texture("asphalt" if camera.view != "aerial" else camera.behind, camera, size, chance)
    if camera.view == "aerial":
        return floor
    wall = _texture(camera.behind, camera, size, chance)
    horizon = int(tall * np.clip(0.62 + chance.normal(0.0, 0.10) - 0.012 * camera.pitch[0], 0.1, 0.95))
    wall[horizon:] = floor[horizon:]
    return wall


def rendered(picture: Picture, camera: Camera, chance: np.random.Generator) -> Picture:
    """What a camera's lens, sensor and encoder make of a picture."""
    level = picture.astype(np.float32) / 255.0
    if camera.view == "infrared":
        level = np.repeat(level.mean(axis=2, keepdims=True), 3, axis=2) * _vignette(picture.shape[:2])
    else:
        level = np.clip(level @ np.array(camera.colors, np.float32).T, 0.0, 1.0)
    level = np.asarray(cv2.GaussianBlur(level**camera.gamma, (0, 0), camera.blur_px), np.float32)
    grains = 1 if camera.view == "infrared" else 3
    noise = chance.standard_normal((*picture.shape[:2], grains), np.float32)
    grown = camera.noise * (2.0 if camera.view == "infrared" else 1.0)
    whole = np.clip(255.0 * level + grown * noise, 0.0, 255.0).astype(np.uint8)
    _, written = cv2.imencode(".jpg", whole[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, camera.quality])
    read = np.asarray(cv2.imdecode(written, cv2.IMREAD_COLOR), np.uint8)
    return np.ascontiguousarray(read[..., ::-1])


def in_infrared(table: NDArray[np.float32], colors: dict[int, str]) -> NDArray[np.float32]:
    """Materials as near infrared sees them. `colors` names those of cloth and hair, by material."""
    grey = np.full(len(table), INFRARED_SKIN, np.float32)
    for part in (TOP, BOTTOM, SHOE, BAG, HAT):
        grey[part] = INFRARED[colors[part]]
    grey[HAIR] = INFRARED_HAIR.get(colors[HAIR], 0.30)
    made = table.copy()
    made[:, :3], made[:, 3:6] = grey[:, None], 0.85 * grey[:, None]
    made[SKIN, :3] = INFRARED_SKIN
    return made


@lru_cache(maxsize=8)
def _vignette(size: tuple[int, int]) -> NDArray[np.float32]:
    rows, columns = np.mgrid[-1.0 : 1.0 : size[0] * 1j, -1.0 : 1.0 : size[1] * 1j]
    return np.asarray(1.0 - VIGNETTE * (rows**2 + columns**2) / 2, np.float32)[..., None]


@lru_cache(maxsize=2)
def _tiles() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    return noise_tile(Random("lab/fine"), 2), noise_tile(Random("lab/coarse"), 12)


def _texture(kind: Behind, camera: Camera, size: tuple[int, int], chance: np.random.Generator) -> Picture:
    """A patch of a surface (h, w, 3)."""
    tall, wide = size
    fine, coarse = (_patch(tile, size, chance) for tile in _tiles())
    scale = chance.uniform(0.75, 1.3) * tall / 128
    rows = (np.arange(tall)[:, None] + chance.uniform(0, 99)) / scale
    columns = (np.arange(wide)[None] + chance.uniform(0, 99)) / scale
    line = np.zeros(size, np.float32)
    if kind == "wall":
        line = ((rows % 9 < 1) | ((columns + 9 * (rows // 9 % 2)) % 18 < 1)) * np.float32(-0.35)
    elif kind == "tiles":
        line = ((rows % 30 < 1.5) | (columns % 30 < 1.5)) * np.float32(-0.3)
    elif kind == "foliage":
        line = 0.35 * fine + 0.25 * coarse
    elif kind == "boards":
        line = np.broadcast_to((columns % 14 < 1.2) * np.float32(-0.45), size) + 0.06 * fine
    elif kind == "stripes":
        line = np.broadcast_to(np.where(rows % 44 < 22, 0.22, -0.22), size)
    dark = 0.45 if camera.view == "infrared" else 1.0  # its lamps hardly reach what is behind
    shade = 1.0 + line + 0.05 * fine + 0.10 * coarse
    tone = np.array((60.0, 110.0, 50.0) if kind == "foliage" else camera.tone, np.float32)
    return np.asarray(np.clip(shade[..., None] * tone * camera.light * dark, 0, 255), np.uint8)


def _patch(
    tile: NDArray[np.float32], size: tuple[int, int], chance: np.random.Generator
) -> NDArray[np.float32]:
    top, left = (int(chance.integers(0, 256 - length)) for length in size)
    return tile[top : top + size[0], left : left + size[1]]
