"""To whom hand-overs from camera to camera were given: to the same person, to nobody, to somebody else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from engines.evaluate.visits import Visit, hand_over_pairs

Outcome = Literal["same identity", "another of their own", "somebody else's", "none"]
OUTCOMES: tuple[Outcome, ...] = ("same identity", "another of their own", "somebody else's", "none")


@dataclass(frozen=True, slots=True)
class HandOver:
    """One person who left one camera and came to another, and what they were called there. `taken_for` is whose the
    identity is that they got, if it is somebody else's.
    """

    before: Visit
    after: Visit
    outcome: Outcome
    taken_for: int | None = None


def hand_overs_of(visits: Iterable[Visit], owner_of: Mapping[str, int]) -> tuple[HandOver, ...]:
    """Every hand-over, in the order of time. `owner_of` says on which person most frames of an identity are."""
    found = [_hand_over(before, after, owner_of) for before, after in hand_over_pairs(visits)]
    return tuple(sorted(found, key=lambda one: (one.after.begun_ns, one.after.person)))


def by_cameras(hand_overs: Iterable[HandOver]) -> dict[tuple[str, str], Counter[Outcome]]:
    """How many hand-overs from one camera to another ended how."""
    counts: dict[tuple[str, str], Counter[Outcome]] = {}
    for one in hand_overs:
        counts.setdefault((one.before.camera_id, one.after.camera_id), Counter())[one.outcome] += 1
    return dict(sorted(counts.items()))


def _hand_over(before: Visit, after: Visit, owner_of: Mapping[str, int]) -> HandOver:
    if not after.identity:
        return HandOver(before, after, "none")
    if after.identity == before.identity:
        return HandOver(before, after, "same identity")
    owner = owner_of[after.identity]
    if owner != after.person:
        return HandOver(before, after, "somebody else's", owner)
    return HandOver(before, after, "another of their own")
