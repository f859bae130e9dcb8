"""Looks back at what has been decided: two identities may prove to be one person, a tracklet somebody else's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.messages import Identity, Sighting
from stages._evidence import NEVER, Evidence


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


def merge_of(people: Sequence[Identity], evidence: Evidence, least: float, since_ns: int) -> Merge | None:
    """The two that are most surely one, if one of them has been seen since then and the evidence is enough."""
    ordered = sorted(people, key=lambda who: (who.appeared_ns, who.identity_id))
    pairs = [(later, earlier) for number, later in enumerate(ordered) for earlier in ordered[:number]]
    recent = [pair for pair in pairs if max(map(_seen_ns, pair)) >= since_ns]
    found = [Merge(later, earlier, _together(later, earlier, evidence)) for later, earlier in recent]
    best = max(found, key=lambda merge: merge.evidence, default=None)
    return best if best and best.evidence >= least else None


def split_of(people: Sequence[Identity], evidence: Evidence, most: float, least: float) -> Split | None:
    """The tracklet that fits the person worst to whom it was given, if the evidence against it is enough; it goes
    to whom it fits best, if that is enough too.
    """
    found = [fit for who in people if len(who.sightings) > 1 for fit in _fits(who, evidence)]
    worst = min(found, key=lambda split: split.evidence, default=None)
    if worst is None or worst.evidence > most:
        return None
    others = [who for who in people if who is not worst.who]
    fits = [evidence.between(worst.sighting, who.sightings) for who in others]
    best = int(np.argmax(fits)) if fits else 0
    home = others[best] if fits and fits[best] >= least else None
    return Split(worst.who, worst.sighting, home, worst.evidence)


def _fits(who: Identity, evidence: Evidence) -> list[Split]:
    rests = [[other for other in who.sightings if other is not one] for one in who.sightings]
    pairs = zip(who.sightings, rests, strict=True)
    return [Split(who, one, None, evidence.between(one, rest)) for one, rest in pairs]


def _together(a: Identity, b: Identity, evidence: Evidence) -> float:
    """Of each sighting of the one with all of the other, on average."""
    less, more = sorted((a, b), key=lambda who: len(who.sightings))
    fits = [evidence.between(one, more.sightings) for one in less.sightings]
    return NEVER if min(fits) <= NEVER else float(np.mean(fits))


def _seen_ns(who: Identity) -> int:
    return max(one.tracklet.seen_ns for one in who.sightings)
