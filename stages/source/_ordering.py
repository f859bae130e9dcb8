"""Puts pictures that lie out of order in a recording into the order of their stamps, holding back one second."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from heapq import heappop, heappush
from itertools import count

from stages.source._moments import JUMP_MS, Shot

STOPPED_MS = 4 * JUMP_MS


def in_order(shots: Iterable[Shot]) -> Iterator[Shot]:
    """All of them, those of one clock in the order of their stamps, as far as they came within JUMP_MS."""
    ordering = Ordering()
    for shot in shots:
        yield from ordering.add(shot)
    yield from ordering.finish()


class Ordering:
    """Sorts the pictures of each clock over the places in the recording that they take together: stamps of different
    clocks cannot be compared. A stamp that goes back by more than JUMP_MS begins anew.
    """

    def __init__(self) -> None:
        self._places: deque[tuple[str, dict[str, float]]] = deque()  # a clock, and how far each one was then
        self._held: dict[str, list[tuple[float, int, Shot]]] = {}  # heaps, by clock
        self._newest_ms: dict[str, float] = {}
        self._passed_ms: dict[str, float] = {}  # since the first picture of each clock
        self._arrival = count()

    def add(self, shot: Shot) -> Iterator[Shot]:
        """Take the next picture of the recording; give those whose turn has come for certain."""
        newest_ms = self._newest_ms.get(shot.clock, shot.stamp_ms)
        if shot.stamp_ms < newest_ms - JUMP_MS:
            yield from self.finish()
            newest_ms = shot.stamp_ms
        ahead_ms = max(0.0, shot.stamp_ms - newest_ms)
        self._newest_ms[shot.clock] = newest_ms + ahead_ms
        self._passed_ms[shot.clock] = self._passed_ms.get(shot.clock, 0.0) + ahead_ms
        heappush(self._held.setdefault(shot.clock, []), (shot.stamp_ms, next(self._arrival), shot))
        self._places.append((shot.clock, dict(self._passed_ms)))
        while self._is_certain():
            yield self._next()

    def finish(self) -> Iterator[Shot]:
        """All that is held back."""
        while self._places:
            yield self._next()

    def _is_certain(self) -> bool:
        """Whether its clock has gone on by more than JUMP_MS since the first place was taken, or another so far that
        this one must have stopped.
        """
        first, then_ms = self._places[0]
        passed_ms = {clock: now_ms - then_ms.get(clock, 0.0) for clock, now_ms in self._passed_ms.items()}
        return passed_ms[first] > JUMP_MS or max(passed_ms.values()) > STOPPED_MS

    def _next(self) -> Shot:
        clock, _ = self._places.popleft()
        return heappop(self._held[clock])[2]
