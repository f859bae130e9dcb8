"""Sets a scene up: a crowd, furniture, light and floors, and walks until one is hard enough."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

import numpy as np
from numpy.typing import NDArray

from engines.people.body import surface_of
from engines.people.clothes import Material, linear, rows_of
from engines.people.crowd import Person, crowd_of
from engines.people.errands import Place, Visit
from engines.people.goals import EVERY, PEOPLE, SECONDS, shortfall
from engines.people.ground import GROUNDS, Ground
from engines.people.scene import Scene, Surface
from engines.people.schedule import BEFORE_S, Desk, Schedule
from engines.people.setting import Camera, Setting
from engines.people.shapes import moved
from engines.people.skeleton import skeleton_of
from engines.people.things import Thing, bench_of, plant_of, table_of, trolley_of, wheelchair_of
from engines.people.walk import STEP_S, Errands, Walkers, walk
from engines.people.zones import Zone, seen_by, zones_of

Array = NDArray[np.float64]

TRIES = 400  # walks of PEOPLE to draw up for one that is hard enough; about one in three is
AFTER_S = 2.0  # paths go on this long after the last picture
GROUND_COLORS = {
    "tiles": ("b9b5ab", "a7adb3", "cfc8ba"),
    "carpet": ("5a6573", "6b5a50", "55665d"),
    "concrete": ("a09d98", "8d8f92", "b3ada3"),
    "planks": ("a97e54", "8a6242", "c29c6c"),
}
TABLE_DEEP_M = 0.70
OBSTACLES = {  # circles along the thing: how far from its middle, and their radius
    "table": (0.46, 0.40),
    "bench": (0.50, 0.30),
    "plant": (0.0, 0.42),
}


def scene_of(cameras: Sequence[Camera], people: int, seconds: float, seed: int) -> Scene:
    """So many people before `cameras` for so long; PEOPLE and SECONDS give one that is as hard as is promised.

    Raises ValueError where a camera sees too little of the floor, or all of it.
    """
    zones = zones_of(cameras)
    crowd = crowd_of(people, seed)
    chance = Random(f"{seed}/things")
    desk_in = chance.randrange(len(zones))
    spots = [_spot(zone, chance) for zone in zones]
    kinds = [
        "table" if number == desk_in else chance.choice(("plant", "bench")) for number in range(len(zones))
    ]
    places = [
        Place(zone, _obstacles(kind, zone, spot))
        for zone, kind, spot in zip(zones, kinds, spots, strict=True)
    ]
    things = [*_worn(crowd), *_pushed(crowd, chance)]
    for kind, zone, spot in zip(kinds, zones, spots, strict=True):
        things.append((kind, 0, _standing(kind, zone, spot, chance)))
    surfaces, materials = _joined(things)
    return Scene(
        tuple(crowd),
        tuple(skeleton_of(person.body) for person in crowd),
        surfaces,
        materials,
        _paths(crowd, places, _desk(zones[desk_in], spots[desk_in], desk_in), (seconds, seed), cameras),
        tuple(cameras),
        tuple(_settings(zones, seed)),
    )


def _worn(crowd: Sequence[Person]) -> Iterator[tuple[str, int, Thing]]:
    for person in crowd:
        yield "person", person.number, (surface_of(person.body, person.outfit), person.materials)


def _pushed(crowd: Sequence[Person], chance: Random) -> Iterator[tuple[str, int, Thing]]:
    for person in crowd:
        if "trolley" in person.roles:
            yield "trolley", person.number, trolley_of(chance)
        if "wheelchair" in person.roles:
            yield "wheelchair", person.number, wheelchair_of(chance)


def _standing(kind: str, zone: Zone, spot: Array, chance: Random) -> Thing:
    """Furniture where it stands, along the zone's way."""
    make = {"table": table_of, "bench": bench_of, "plant": plant_of}[kind]
    shape, materials = make(chance)
    turn = float(np.degrees(np.arctan2(zone.ahead[1], zone.ahead[0])))
    return moved(shape, (float(spot[0]), float(spot[1]), 0.0), turn), materials


def _joined(things: Sequence[tuple[str, int, Thing]]) -> tuple[tuple[Surface, ...], NDArray[np.float32]]:
    """Surfaces whose materials are rows of one table."""
    surfaces, materials = [], list[Material]()
    for name, owner, (shape, own) in things:
        rows = shape.materials + np.int32(len(materials))
        surfaces.append(Surface(name, owner, shape._replace(materials=rows)))
        materials.extend(own)
    return tuple(surfaces), rows_of(materials)


def _spot(zone: Zone, chance: Random) -> Array:
    """Where furniture stands: beside the way, and in the picture where that can be."""
    sides = [1.0, -1.0]
    chance.shuffle(sides)
    along = chance.uniform(-0.4, 0.4) * zone.half_long
    spots = [zone.at(along, side * (zone.half_wide + 0.30)) for side in sides]
    seen = [bool(seen_by(zone.camera, np.array([*spot, 0.7]), 25.0)) for spot in spots]
    return spots[seen.index(True) if any(seen) else 0]


