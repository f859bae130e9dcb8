"""The loop over what comes: no event twice, gaps said, and a position that never runs ahead of who reads."""

from __future__ import annotations

import logging
import time
import weakref
from collections import deque
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from sightline_client._counting import Finding, Gap, Seen, Sequences
from sightline_client._kafka import TOPICS
from sightline_client._position import LATEST_IDS, Position, save
from sightline_client._source import Received, Source
from sightline_client.errors import SightlineError
from sightline_client.events import Event, UnknownEvent

WAIT_S = 0.5  # at most, before a position is saved that is due
SAVE_EVERY_S = 1.0
FILLS_WITHIN_S = 5.0  # a gap: the log is written beside the sending, not before

log = logging.getLogger("sightline_client")


class Subscription:
    """An iterator over events, made by `subscribe`. An event counts as dealt with when the next one is asked for."""

    on_gap: Callable[[Gap], None] | None = None
    skip_damaged = False
    idle_s: float | None = None
    save_every_s = SAVE_EVERY_S

    def __init__(
        self, source: Source, begin: Position, families: Collection[str], position: Path | None = None
    ) -> None:
        self._source, self._path = source, position
        self._unwanted = frozenset(TOPICS) - frozenset(families)
        weakref.finalize(self, source.close)  # of a loop that was left
        self._places: dict[str, Any] = dict(begin.places)
        self._seen = Seen(ids=begin.ids)
        self._sequences = Sequences({(stream, key): last for stream, key, last in begin.sequences})
        self._waiting: deque[Received] = deque()
        self._handed_out: tuple[Received, Event, Finding] | None = None
        self._patient_until_s: float | None = None  # for what is missing
        self._saved_s = self._came_s = time.monotonic()
        self._is_saved = True
        self.repeats = self.unknown = self.damaged = self.restarts = self.missing = 0

    def __iter__(self) -> Subscription:
        return self

    def __enter__(self) -> Subscription:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:  # else what was handed out last has not been dealt with
            self._deal_with_last()
        self.close()

    def __next__(self) -> Event:
        """The next event; waits for it."""
        self._deal_with_last()
        while True:
            while self._waiting:
                event = self._judged(self._waiting.popleft())
                if event is not None:
                    return event
            self._save_if_due()
            came = self._source.read(WAIT_S)
            self._waiting.extend(came)
            if came:
                self._came_s = time.monotonic()
            elif self._source.has_ended or self._has_been_idle():
                self.close()
                raise StopIteration

    @property
    def gaps(self) -> list[Gap]:
        """The latest that are still open."""
        return list(self._sequences.gaps)

    @property
    def position(self) -> Position:
        """Where this loop is: `subscribe(..., start=position)` goes on behind the last event dealt with."""
        sequences = [(stream, key, last) for (stream, key), last in self._sequences.last.items()]
        return Position(places=dict(self._places), sequences=sequences, ids=self._seen.latest(LATEST_IDS))

    def save(self) -> None:
        """Write the position now, where there is a file for it."""
        if self._path is not None:
            save(self._path, self.position)
        self._is_saved, self._saved_s = True, time.monotonic()

    def close(self) -> None:
        """Save the position and give back what the source holds."""
        if not self._is_saved:
            self.save()
        self._source.close()

    def _deal_with_last(self) -> None:
        if self._handed_out is not None:
            received, event, finding = self._handed_out
            self._handed_out = None
            self._sequences.take(event, finding)
            self._seen.add(event.id)
            self._passed(received)
            self._save_if_due()

    def _judged(self, received: Received) -> Event | None:
        """The event, if it is one to hand out now."""
        event = received.event
        if event is None:
            self._take_damaged(received)
            return None
        if event.id in self._seen:
            self.repeats += 1
        elif event.family not in self._unwanted:
            finding = self._sequences.finding(event)
            if finding == "gap" and self._waits_for_missing(received):
                return None
            self._count(event, finding)
            self._handed_out = (received, event, finding)
            return event
        self._passed(received)
        return None

    def _count(self, event: Event, finding: Finding) -> None:
        self._patient_until_s = None
        if finding == "gap":
            self._report(self._sequences.gap_before(event))
        if finding == "restart":
            self.restarts += 1
            text = "%s of %s: begins again at %d after %d: another run, or a repeat of long ago"
            last = self._sequences.last[event.stream, event.key]
            log.warning(text, event.stream, event.key, event.sequence, last)
        if finding == "late":
            self.missing -= 1
        if isinstance(event, UnknownEvent):
            self.unknown += 1

    def _report(self, gap: Gap) -> None:
        self.missing += gap.count
        if self.on_gap is not None:
            self.on_gap(gap)
        else:
            log.warning("%s", gap)

    def _take_damaged(self, received: Received) -> None:
        if received.error:
            self.damaged += 1
            if not self.skip_damaged:
                self.close()
                raise SightlineError(
                    f"{received.where}: {received.error}; skip_damaged=True counts it and goes on"
                )
            log.warning("%s: %s", received.where, received.error)
        self._passed(received)

    def _waits_for_missing(self, received: Received) -> bool:
        """Whether what lies before this event may yet be found; then it is judged again behind that."""
        missed = self._source.missed()
        if missed:
            self._waiting.extendleft(reversed([*missed, received]))
            return True
        if not self._source.may_fill_gaps:
            return False
        now_s = time.monotonic()
        self._patient_until_s = self._patient_until_s or now_s + FILLS_WITHIN_S
        if now_s > self._patient_until_s:
            return False
        time.sleep(0.02)
        self._waiting.appendleft(received)
        return True

    def _passed(self, received: Received) -> None:
        if received.place:
            self._places[received.place] = received.mark
        self._is_saved = False

    def _save_if_due(self) -> None:
        if not self._is_saved and time.monotonic() - self._saved_s >= self.save_every_s:
            self.save()

    def _has_been_idle(self) -> bool:
        return self.idle_s is not None and time.monotonic() - self._came_s >= self.idle_s
