"""What people do in one place: walk through, stop, stand, turn back, stand in a queue, meet, walk together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

import numpy as np
from numpy.typing import NDArray

from engines.people.zones import Zone

Array = NDArray[np.float64]

CLEAR_M = 0.35  # around what stands about, beside a person's own width


@dataclass(frozen=True, eq=False)
class Stop:
    """A point on the floor, how long to wait there, and where to look meanwhile."""

    point: Array  # (2,)
    wait_s: float = 0.0
    look: Array | None = None


@dataclass(frozen=True, eq=False)
class Visit:
    """A walk through one zone, from a way in to a way out, not before `start_s`."""

    start_s: float
    zone: int
    stops: tuple[Stop, ...]
    away_s: float = 0.0  # not sooner after the visit before

    def seconds(self, speed_m_s: float) -> float:
        """About how long it takes."""
        points = np.array([stop.point for stop in self.stops])
        length = float(np.linalg.norm(np.diff(points, axis=0), axis=1).sum())
        return 1.08 * length / speed_m_s + sum(stop.wait_s + 0.5 * (stop.wait_s > 0) for stop in self.stops)

    def beside(self, by_m: float) -> Visit:
        """The same walk, for someone who walks to the left of the one who makes it."""
        points = np.array([stop.point for stop in self.stops])
        ways = np.gradient(points, axis=0)
        ways /= np.maximum(np.linalg.norm(ways, axis=1, keepdims=True), 1e-9)
        shifts = by_m * np.column_stack([-ways[:, 1], ways[:, 0]])
        shifted = zip(self.stops, shifts, strict=True)
        stops = (replace(stop, point=stop.point + shift) for stop, shift in shifted)
        return replace(self, stops=tuple(stops))


@dataclass(frozen=True, eq=False)
class Place:
    """A zone, and what stands about in it (o, 3): x, y and radius."""

    zone: Zone
    obstacles: Array

    def spot(self, chance: Random, spread: float = 0.6) -> Array:
        """A free point near the middle."""
        for _ in range(40):
            along, across = (chance.uniform(-spread, spread) for _ in range(2))
            point = self.zone.at(along * self.zone.half_long, across * self.zone.half_wide)
            if self.is_free(point):
                break
        return point

    def is_free(self, point: Array) -> bool:
        """Whether a person can stand there, and is seen."""
        apart = np.linalg.norm(self.obstacles[:, :2] - point, axis=1) - self.obstacles[:, 2]
        return bool((apart > CLEAR_M).all()) and self.zone.sees(point)

    def ways(self, chance: Random) -> tuple[Array, Array]:
        """A way in and another one out, mostly the ends of the zone's own way."""
        gates, along = list(self.zone.gates), self.zone.along
        if along == 2 and chance.random() < 0.65:
            pair = gates[:2]
            chance.shuffle(pair)
        else:
            pair = chance.sample(gates, 2)
        return pair[0], pair[1]


def through(place: Place, chance: Random) -> tuple[Stop, ...]:
    """In, near the middle, out."""
    way_in, way_out = place.ways(chance)
    return Stop(way_in), Stop(place.spot(chance, 0.3)), Stop(way_out)


def pausing(place: Place, chance: Random, wait_s: float) -> tuple[Stop, ...]:
    """In, stop and look somewhere, out."""
    way_in, way_out = place.ways(chance)
    spot = place.spot(chance)
    look = spot + np.array([chance.uniform(-2, 2), chance.uniform(-2, 2)])
    return Stop(way_in), Stop(spot, wait_s, look), Stop(way_out)


def wandering(place: Place, chance: Random) -> tuple[Stop, ...]:
    """In, here and there, out."""
    way_in, way_out = place.ways(chance)
    between = [
        Stop(place.spot(chance, 0.8), chance.choice((0.5, 2.0, 4.0)), place.spot(chance)) for _ in range(3)
    ]
    return Stop(way_in), *between, Stop(way_out)


def turning_back(place: Place, chance: Random) -> tuple[Stop, ...]:
    """In, a look, and out where one came in."""
    way_in, _ = place.ways(chance)
    spot = place.spot(chance, 0.25)
    beyond = spot + 0.35 * (spot - way_in) / np.linalg.norm(spot - way_in)
    turn = beyond if place.is_free(beyond) else spot
    return Stop(way_in), Stop(turn, 0.7, turn + (turn - way_in)), Stop(way_in)


def meeting(place: Place, chance: Random, apart_m: float, wait_s: float) -> list[tuple[Stop, ...]]:
    """Two who stand before each other for a while."""
    way_in, way_out = place.ways(chance)
    middle, angle = place.spot(chance, 0.45), chance.uniform(0.0, 6.28)
    half = 0.5 * apart_m * np.array([np.cos(angle), np.sin(angle)])
    spots = [middle - half, middle + half]
    if np.linalg.norm(spots[0] - way_in) > np.linalg.norm(spots[1] - way_in):
        spots.reverse()
    first = Stop(way_in), Stop(spots[0], wait_s, spots[1]), Stop(way_in)
    second = Stop(way_out), Stop(spots[1], wait_s, spots[0]), Stop(way_out)
    return [first, second]


def queueing(
    place: Place, chance: Random, front: tuple[Array, Array], apart_m: float, count: int
) -> list[tuple[Stop, ...]]:
    """A queue of so many: the first stands at `front[0]` and looks at `front[1]`, the others behind."""
    spot, desk = front
    back = (spot - desk) / np.linalg.norm(spot - desk)
    lines = []
    for k in range(count):
        way_in, way_out = place.ways(chance)
        line = [Stop(spot + slot * apart_m * back, 4.0, desk) for slot in range(k, -1, -1)]
        line[0] = replace(line[0], wait_s=9.0 - 1.5 * k)
        lines.append((Stop(way_in), *line, Stop(way_out)))
    return lines
