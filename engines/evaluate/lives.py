"""Whom each person was taken for, moment by moment: what a switch looks like, and who fared worst."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engines.evaluate.clear import NOBODY, continued
from engines.evaluate.sequence import MATCHED_FROM, Sequence


class Stretch(NamedTuple):
    """Frames, of those in which a person was there, over which they were taken for one id; or for `NOBODY`."""

    said: int
    first: int
    last: int


@dataclass(frozen=True, slots=True, eq=False)
class Life:
    """One true id: the frames of the sequence that have it, and what was said of it in each."""

    person: int
    frames: NDArray[np.int64]  # (n,), places in the sequence
    said: NDArray[np.int64]  # (n,), `NOBODY` where they were missed

    @property
    def stretches(self) -> list[Stretch]:
        """What was said, in runs of the same."""
        ends = np.flatnonzero(np.diff(self.said)) + 1
        bounds = zip([0, *ends.tolist()], [*ends.tolist(), len(self.said)], strict=True)
        return [Stretch(int(self.said[a]), int(self.frames[a]), int(self.frames[b - 1])) for a, b in bounds]

    @property
    def switches(self) -> list[tuple[int, int]]:
        """Frames of the sequence between which they went over to another id: the last with one, the first with the
        other.
        """
        found = np.flatnonzero(self.said != NOBODY)
        changes = np.flatnonzero(np.diff(self.said[found]))
        return [(int(self.frames[found[i]]), int(self.frames[found[i + 1]])) for i in changes.tolist()]

    @property
    def ids(self) -> int:
        """By how many ids they went."""
        return len(np.unique(self.said[self.said != NOBODY]))

    @property
    def missed(self) -> float:
        """The share of their frames in which nobody was said to be there."""
        return float(np.mean(self.said == NOBODY))


def lives_of(sequence: Sequence, from_similarity: float = MATCHED_FROM) -> list[Life]:
    """Of every true id, matched as CLEAR does: who was matched before stays matched."""
    frames: dict[int, list[int]] = {}
    said: dict[int, list[int]] = {}
    before: dict[int, int] = {}
    for number, (truth, found, similarity) in enumerate(sequence):
        latest = np.array([before.get(one, NOBODY) for one in truth.tolist()], np.int64)
        rows, columns = continued(found, similarity, latest, from_similarity)
        now = dict(zip(truth[rows].tolist(), found[columns].tolist(), strict=True))
        if similarity.size:
            before = now
        for one in truth.tolist():
            frames.setdefault(one, []).append(number)
            said.setdefault(one, []).append(now.get(one, NOBODY))
    return [Life(one, np.array(frames[one]), np.array(said[one])) for one in sorted(frames)]


def worst(lives: list[Life]) -> list[Life]:
    """Who went over to other ids most often, and of those who as often, who was missed most."""
    return sorted(lives, key=lambda life: (-len(life.switches), -life.missed, life.person))
