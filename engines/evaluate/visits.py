"""Visits of people to cameras, and whether who came by two of them was given one identity."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

import numpy as np
from numpy.typing import NDArray

from engines.evaluate.truth import CameraTruth


@dataclass(frozen=True, slots=True)
class Visit:
    """One person in one camera's view, without a gap. `counts` says whether it was long enough to be asked about."""

    person: int
    camera_id: str
    begun_ns: int
    ended_ns: int
    counts: bool
    identity: str  # the one that most of its frames got; empty where none did


@dataclass(frozen=True, slots=True)
class Share:
    """How many of how many."""

    kept: int
    total: int

    @property
    def share(self) -> float:
        """From 0 to 1; NaN of nothing."""
        return self.kept / self.total if self.total else float("nan")


def visit_numbers(truth: CameraTruth, gap_s: float) -> NDArray[np.int64]:
    """The visit that each row belongs to, (n,), from 0: a person not there for more than `gap_s` begins another."""
    order = np.lexsort((truth.captured_ns, truth.people))
    is_other = np.diff(truth.people[order]) != 0
    is_later = np.diff(truth.captured_ns[order]) > gap_s * 1e9
    numbers = np.zeros(len(truth), np.int64)
    numbers[order[1:]] = np.cumsum(is_other | is_later)
    return numbers


def visits_of(truth: CameraTruth, identities: Sequence[str], gap_s: float, min_s: float) -> list[Visit]:
    """The visits to a camera. `identities` (n,) are those that the rows of truth got, empty where they got none;
    visits count if the rows of them that do span `min_s`.
    """
    numbers = visit_numbers(truth, gap_s)
    counts, names = truth.counts, np.array(identities, str)
    visits = []
    for number in range(int(numbers.max(initial=-1)) + 1):
        rows = np.flatnonzero(numbers == number)
        times_ns, counted_ns = truth.captured_ns[rows], truth.captured_ns[rows[counts[rows]]]
        visits.append(
            Visit(
                person=int(truth.people[rows[0]]),
                camera_id=truth.camera_id,
                begun_ns=int(times_ns.min()),
                ended_ns=int(times_ns.max()),
                counts=len(counted_ns) > 0 and float(np.ptp(counted_ns)) >= min_s * 1e9,
                identity=_most(names[rows].tolist()),
            )
        )
    return visits


def hand_overs(visits: Iterable[Visit]) -> Share:
    """Of consecutive visits of one person to two cameras, how many carry one identity."""
    return _kept(hand_over_pairs(visits))


def hand_over_pairs(visits: Iterable[Visit]) -> Iterator[tuple[Visit, Visit]]:
    """The consecutive visits of one person to two cameras."""
    pairs = (pair for one in _by_person(visits) for pair in pairwise(v for v in one if v.counts))
    return ((a, b) for a, b in pairs if a.camera_id != b.camera_id)


def returns(visits: Iterable[Visit], after_s: float) -> Share:
    """Of people who come back when no camera has seen them for `after_s`, how many keep their identity."""
    return _kept(pair for one in _by_person(visits) for pair in _around_absences(one, after_s))


def _around_absences(visits: Sequence[Visit], after_s: float) -> Iterator[tuple[Visit, Visit]]:
    """The visits of one person before and after each long absence, whatever short one came between."""
    known: Visit | None = None
    seen_ns, is_back = visits[0].ended_ns, False
    for visit in visits:
        is_back |= visit.begun_ns - seen_ns >= after_s * 1e9
        if visit.counts:
            if known is not None and is_back:
                yield known, visit
            known, is_back = visit, False
        seen_ns = max(seen_ns, visit.ended_ns)


def _by_person(visits: Iterable[Visit]) -> Iterator[list[Visit]]:
    ordered = sorted(visits, key=lambda visit: (visit.person, visit.begun_ns, visit.camera_id))
    return (list(one) for _, one in groupby(ordered, key=lambda visit: visit.person))


def _kept(pairs: Iterable[tuple[Visit, Visit]]) -> Share:
    is_kept = [a.identity == b.identity != "" for a, b in pairs]
    return Share(sum(is_kept), len(is_kept))


def _most(names: Sequence[str]) -> str:
    """The name that is there most often, the first of those; empty where there is none."""
    counts = Counter(name for name in names if name)
    return max(counts, key=counts.__getitem__, default="")