def _obstacles(kind: str, zone: Zone, spot: Array) -> Array:
    apart, radius = OBSTACLES[kind]
    middles = [spot + far * zone.ahead for far in (-apart, 0.0, apart)]
    return np.array([(*middle, radius) for middle in middles])


def _desk(zone: Zone, spot: Array, place: int) -> Desk:
    """The table as people queue at it, from the middle of the zone."""
    side = np.sign((spot - zone.middle) @ zone.left)
    return Desk(place, spot - side * (TABLE_DEEP_M / 2 + 0.38) * zone.left, spot)


def _paths(
    crowd: Sequence[Person],
    places: Sequence[Place],
    desk: Desk,
    clock: tuple[float, int],
    cameras: Sequence[Camera],
) -> Array:
    """Everybody's paths, drawn up again until they are hard enough; the best of some, where there are more people."""
    seconds, seed = clock
    steps = int((BEFORE_S + seconds + AFTER_S) / STEP_S)
    walkers = (
        np.array([person.radius_m for person in crowd]),
        np.array([person.speed_m_s for person in crowd]),
        np.array([person.body.stature for person in crowd]),
    )
    during = slice(int(BEFORE_S / STEP_S), -int(AFTER_S / STEP_S), EVERY)
    tries = TRIES * PEOPLE**3 // len(crowd) ** 3 if len(crowd) >= PEOPLE and seconds >= SECONDS else 1
    best, least = np.empty(0), 1 << 30
    for attempt in range(max(tries, 1)):
        schedule = Schedule(crowd, places, seconds, desk, Random(f"{seed}/walk/{attempt}"))
        first, errands = _errands(schedule.visits(), places)
        paths = walk(Walkers(*walkers, first), errands, -BEFORE_S, steps)
        missing = shortfall(crowd, cameras, paths[during]) if tries > 1 else 0
        if missing < least:
            best, least = paths, missing
        if least == 0:
            break
    return best


def _errands(visits: Sequence[Sequence[Visit]], places: Sequence[Place]) -> tuple[NDArray[np.int64], Errands]:
    """Visits as rows: the first one of each person, and all of them."""
    first = np.cumsum([0, *(len(own) for own in visits)])
    flat = [visit for own in visits for visit in own]
    lengths = [len(visit.stops) for visit in flat]
    rows = [
        (*stop.point, stop.wait_s, *(stop.point if stop.look is None else stop.look))
        for visit in flat
        for stop in visit.stops
    ]
    errands = Errands(
        _rounded([visit.start_s for visit in flat]),
        _rounded([visit.away_s for visit in flat]),
        np.cumsum([0, *lengths]).astype(np.int64),
        _rounded(rows).reshape(-1, 5),
        _rounded(np.concatenate([place.obstacles for place in places])),
    )
    return first.astype(np.int64), errands


def _rounded(values: Sequence[object] | Array) -> Array:
    """To a tenth of a millimetre: what differs by less between machines must not grow on the way."""
    return np.asarray(np.round(np.array(values, np.float64), 4), np.float64)


def _settings(zones: Sequence[Zone], seed: int) -> Iterator[Setting]:
    """Every place its own floor and light."""
    grounds = list(GROUNDS)
    Random(f"{seed}/grounds").shuffle(grounds)
    for number, zone in enumerate(zones):
        yield _setting(zone, grounds[number % len(grounds)], f"{seed}/{number}/setting")


def _setting(zone: Zone, ground: Ground, seed: str) -> Setting:
    """A floor, a lamp to one side, and a camera with a tint and an exposure of its own."""
    chance = Random(seed)
    angle, far, high = chance.uniform(0.0, 6.283), chance.uniform(5.5, 7.5), chance.uniform(4.2, 6.2)
    lamp = np.round(zone.middle + far * np.array([np.cos(angle), np.sin(angle)]), 4)
    warm, strong, around = chance.uniform(0.84, 1.14), chance.uniform(0.50, 0.92), chance.uniform(0.34, 0.52)
    exposure = chance.uniform(0.84, 1.22)
    return Setting(
        ground=ground,
        ground_color=linear(chance.choice(GROUND_COLORS[ground])),
        lamp_m=(float(lamp[0]), float(lamp[1]), high),
        lit_m=(round(float(zone.middle[0]), 4), round(float(zone.middle[1]), 4), 0.5),
        lamp=(strong * warm, strong, strong / warm),
        above=(around * 0.97, around, around * 1.06),
        below=(0.40 * around, 0.38 * around, 0.36 * around),
        gain=(exposure * chance.uniform(0.80, 1.18), exposure, exposure * chance.uniform(0.78, 1.22)),
        seed=seed,
    )
