"""Turns the pictures of a network camera into frames and events, over all its connections: time, numbers, gaps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from calibration.camera import Intrinsics, Mount, View, pose_of
from pipeline.messages import Frame, Reset, SystemEvent
from stages.source._feed import Given, Kind
from stages.source._rtsp_clock import ARRIVAL, StreamClock
from stages.source._rtsp_connection import Connection, Shown, UnreachableError
from stages.source._timeline import Timeline

DAMAGED, AWAY, UNTIED = "damaged", "connection", "untied_clock"  # reasons
SAY_EVERY_NS = 1_000_000_000  # damage is gathered into one `gap` a second


class Feed:
    """What a source gives of one camera. `lens` is None where it is not known."""

    def __init__(
        self, camera_id: str, mount: Mount, lens: Intrinsics | None, shows: Any, timeline: Timeline
    ) -> None:
        self._camera_id, self._mount, self._lens, self._shows = camera_id, mount, lens, shows
        self._timeline = timeline
        self._view: View | None = None
        self._next_index = 0
        self._told = ""
        self._is_new = True  # no frame of this connection has come
        self._last_s = 0.0  # by a monotonic clock
        self._every_ns = 0.0  # between frames
        self._untied = self._damaged = 0
        self._said_ns = 0

    def begin(self, told: str) -> None:
        """A connection is there; `told` is said once its first frame has come."""
        self._told, self._is_new, self._untied = told, True, 0

    def take(self, shown: Shown, connection: Connection, clock: StreamClock, now_s: float) -> Iterator[Given]:
        clock.heard(shown.stamp_ns, shown.arrived_ns, shown.report_ns)
        self._damaged += shown.damaged
        for stamp_ns, picture in shown.pictures:
            if clock.is_settled:
                yield from self._give(stamp_ns, picture, connection, clock, now_s)
            else:
                self._untied += 1

    def event(self, kind: Kind, detail: str, reason: str = "", dropped: int | None = None) -> SystemEvent:
        """At the time of the last frame; frames lost for `reason` go into the ledger."""
        counts = {reason: dropped} if dropped and reason else {}
        return SystemEvent(kind, self._camera_id, max(self._timeline.last_ns, 0), detail, dropped, counts)

    def _give(
        self, stamp_ns: int, picture: Any, connection: Connection, clock: StreamClock, now_s: float
    ) -> Iterator[Given]:
        is_again = self._is_new and self._next_index > 0
        away_s = now_s - self._last_s if self._next_index else 0.0
        before_ns = self._timeline.last_ns
        passed_ns = int(away_s * 1e9) or 1
        placed = self._timeline.place(clock.captured_ns(stamp_ns) / 1e6, clock.domain, passed_ns, is_again)
        view = self._view_of(picture)
        if self._is_new:
            yield self.event("source_up", "; ".join([self._told, *_of_clock(clock)]))
        if placed.change:
            yield self.event("clock_changed", placed.change)
            yield Reset(self._camera_id, placed.captured_ns)
        yield from self._gaps(away_s if is_again else 0.0)
        if not self._is_new and not placed.change:
            step_ns = placed.captured_ns - before_ns
            self._every_ns = step_ns if not self._every_ns else 0.9 * self._every_ns + 0.1 * step_ns
        self._is_new, self._last_s = False, now_s
        shown = {self._shows: connection.pixels(picture, self._shows)}
        yield Frame(self._camera_id, self._next_index, placed.captured_ns, view, clock=clock.domain, **shown)
        self._next_index += 1

    def _gaps(self, away_s: float) -> Iterator[SystemEvent]:
        if away_s:
            lost = max(0, round(away_s * 1e9 / self._every_ns) - 1 - self._untied) if self._every_ns else 0
            self._next_index += lost
            text = f"{away_s:.1f} s are missing in which it was not connected"
            yield self.event(
                "gap", text + (f", {lost} frames at its rate" if lost else ""), AWAY, lost or None
            )
        if self._untied:
            text = f"the first {self._untied} frames came before the camera had said what time it is there"
            self._next_index += self._untied
            yield self.event("gap", text, UNTIED, self._untied)
            self._untied = 0
        if self._damaged and self._timeline.last_ns - self._said_ns >= SAY_EVERY_NS:
            text = f"{self._damaged} pictures were damaged on their way here"
            self._next_index += self._damaged
            yield self.event("gap", text, DAMAGED, self._damaged)
            self._damaged, self._said_ns = 0, self._timeline.last_ns

    def _view_of(self, picture: Any) -> View:
        size = (picture.width, picture.height)
        lens = self._view.intrinsics if self._view else None
        if self._view is None or lens is None or (lens.width_px, lens.height_px) != size:
            self._view = self._new_view(*size)
        return self._view

    def _new_view(self, width: int, height: int) -> View:
        if self._lens is None:
            return View(
                Intrinsics(width, height, width, width, (width - 1) / 2, (height - 1) / 2), self._mount
            )
        if (self._lens.width_px, self._lens.height_px) != (width, height):
            sizes = f"{width}x{height}, and intrinsics are of {self._lens.width_px}x{self._lens.height_px}"
            raise UnreachableError(
                f"gives pictures of {sizes}; set the camera to that size, or calibrate it anew"
            )
        return View(self._lens, self._mount, pose_of(self._mount))


def _of_clock(clock: StreamClock) -> list[str]:
    """What is to be said of it."""
    if clock.domain != ARRIVAL:
        return []
    if not clock.has_reports:
        return ["frames have the time when they came"]
    apart_s = clock.apart_ns / 1e9
    return [
        f"its clock is {abs(apart_s):.1f} s {'behind' if apart_s > 0 else 'ahead of'} this machine's: frames have the "
        "time when they came; set both by NTP"
    ]
