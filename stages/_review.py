"""Looks back at what has been decided: two identities may prove to be one person, a tracklet somebody else's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pipeline.messages import Identity, Sighting
from stages._evidence import NEVER, Evidence, SightingTable, padded


@dataclass(frozen=True, slots=True)
class Merge:
    """`later` is the same person as `earlier`."""

    later: Identity
    earlier: Identity
    evidence: float


@dataclass(frozen=True, slots=True)
class Split:
    """`sighting` is not of `who`, but of `home`, or of somebody new."""

    who: Identity
    sighting: Sighting
    home: Identity | None
    evidence: float


class Gallery:
    """People and those who wait to be given to one, in one table, to be asked for evidence."""

    def __init__(
        self, people: Sequence[Identity], evidence: Evidence, waiting: Sequence[Sighting] = ()
    ) -> None:
        self.people = people
        self._evidence = evidence
        ends = np.cumsum([0, *(len(who.sightings) for who in people)]).tolist()
        self.rows = [range(start, end) for start, end in zip(ends, ends[1:], strict=False)]
        known = [one for who in people for one in who.sightings]
        self._waiting = np.arange(len(known), len(known) + len(waiting))
        self._table = SightingTable([*known, *waiting])

    def of_waiting(self) -> NDArray[np.float64]:
        """For each who waits being each of the people."""
        shape = len(self._waiting), len(self.people)
        new = np.repeat(self._waiting, shape[1])
        return self.between(new, [*self.rows] * shape[0]).reshape(shape)

    def sighting(self, number: int, row: int) -> Sighting:
        """That of a row of this person."""
        return self.people[number].sightings[row - self.rows[number].start]

    def split(self, number: int, row: int, fit: float) -> tuple[Split, float]:
        """A row of this person, whom it fits so well, taken to whom of the others it fits best; and how well."""
        others = [other for other in range(len(self.people)) if other != number]
        fits = self.between([row] * len(others), [self.rows[other] for other in others])
        best = int(np.argmax(fits)) if others else 0
        home, fits_home = (self.people[others[best]], float(fits[best])) if others else (None, NEVER)
        return Split(self.people[number], self.sighting(number, row), home, fit), fits_home

    def between(
        self, new: Sequence[int] | NDArray[np.intp], groups: Sequence[Sequence[int] | range]
    ) -> NDArray[np.float64]:
        """For each row being of the person of a group of rows."""
        return self._evidence.between(self._table, np.asarray(new, np.intp), padded(groups))


def merge_of(people: Sequence[Identity], evidence: Evidence, least: float, since_ns: int) -> Merge | None:
    """The two that are most surely one, if one of them has been seen since then and the evidence is enough."""
    ordered = sorted(people, key=lambda who: (who.appeared_ns, who.identity_id))
    seen = [who.seen_ns >= since_ns for who in ordered]
    pairs = [(n, m) for n in range(len(ordered)) for m in range(n) if seen[n] or seen[m]]
    if not pairs:
        return None
    gallery = Gallery(ordered, evidence)
    sizes = [len(rows) for rows in gallery.rows]
    less_more = [(n, m) if sizes[n] <= sizes[m] else (m, n) for n, m in pairs]
    new = [row for less, _ in less_more for row in gallery.rows[less]]
    groups = [gallery.rows[more] for less, more in less_more for _ in gallery.rows[less]]
    fits = gallery.between(new, groups)
    starts = np.cumsum([0, *(sizes[less] for less, _ in less_more)])[:-1]
    worst = np.minimum.reduceat(fits, starts)
    mean = np.add.reduceat(fits, starts) / [sizes[less] for less, _ in less_more]
    together = np.where(worst <= NEVER, NEVER, mean)
    best = int(np.argmax(together))
    later, earlier = pairs[best]
    return Merge(ordered[later], ordered[earlier], float(together[best])) if together[best] >= least else None


def split_of(
    people: Sequence[Identity], evidence: Evidence, most: float, least: float, since_ns: int
) -> Split | None:
    """Of those seen since then, the tracklet that fits the person worst to whom it was given, if the evidence against
    it is enough; it goes to whom it fits best, if that is enough too. Else one that was itself seen since then, and
    fits somebody else better by as much: two who were taken for each other are put right one after the other.
    """
    gallery = Gallery(people, evidence)
    doubted = [
        (number, row)
        for number, (who, rows) in enumerate(zip(people, gallery.rows, strict=True))
        if len(rows) > 1 and who.seen_ns >= since_ns
        for row in rows
    ]
    if not doubted:
        return None
    rests = [[other for other in gallery.rows[number] if other != row] for number, row in doubted]
    fits = gallery.between([row for _, row in doubted], rests)
    worst = int(np.argmin(fits))
    if fits[worst] <= most:
        split, fits_home = gallery.split(*doubted[worst], float(fits[worst]))
        return split if fits_home >= least else replace(split, home=None)
    moves = [
        gallery.split(*of, float(fit))
        for of, fit in zip(doubted, fits, strict=True)
        if gallery.sighting(*of).tracklet.seen_ns >= since_ns
    ]
    if not moves:
        return None
    split, fits_home = max(moves, key=lambda move: move[1] - move[0].evidence)
    if fits_home < least or split.evidence - fits_home > most:
        return None
    return replace(split, evidence=split.evidence - fits_home)
