"""From the start of a device to the moment when it goes away or says nothing any more."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterator
from typing import Literal

from pipeline.messages import SystemEvent
from pipeline.stage import Source
from stages.source._camera import Camera
from stages.source._devices import DEVICES
from stages.source._feed import Feed, Given
from stages.source._moments import Moment, Moments

WAIT_S = 0.25  # the longest wait for a picture: how soon the source hears that it is to stop
STARTING_S = 5.0  # a device that has just been started may take this long for its first picture
SAY_UNPAIRED = 100  # pictures that belong to no moment, in one event

Ending = tuple[Literal["source_down", "source_stalled"], str]


class Session:
    """One device at work; once it has run, `ending` says why it no longer does, `was_up` if it ever gave a frame.
    The source's `pulse` is called as long as it answers.
    """

    def __init__(
        self, camera: Camera, serial: str, stall_s: float, feed: Feed, source: Source[Given]
    ) -> None:
        self.was_up = False
        self.ending: SystemEvent
        self._camera, self._serial, self._stall_s, self._feed = camera, serial, stall_s, feed
        self._source = source
        self._moments, self._said_unpaired = Moments(camera.rates_hz), 0

    def run(self, closing: threading.Event) -> Iterator[Given]:
        """Frames and events, until the device fails or `closing` is set."""
        try:
            kind, reason = yield from self._watch(closing)
        finally:
            self._camera.stop()
        for moment in self._moments.finish():
            yield from self._give(moment)
        yield from self._unpaired(1)
        self.ending = self._feed.event(kind, f"{self._camera.name}: {reason}")

    def _watch(self, closing: threading.Event) -> Generator[Given, None, Ending]:
        changes = DEVICES.changes
        try:
            self._camera.start(grace_s=max(0.0, STARTING_S - self._stall_s))
            while not closing.is_set():
                self._source.pulse()
                shot = self._camera.wait(WAIT_S)
                if shot is not None:
                    for moment in self._moments.add(shot):
                        yield from self._give(moment)
                    yield from self._unpaired(SAY_UNPAIRED)
                if shot is None or changes != DEVICES.changes:
                    changes = DEVICES.changes
                    if self._serial not in DEVICES.connected():
                        return "source_down", "is no longer connected"
                if silent := self._camera.silent(self._stall_s):
                    return "source_stalled", f"gave no {silent} for {self._stall_s:g} s, and is started again"
        except (RuntimeError, TimeoutError) as error:
            return "source_down", f"does not answer, {error}"
        return "source_down", "was closed"

    def _give(self, moment: Moment) -> Iterator[Given]:
        if not self.was_up:
            told = "; ".join([self._camera.name, *self._camera.warnings()])
            self._feed.begin(self._camera.optics(moment), told, self._camera.ties_clocks)
            self.was_up = True
        yield from self._feed.take(self._camera.developed(moment, self._source.room), time.monotonic_ns())

    def _unpaired(self, least: int) -> Iterator[Given]:
        """Say that pictures of other streams found no moment, once there are enough of them."""
        count = self._moments.unpaired - self._said_unpaired
        if count >= least:
            self._said_unpaired = self._moments.unpaired
            streams = " and ".join(list(self._camera.rates_hz)[1:])
            yield self._feed.event("gap", f"pictures of {streams} that lie at the time of no frame: {count}")
