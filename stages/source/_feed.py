"""Turns the moments of one live camera into frames and events: time, numbers, gaps. Knows no SDK, and no clock
but what it is told.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from calibration.camera import Mount, View
from pipeline.messages import Frame, Reset, SystemEvent
from stages.source._moments import Moment, Optics, Shot
from stages.source._timeline import Timeline

TIED = "global_time"  # the clock domain of a device whose clock the SDK has tied to the host's
SETTLING_MS = 3000.0  # how long a session waits for that

Given = Frame | SystemEvent | Reset
Kind = Literal["source_up", "source_down", "source_stalled", "gap", "clock_changed"]


class Feed:
    """What a source gives of one camera, over all sessions of its device."""

    def __init__(self, camera_id: str, mount: Mount, timeline: Timeline) -> None:
        self._camera_id, self._mount, self._timeline = camera_id, mount, timeline
        self._next_index = 0
        self._optics: Optics | None = None
        self._view: View | None = None
        self._told = ""  # of the device, until its first frame says that it is up
        self._last_number: int | None = None
        self._last_now_ns = 0
        self._waits_for_tie, self._first_ms, self._untied = False, 0.0, 0

    def begin(self, optics: Optics, told: str, ties_clocks: bool) -> None:
        """A device begins to stream; `told` is what an operator should know of it."""
        if self._optics is None or optics.intrinsics != self._optics.intrinsics:
            self._view = optics.view(self._mount)
        self._optics, self._told, self._last_number = optics, told, None
        self._waits_for_tie, self._untied = ties_clocks, 0

    def take(self, moment: Moment, now_ns: int) -> Iterator[Given]:
        """The frame of a moment, after what there is to say of it. `now_ns` is a monotonic clock's: a device that
        was away with its clock comes back as much later as it was away.
        """
        lead = moment.lead
        if self._optics is None or self._view is None:
            raise ValueError("take() comes after begin()")
        if self._is_settling(lead):
            self._untied += 1
            return
        is_restarted = self._last_number is None and self._next_index > 0
        passed_ns = now_ns - self._last_now_ns if self._next_index else 1
        placed = self._timeline.place(lead.stamp_ms, lead.clock, passed_ns, is_restarted)
        self._last_now_ns = now_ns
        if self._told:
            yield self.event("source_up", self._told)
            self._told = ""
        if placed.change:
            yield self.event("clock_changed", placed.change)
            yield Reset(self._camera_id, placed.captured_ns)
        yield from self._gaps(lead.number)
        yield self._optics.frame(moment, self._view, self._camera_id, self._next_index, placed.captured_ns)
        self._next_index += 1

    def event(self, kind: Kind, detail: str, reason: str = "", dropped: int | None = None) -> SystemEvent:
        """An event at the time of the last frame; frames lost for `reason` go into the ledger."""
        counts = {reason: dropped} if dropped is not None else {}
        return SystemEvent(kind, self._camera_id, max(self._timeline.last_ns, 0), detail, dropped, counts)

    def _is_settling(self, lead: Shot) -> bool:
        """Whether this stamp is of a clock that will be tied to the host's in a moment: nobody can place it."""
        if not self._waits_for_tie:
            return False
        if not self._untied:
            self._first_ms = lead.stamp_ms
        self._waits_for_tie = lead.clock != TIED and lead.stamp_ms - self._first_ms < SETTLING_MS
        return self._waits_for_tie

    def _gaps(self, number: int) -> Iterator[SystemEvent]:
        if self._untied:
            text = f"the first {self._untied} frames came before the device's clock was tied to the host's"
            yield self.event("gap", text, "untied_clock", self._untied)
            self._untied = 0
        skipped = number - self._last_number - 1 if self._last_number is not None else 0
        self._last_number = number
        if skipped > 0:
            self._next_index += skipped
            text = f"{skipped} frames are missing by the device's own count, lost between camera and here"
            yield self.event("gap", text, "device", skipped)
