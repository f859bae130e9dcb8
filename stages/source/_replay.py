"""Turns what a recording holds into the frames and events of a source: order, time, numbers, losses. Knows no file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

from calibration.camera import View
from pipeline.messages import Frame, Heartbeat, Reset, SystemEvent
from stages.source._moments import Moment, Moments, Optics, Shot
from stages.source._ordering import in_order
from stages.source._reader import Damage, Reader
from stages.source._timeline import Timeline

Kind = Literal["clock_changed", "gap"]
Given = Frame | Heartbeat | Reset | SystemEvent
DEVICE = "device"  # the reason of what was lost before this file was written
DAMAGED = "damaged"  # of what it holds and nobody can read


class Replay:
    """One camera's recording, from `from_ns` on. What was before is counted and not read, so that a replay that
    starts there gives the same indices and times as one from the beginning.
    """

    def __init__(self, camera_id: str, optics: Optics, view: View, offset_ms: float, from_ns: int) -> None:
        self.unpaired = 0  # pictures that lie at the time of no frame
        self._camera_id, self._optics, self._view, self._from_ns = camera_id, optics, view, from_ns
        self._timeline = Timeline(offset_ms)
        self._next_index = 0
        self._next_number: int | None = None

    def run(self, reader: Reader) -> Iterator[Given]:
        """Frames and events, in order of capture; what is said of a frame that cannot be read goes with a Heartbeat
        at its time.
        """
        moments = Moments(reader.rates_hz)
        for moment in _paired(in_order(reader.shots()), moments):
            yield from self._take(moment, reader.is_damaged)
        self.unpaired = moments.unpaired
        if reader.damage is not None:
            yield self._lost(reader.damage)

    def _take(self, moment: Moment, is_damaged: bool) -> Iterator[Given]:
        placed = self._timeline.place(moment.lead.stamp_ms, moment.lead.clock)
        number = moment.lead.number
        expected = number if self._next_number is None or placed.change else self._next_number
        skipped = max(0, number - expected)
        index = self._next_index + skipped
        self._next_index, self._next_number = index + 1, number + 1
        if placed.captured_ns < self._from_ns:
            return
        if placed.change:
            yield self._event("clock_changed", placed.change)
            yield Reset(self._camera_id, placed.captured_ns)
        if skipped:
            text = f"{skipped} frames are missing by the device's own count, lost before or while it was recorded"
            text += ", or with what is damaged of the file" * is_damaged
            yield self._event("gap", text, DEVICE, skipped)
        yield from self._give(moment, index, placed.captured_ns)

    def _give(self, moment: Moment, index: int, captured_ns: int) -> Iterator[Given]:
        shots, faults = [], {}
        for shot in moment.shots:
            try:
                shots.append(developed(shot))
            except ValueError as error:
                faults[shot.stream] = f"the {shot.stream} of frame {index} {error}"
        if moment.lead.stream in faults:
            yield self._event("gap", faults[moment.lead.stream], DAMAGED, 1)
            yield Heartbeat(captured_ns)
            return
        for fault in faults.values():
            yield self._event("gap", f"{fault}; the frame goes on without", dropped=0)
        yield self._optics.frame(Moment(tuple(shots)), self._view, self._camera_id, index, captured_ns)

    def _lost(self, damage: Damage) -> SystemEvent:
        known = "" if damage.lost is not None else "; nobody can know how many frames that cost"
        return self._event("gap", f"the file {damage.detail}{known}", DAMAGED, damage.lost)

    def _event(self, kind: Kind, detail: str, reason: str = "", dropped: int | None = None) -> SystemEvent:
        """At the time of the last frame; frames lost for `reason` go into the ledger."""
        counts = {reason: dropped} if dropped else {}
        return SystemEvent(kind, self._camera_id, max(self._timeline.last_ns, 0), detail, dropped, counts)


def _paired(shots: Iterator[Shot], moments: Moments) -> Iterator[Moment]:
    for shot in shots:
        yield from moments.add(shot)
    yield from moments.finish()


def developed(shot: Shot) -> Shot:
    """With its picture, if that has to be fetched."""
    return replace(shot, picture=shot.picture()) if callable(shot.picture) else shot
