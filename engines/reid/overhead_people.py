"""Simulated people who pass under overhead RGB-D cameras, in or out: what a network is taught with, and tested on.

Chance hangs on keys, so nothing need be kept: the same people, cameras and passages come out again in any order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engines._overhead_maps import CHANNELS, MAPS, NUMBERS, REACH_M, maps_of
from engines.people.anybody import any_camera, any_light, anybody, dressed_like
from engines.people.crowd import Person, crowd_of
from engines.people.passages import Hung, Place, Shot, Some, Way, points_of
from engines.people.setting import Camera
from engines.reid.upright import Upright, depth_shown, head_px

Array = NDArray[np.float32]

SITE = {  # as the cameras of TVRID hang, by the names that it gives them
    "flat": Hung(3.6),
    "upward": Hung(3.2, 28.0),
    "downward": Hung(3.0, -26.0),
    "upsideDown": Hung(2.8, 0.0, 34.0),
}
SHOT_PX = 300
GROUP = 12  # people who share a floor and a lamp
ON_FEET = {"trolley", "wheelchair"}  # whom TVRID has not
STEPS = 255.0
TIMES = 8  # of a way through a camera's view, of which lessons show some
REACH = np.array([1.0, 2.0, 2.5, 2.5, 2.5], np.float32)  # of each channel of a map, either way


@dataclass(frozen=True, slots=True)
class Errors:
    """Standard deviations of what a pipeline gets wrong: about a camera once, about a person in every frame."""

    tilt_deg: float = 0.4
    camera_m: float = 0.012
    height_m: float = 0.010
    floor_m: float = 0.025
    turned: float = 0.08  # radians


def crowd(count: int, seed: int) -> list[Person]:
    """So many people as they walk about the simulated site, a third of them dressed like another third."""
    people = [one for one in crowd_of(count + count // 3 + 2, seed) if not ON_FEET & set(one.roles)]
    return [replace(one, number=number + 1) for number, one in enumerate(people[:count])]


def strangers(count: int, seed: int) -> list[Person]:
    """So many people of any kind, a quarter of them dressed like another quarter."""
    people = [anybody(number + 1, f"{seed}/{number}/anybody") for number in range(count)]
    for number in range(0, count - 1, 4):
        people[number + 1] = dressed_like(people[number + 1], people[number], f"{seed}/{number}/alike")
    return people


def way_of(key: str, is_out: bool) -> Way:
    """How somebody goes through, this time."""
    chance = Random(key)
    return Way(
        is_out,
        chance.uniform(-0.45, 0.45),
        chance.gauss(0.0, 0.12),
        chance.uniform(0.85, 1.15),
        chance.random(),
        chance.uniform(0.0, 60.0),
    )


def exposed_as(color: NDArray[np.uint8], key: str, spread: float) -> NDArray[np.uint8]:
    """The picture with an exposure and a white balance of its own."""
    chance = Random(key)
    overall = chance.gauss(0.0, spread)
    gains = [float(np.exp(overall + chance.gauss(0.0, 0.5 * spread))) for _ in range(3)]
    table = [np.clip(np.arange(256) * gain ** (1 / 2.2), 0, 255).astype(np.uint8) for gain in gains]
    return np.stack([table[k][color[..., k]] for k in range(3)], axis=-1)


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One frame of a person as a network is shown it."""

    maps: NDArray[np.uint8]  # (MAPS * CHANNELS, SIDE, SIDE), see `packed`
    numbers: Array  # (NUMBERS,)
    upright: Upright
    depth: NDArray[np.uint8]  # (2, *CELLS), see `depth_shown`


def packed(layers: Array) -> tuple[NDArray[np.uint8], Array]:
    """Maps in 8 bits, and the numbers beside them."""
    reach = np.tile(REACH, MAPS)[:, None, None]
    scaled = np.rint((layers[: MAPS * CHANNELS] / reach * 0.5 + 0.5) * STEPS)
    return np.clip(scaled, 0, STEPS).astype(np.uint8), layers[-1, 0, :NUMBERS].copy()


def unpacked(maps: NDArray[np.uint8]) -> Array:
    """What was packed, (..., MAPS * CHANNELS, SIDE, SIDE)."""
    reach = np.tile(REACH, MAPS)[:, None, None]
    return np.asarray((maps.astype(np.float32) / np.float32(STEPS) * 2.0 - 1.0) * reach, np.float32)


