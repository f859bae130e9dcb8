"""Who is where, when: each person's visits to the zones, from before the first picture to after the last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from random import Random

import numpy as np
from numpy.typing import NDArray

from engines.people.crowd import ROOM_M, Person
from engines.people.errands import (
    Place,
    Stop,
    Visit,
    meeting,
    pausing,
    queueing,
    through,
    turning_back,
    wandering,
)

Array = NDArray[np.float64]

BEFORE_S = 12.0  # people are on their way this long before the first picture
AWAY_S = 60.5  # those who come back stay away this long
LONG_S = 100.0  # a time in which somebody can
STANDS_S = (12.0, 16.0)
FRIENDS_M = 0.49  # apart at most, unless they are broad


@dataclass(frozen=True, eq=False)
class Desk:
    """Where people queue: in a place, before a point, looking at another."""

    place: int
    spot: Array
    looks: Array


@dataclass
class Schedule:
    """Draws up the visits of a crowd."""

    people: Sequence[Person]
    places: Sequence[Place]
    seconds: float
    desk: Desk
    chance: Random
    _fixed: dict[int, list[Visit]] = field(default_factory=dict, init=False)

    def visits(self) -> list[list[Visit]]:
        """Each person's visits, in order."""
        single = [person.number for person in self.people if not person.friend]
        self.chance.shuffle(single)
        always = single[: len(self.people) - self._coming_back]
        plain = [number for number in always if not set(ROOM_M) & set(self.people[number - 1].roles)]
        self._appoint(plain)
        plans: dict[int, list[Visit]] = {}
        for person in self.people:
            if person.friend in plans:
                room = person.radius_m + self.people[person.friend - 1].radius_m
                by_m = self.chance.uniform(room + 0.02, max(room + 0.05, FRIENDS_M))
                plans[person.number] = [visit.beside(by_m) for visit in plans[person.friend]]
            else:
                plans[person.number] = self._visits_of(person, person.number in always)
        return [plans[person.number] for person in self.people]

    @property
    def _coming_back(self) -> int:
        """How many are away for long and come back, if there is time for it."""
        return 3 * len(self.people) // 5 if self.seconds >= LONG_S else 0

    def _visits_of(self, person: Person, always: bool) -> list[Visit]:
        order = list(range(len(self.places)))
        self.chance.shuffle(order)
        if always or self.seconds < LONG_S:
            start = self.chance.uniform(-BEFORE_S, min(4.0, 0.4 * self.seconds - 5.0))
            return self._filled(person, (start, self.seconds), order)
        start = self.chance.uniform(-3.0, 6.0)
        latest = self.seconds - AWAY_S - 20.0  # so as to be seen again
        leaves = min(latest, start + self.chance.uniform(24.0, 38.0))
        first = self._filled(person, (start, leaves), order)
        back = first[-1].start_s + first[-1].seconds(person.speed_m_s) + AWAY_S
        second = self._filled(person, (back, self.seconds), order)
        return [*first, replace(second[0], away_s=AWAY_S), *second[1:]]

    def _filled(self, person: Person, span: tuple[float, float], order: list[int]) -> list[Visit]:
        """Visits that take so long, zone after zone; what is fixed comes when it is due."""
        fixed = sorted(self._fixed.get(person.number, []), key=lambda visit: visit.start_s)
        now, end = span
        visits: list[Visit] = []
        while not visits or now < end - 4.0:
            visit = self._next(person, now, order, len(visits))
            if fixed and fixed[0].start_s <= now + visit.seconds(person.speed_m_s) + 6.0:
                visit = replace(fixed.pop(0), start_s=max(now, visit.start_s))
            visits.append(visit)
            now += visit.seconds(person.speed_m_s) + self._walk_s(visit.zone, order[0], person)
            now += self.chance.uniform(0.0, 2.0)
        return visits

    def _next(self, person: Person, now: float, order: list[int], count: int) -> Visit:
        """The next zone of somebody's round, and what they do there."""
        zone = order.pop(0)
        order.append(zone)
        kind = (person.number + count) % 8  # so that somebody does each of them
        return Visit(now, zone, self._errand(self.places[zone], kind))

    def _errand(self, place: Place, kind: int) -> tuple[Stop, ...]:
        if kind == 1:
            return turning_back(place, self.chance)
        if kind == 3:
            return pausing(place, self.chance, self.chance.uniform(*STANDS_S))
        if kind in (5, 6):
            return pausing(place, self.chance, self.chance.uniform(3.0, 9.0))
        if kind in (2, 7):
            return wandering(place, self.chance)
        return through(place, self.chance)

    def _walk_s(self, zone: int, other: int, person: Person) -> float:
        """About how long the unseen way to the next zone takes."""
        here, there = self.places[zone].zone, self.places[other].zone
        far = float(np.linalg.norm(here.middle - there.middle)) - 5.0
        return max(1.0, far) / person.speed_m_s

    def _appoint(self, free: list[int]) -> None:
        """Queues and meetings of people who are about all the time."""
        chance = self.chance
        rounds = max(1, int(len(free) * self.seconds / 480.0)) if self.seconds >= 20.0 else 0
        for turn in range(rounds):
            length = self.seconds / rounds
            start = (turn + chance.uniform(0.10, 0.25)) * length
            self._queue(free[:3], start)
            free = free[3:] + free[:3]
            if len(free) > 1:
                self._meet(free[-1], free[0], start + chance.uniform(0.35, 0.5) * length)

    def _queue(self, numbers: Sequence[int], start_s: float) -> None:
        apart = 2.0 * max((self.people[number - 1].radius_m for number in numbers), default=0.2)
        apart += self.chance.uniform(0.0, 0.05)
        place = self.places[self.desk.place]
        lines = queueing(place, self.chance, (self.desk.spot, self.desk.looks), apart, len(numbers))
        for k, (number, stops) in enumerate(zip(numbers, lines, strict=True)):
            self._fixed.setdefault(number, []).append(Visit(start_s + 2.2 * k, self.desk.place, stops))

    def _meet(self, one: int, other: int, start_s: float) -> None:
        room = self.people[one - 1].radius_m + self.people[other - 1].radius_m
        apart = room + self.chance.uniform(0.01, 0.2)
        zone = self.chance.randrange(len(self.places))
        both = meeting(self.places[zone], self.chance, apart, self.chance.uniform(6.0, 10.0))
        for number, stops in zip((one, other), both, strict=True):
            self._fixed.setdefault(number, []).append(Visit(start_s, zone, stops))
