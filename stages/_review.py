"""Looks back at what has been decided: two identities may prove to be one person, a tracklet somebody else's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
        self._evidence = evidence
        self.numbers = {who.identity_id: number for number, who in enumerate(people)}
        ends = np.cumsum([0, *(len(who.sightings) for who in people)]).tolist()
        self.rows = [range(start, end) for start, end in zip(ends, ends[1:], strict=False)]
        known = [one for who in people for one in who.sightings]
        self._waiting = range(len(known), len(known) + len(waiting))
        self._table = SightingTable([*known, *waiting])

    def of_waiting(self, near: Sequence[Sequence[Identity]]) -> NDArray[np.float64]:
        """For each who waits being each of the people; NEVER of those who are not near them."""
        known = np.array([self.numbers[who.identity_id] for those in near for who in those], np.intp)
        fits = np.full((len(near), len(self.rows)), NEVER)
        if len(known):
            new = np.repeat(np.arange(len(near)), [len(those) for those in near])
            waiting = np.array(self._waiting, np.intp)[new]
            fits[new, known] = self._evidence.between(self._table, waiting, padded(self.rows)[known])
        return fits

    def between(self, new: Sequence[int], groups: Sequence[Sequence[int] | range]) -> NDArray[np.float64]:
        """For each row being of the person of a group of rows."""
        return self._evidence.between(self._table, np.asarray(new, np.intp), padded(groups))


def together(*some: Sequence[Identity]) -> list[Identity]:
    """Everybody who is in any of these, once."""
    return list({who.identity_id: who for those in some for who in those}.values())


@dataclass(frozen=True, slots=True)
class Review:
    """Looks at people again. `alike` says for each sighting who may be the same person."""

    evidence: Evidence
    alike: Callable[[Sequence[Sighting]], Sequence[Sequence[Identity]]]

    def merge(
        self, seen: Sequence[Identity], near: Sequence[Sequence[Identity]], least: float
    ) -> Merge | None:
        """The two that are most surely one, one seen and the other near, if the evidence is enough."""
        ordered = sorted(together(seen, *near), key=lambda who: (who.appeared_ns, who.identity_id))
        gallery = Gallery(ordered, self.evidence)
        known = [
            (gallery.numbers[who.identity_id], gallery.numbers[other.identity_id])
            for who, those in zip(seen, near, strict=True)
            for other in those
        ]
        pairs = sorted(
            {(max(n, m), min(n, m)) for n, m in known if n != m and not ordered[n].is_apart(ordered[m])}
        )
        if not pairs:
            return None
        sizes = [len(rows) for rows in gallery.rows]
        less_more = [(n, m) if sizes[n] <= sizes[m] else (m, n) for n, m in pairs]
        new = [row for less, _ in less_more for row in gallery.rows[less]]
        groups = [gallery.rows[more] for less, more in less_more for _ in gallery.rows[less]]
        fits = gallery.between(new, groups)
        starts = np.cumsum([0, *(sizes[less] for less, _ in less_more)])[:-1]
        worst = np.minimum.reduceat(fits, starts)
        mean = np.add.reduceat(fits, starts) / [sizes[less] for less, _ in less_more]
        fit = np.where(worst <= NEVER, NEVER, mean)
        best = int(np.argmax(fit))
        later, earlier = pairs[best]
        return Merge(ordered[later], ordered[earlier], float(fit[best])) if fit[best] >= least else None

    def split(self, seen: Sequence[Identity], most: float, least: float, since_ns: int) -> Split | None:
        """Of those seen since then, the tracklet that fits the person worst to whom it was given, if the evidence
        against it is enough; it goes to whom it fits best, if that is enough too. Else one that was itself seen since
        then, and fits somebody else better by as much: two who were taken for each other are put right one after the
        other.
        """
        gallery = Gallery(seen, self.evidence)
        given = [
            (Split(who, one, None, 0.0), row, [other for other in rows if other != row])
            for who, rows in zip(seen, gallery.rows, strict=True)
            for one, row in zip(who.sightings, rows, strict=True)
            if len(rows) > 1 and not one.is_settled
        ]
        if not given:
            return None
        fits = gallery.between([row for _, row, _ in given], [rest for _, _, rest in given])
        doubted = [replace(one, evidence=float(fit)) for (one, _, _), fit in zip(given, fits, strict=True)]
        worst = min(doubted, key=lambda one: one.evidence)
        if worst.evidence <= most:
            ((split, fits_home),) = self._homes([worst])
            return split if fits_home >= least else replace(split, home=None)
        moves = self._homes([one for one in doubted if one.sighting.tracklet.seen_ns >= since_ns])
        if not moves:
            return None
        split, fits_home = max(moves, key=lambda move: move[1] - move[0].evidence)
        if fits_home < least or split.evidence - fits_home > most:
            return None
        return replace(split, evidence=split.evidence - fits_home)

    def _homes(self, doubted: Sequence[Split]) -> list[tuple[Split, float]]:
        """Each taken to whom of the others it fits best; and how well."""
        sightings = [one.sighting for one in doubted]
        near = [
            [who for who in those if who.identity_id != one.who.identity_id and not who.is_apart(one.who)]
            for one, those in zip(doubted, self.alike(sightings), strict=True)
        ]
        people = together(*near)
        homes = []
        for one, fits in zip(
            doubted, Gallery(people, self.evidence, sightings).of_waiting(near), strict=True
        ):
            best = int(np.argmax(fits)) if people else 0
            home, fit = (people[best], float(fits[best])) if people and fits[best] > NEVER else (None, NEVER)
            homes.append((replace(one, home=home), fit))
        return homes
