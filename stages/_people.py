"""Everybody whom the matcher knows, found by what they look like and by when they were seen, so that nobody needs to
be weighed against all of them. What is found depends on who is known alone, not on how that came about.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from heapq import heapify, heappop, heappush
from itertools import islice

from pipeline.keyed import Changes, Key, Keyed
from pipeline.messages import Identity, Sighting
from stages._looks import Looks
from stages._review import together

FEW = 256  # so many are weighed all
ALIKE = 32  # sightings of others that a sighting is weighed against, of those that look most like it
LATELY_S = 60.0  # who was seen since then may have walked over, whatever they look like


class People(Keyed[Identity]):
    """Identities by name, in the order in which they were last put."""

    def __init__(self) -> None:
        super().__init__()
        self._looks: dict[str, Looks] = {}  # by kind
        self._here: dict[Key, None] = {}  # who is not lost, in the order of all
        self._lately: dict[Key, None] = {}  # who was seen lately, in the order of all
        self._lately_ns = -math.inf  # since then
        self._by_seen = _Longest(lambda who: who.seen_ns)
        self._by_looks = _Longest(_first_look_ns)

    def put(self, key: Key, value: Identity) -> None:
        before = self._values.get(key)
        super().put(key, value)
        self._found(key, value, before)

    def delete(self, key: Key) -> None:
        before = self._values.get(key)
        super().delete(key)
        if before is not None:
            self._gone(key, before)

    def apply(self, changes: Changes[Identity]) -> None:
        for key in (*changes.deleted, *changes.put):
            if before := self._values.get(key):
                self._gone(key, before)
        super().apply(changes)
        for key, value in changes.put.items():
            self._found(key, value, None)

    def here(self) -> tuple[Identity, ...]:
        """Who is not lost."""
        return tuple(self._values[key] for key in self._here)

    def seen_since(self, since_ns: int) -> list[Identity]:
        """Of those who were seen lately who was seen since then."""
        lately = [self._values[key] for key in self._lately]
        return [who for who in lately if who.seen_ns >= since_ns]

    def unseen_since(self, since_ns: float) -> list[Identity]:
        """Who was last seen before that."""
        return self._by_seen.before(since_ns, self._values)

    def beyond(self, most: int) -> list[Identity]:
        """As many of those who are lost as there are too many, the longest unseen first."""
        return self._by_seen.first(len(self) - most, self._values, lambda who: who.is_lost)

    def looked_at_before(self, since_ns: float) -> list[Identity]:
        """Of whom a tracklet that is over, or has been looked at, began before that."""
        return self._by_looks.before(since_ns, self._values)

    def pass_to(self, since_ns: int) -> None:
        """Who was not seen since then is no more of those who were seen lately."""
        self._lately_ns = since_ns
        for key in [key for key in self._lately if self._values[key].seen_ns < since_ns]:
            del self._lately[key]

    def alike_to(self, people: Sequence[Identity], since_ns: int) -> list[list[Identity]]:
        """For each of these who may be the same person, by what was seen of them since then."""
        shown = [
            [one for one in who.sightings if one.tracklet.seen_ns >= since_ns] or who.sightings[-1:]
            for who in people
        ]
        found = iter(self.alike([one for some in shown for one in some]))
        return [together(*islice(found, len(some))) for some in shown]

    def alike(self, sightings: Sequence[Sighting]) -> list[list[Identity]]:
        """For each of these who may be the same person: everybody where there are few; else those who look most like
        it, and who was seen lately.
        """
        if len(self) <= FEW:
            return [list(self._values.values())] * len(sightings)
        lately = set(self._lately)
        found = [set(lately) for _ in sightings]
        for kind, looks in self._looks.items():
            asked = [number for number, one in enumerate(sightings) if one.votes and _kind(one) == kind]
            near = looks.near([sightings[number] for number in asked], ALIKE)
            for number, those in zip(asked, near, strict=True):
                found[number] |= those
        every = sorted(
            ((key, self._values[key]) for key in set[Key]().union(*found)), key=lambda one: _age(one[1])
        )
        return [[who for key, who in every if key in those] for those in found]

    def _found(self, key: Key, who: Identity, before: Identity | None) -> None:
        for some, is_in in ((self._here, not who.is_lost), (self._lately, who.seen_ns >= self._lately_ns)):
            some.pop(key, None)
            if is_in:
                some[key] = None
        self._by_seen.put(key, who, before)
        self._by_looks.put(key, who, before)
        known = {one.tracklet.tracklet_id: one for one in before.sightings} if before else {}
        for one in who.sightings:
            old = known.pop(one.tracklet.tracklet_id, None)
            if old is None or old.looks is not one.looks:
                self._look(key, one)
        for old in known.values():
            self._unlook(key, old)

    def _gone(self, key: Key, who: Identity) -> None:
        self._here.pop(key, None)
        self._lately.pop(key, None)
        for one in who.sightings:
            self._unlook(key, one)

    def _look(self, key: Key, one: Sighting) -> None:
        if one.votes:
            kind = _kind(one)
            if kind not in self._looks:
                self._looks[kind] = Looks()
            self._looks[kind].put(key, one)
        else:
            for looks in self._looks.values():
                looks.remove(key, one.tracklet.tracklet_id)

    def _unlook(self, key: Key, one: Sighting) -> None:
        for looks in self._looks.values():
            looks.remove(key, one.tracklet.tracklet_id)


class _Longest:
    """Identities by a time that mostly moves on, the longest ago first. What has moved on since is put back when it is
    met.
    """

    def __init__(self, at_ns: Callable[[Identity], float]) -> None:
        self._at_ns = at_ns
        self._heap: list[tuple[float, Key]] = []

    def put(self, key: Key, who: Identity, before: Identity | None) -> None:
        at_ns = self._at_ns(who)
        if before is None or at_ns < self._at_ns(before):
            heappush(self._heap, (at_ns, key))

    def before(self, since_ns: float, known: dict[Key, Identity]) -> list[Identity]:
        found: dict[Key, Identity] = {}
        while self._heap and self._heap[0][0] < since_ns:
            _, key = heappop(self._heap)
            if key in known and key not in found:
                if self._at_ns(known[key]) < since_ns:
                    found[key] = known[key]
                else:
                    heappush(self._heap, (self._at_ns(known[key]), key))
        for key, who in found.items():
            heappush(self._heap, (self._at_ns(who), key))
        if len(self._heap) > 2 * len(known) + FEW:  # of who is not known any more
            self._heap = [(self._at_ns(who), key) for key, who in known.items()]
            heapify(self._heap)
        return sorted(found.values(), key=_age)

    def first(
        self, count: int, known: dict[Key, Identity], fits: Callable[[Identity], bool]
    ) -> list[Identity]:
        """So many, or fewer, of those that fit."""
        met: dict[Key, Identity] = {}
        found: list[Identity] = []
        while self._heap and len(found) < count:
            at_ns, key = heappop(self._heap)
            if key not in known or key in met:
                continue
            if self._at_ns(known[key]) > at_ns:
                heappush(self._heap, (self._at_ns(known[key]), key))
                continue
            met[key] = known[key]
            found += [known[key]] if fits(known[key]) else []
        for key, who in met.items():
            heappush(self._heap, (self._at_ns(who), key))
        return found


def _first_look_ns(who: Identity) -> float:
    """When the first tracklet began that is over, or was looked at."""
    begun = (one.tracklet.opened_ns for one in who.sightings if one.votes or not one.is_open)
    return min(begun, default=math.inf)


def _age(who: Identity) -> tuple[int, str]:
    return who.appeared_ns, who.identity_id


def _kind(one: Sighting) -> str:
    return f"{one.kind}/{len(one.looks)}"