def seen_wrong(hung: Hung, key: str, errors: Errors) -> Camera:
    """The camera as a pipeline takes it to hang."""
    chance = Random(key)
    return replace(
        hung,
        height_m=hung.height_m + chance.gauss(0.0, errors.camera_m),
        pitch_deg=hung.pitch_deg + chance.gauss(0.0, errors.tilt_deg),
        roll_deg=hung.roll_deg + chance.gauss(0.0, errors.tilt_deg),
    ).camera()


def layers_of(shot: Shot, camera: Camera, key: str, errors: Errors, has_color: bool = True) -> Array:
    """The maps of a shot whose camera is taken to be this one, its head found and measured not quite right."""
    chance = Random(key)
    floor_m = shot.head_m + [chance.gauss(0.0, errors.floor_m), chance.gauss(0.0, errors.floor_m)]
    points, height_m = points_of(shot, camera, floor_m), shot.height_m + chance.gauss(0.0, errors.height_m)
    return maps_of(shot.color if has_color else None, points, height_m, chance.gauss(0.0, errors.turned))


def upright_of(shot: Shot, camera: Camera, key: str, errors: Errors) -> Upright:
    """The colour picture of a shot turned upright, its head found not quite right; depth says nothing in it."""
    chance = Random(key)
    floor_m = shot.head_m + [chance.gauss(0.0, errors.floor_m), chance.gauss(0.0, errors.floor_m)]
    return Upright.of(shot.color, shot.corner_px, camera.eye, head_px(camera.eye, floor_m, shot.height_m))


class Sight(NamedTuple):
    """One frame of a person to learn from."""

    person: int  # of the group
    place: int
    shot: Shot
    taken: Camera  # as a pipeline takes the camera to hang
    key: str


def group(seed: int) -> list[Person]:
    """People to learn from: of odd seeds as on the site, of even of any kind."""
    return crowd(GROUP, seed) if seed % 2 else strangers(GROUP, seed)


def shown(seed: int, places: int, passages: int, frames: int) -> Iterator[Sight]:
    """A group of people to learn from, as cameras see them."""
    people = group(seed)
    chance = Random(f"{seed}/lessons")
    for place in range(places):
        hung = _hung(chance, f"{seed}/{place}")
        at = Place(hung.camera(), any_light(f"{seed}/{place}/light"), people, seed * 101 + place)
        for number in range(len(people)):
            for passage in range(passages):
                key = f"{seed}/{place}/{number}/{passage}"
                way = way_of(key, bool(passage % 2))
                taken = seen_wrong(hung, key, Errors())
                some = Some(TIMES, chance.sample(range(TIMES), frames))  # not the ends of the way alone
                for index, shot in enumerate(at.passage(number, way, some, passage, SHOT_PX)):
                    shot = replace(shot, color=exposed_as(shot.color, key, 0.15))
                    yield Sight(number, place, shot, taken, f"{key}/{index}")


def lessons(seed: int, places: int, passages: int, frames: int) -> Iterator[tuple[int, int, Sample]]:
    """The same as a network is shown them: number, place, what is seen."""
    for one in shown(seed, places, passages, frames):
        yield one.person, one.place, _sample(one.shot, one.taken, one.key)


def _sample(shot: Shot, taken: Camera, key: str) -> Sample:
    layers, turned = (
        layers_of(shot, taken, key, Errors()),
        upright_of(shot, taken, f"{key}/upright", Errors()),
    )
    depth = depth_shown(points_of(shot, taken, shot.head_m), REACH_M, turned.from_upright)
    return Sample(*packed(layers), turned, depth)


def _hung(chance: Random, key: str) -> Hung:
    """As one of the site's, not quite, or in any way."""
    if chance.random() < 0.35:
        return any_camera(key)
    like = chance.choice(list(SITE.values()))
    return replace(
        like,
        height_m=like.height_m + chance.uniform(-0.15, 0.15),
        pitch_deg=like.pitch_deg + chance.gauss(0.0, 2.0),
        roll_deg=like.roll_deg + chance.gauss(0.0, 2.0),
    )
