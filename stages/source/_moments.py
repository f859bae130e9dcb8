"""Joins the pictures of a camera's streams into moments, the same way for devices, recordings and every reader.

Knows stamps and rates; nothing of files, of the SDK, or of what a picture looks like.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from calibration.camera import Intrinsics, Mount, Registration, View, pose_of
from pipeline.messages import Frame

Stream = Literal["depth", "color", "infrared"]
STREAMS: tuple[Stream, ...] = ("depth", "color", "infrared")  # the first that a camera has leads its moments
JUMP_MS = 1000.0  # a stamp that goes back by more than this is another clock
MOST_WAITING = 8  # moments that wait for a stream which has nothing to say


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """One picture of one stream, with what the device said of it. `clock` is the domain of its stamp."""

    stream: Stream
    stamp_ms: float
    clock: str
    number: int
    picture: Any  # an array or Encoded, as Frame takes it


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """What the streams of one camera show at one moment."""

    shots: tuple[Shot, ...]  # the leading stream's first: its stamp and number are the moment's

    @property
    def lead(self) -> Shot:
        return self.shots[0]

    def picture(self, stream: Stream) -> Any:
        """The picture of a stream, or None."""
        return next((shot.picture for shot in self.shots if shot.stream == stream), None)


@dataclass(frozen=True, slots=True, eq=False)
class Optics:
    """What a camera's moments need to become frames."""

    intrinsics: Intrinsics  # of the leading stream
    registration: Registration | None = None
    depth_scale_m: float = 0.001

    def view(self, mount: Mount) -> View:
        """The view of this camera where it hangs; make it once and keep it."""
        return View(self.intrinsics, mount, pose_of(mount))

    def frame(self, moment: Moment, view: View, camera_id: str, index: int, captured_ns: int) -> Frame:
        """The moment as a frame."""
        depth, color, infrared = (moment.picture(stream) for stream in STREAMS)
        return Frame(
            camera_id,
            index,
            captured_ns,
            view,
            color,
            depth,
            infrared,
            self.depth_scale_m,
            moment.lead.clock,
            self.registration if color is not None else None,
        )


class Moments:
    """Pairs each picture of the leading stream with those of the others that lie within half a period of the
    slower of the two, as the SDK's frame sets do. Each stream's pictures must come in the order of their stamps.
    """

    def __init__(self, rates_hz: Mapping[Stream, float]) -> None:
        self.unpaired = 0  # pictures of other streams that no moment took
        self._lead, *self._others = [stream for stream in STREAMS if stream in rates_hz]
        self._within_ms = {s: 500.0 / min(rates_hz[s], rates_hz[self._lead]) for s in self._others}
        self._waiting: dict[str, deque[tuple[int, Shot]]] = {stream: deque() for stream in rates_hz}
        self._epochs = dict.fromkeys(rates_hz, 0)  # how often each stream's clock went back
        self._last_ms = dict.fromkeys(rates_hz, float("-inf"))

    def add(self, shot: Shot) -> Iterator[Moment]:
        """Take one picture; give the moments that are whole, or have waited long enough."""
        if shot.stamp_ms < self._last_ms[shot.stream] - JUMP_MS:
            self._epochs[shot.stream] += 1
        self._last_ms[shot.stream] = shot.stamp_ms
        self._waiting[shot.stream].append((self._epochs[shot.stream], shot))
        leading = self._waiting[self._lead]
        while leading and (len(leading) > MOST_WAITING or all(map(self._is_known, self._others))):
            yield self._next()

    def finish(self) -> Iterator[Moment]:
        """What still waits when no more comes."""
        while self._waiting[self._lead]:
            yield self._next()
        self.unpaired += sum(map(len, self._waiting.values()))
        for waiting in self._waiting.values():
            waiting.clear()

    def _is_known(self, stream: Stream) -> bool:
        """Whether what this stream has for the first waiting moment is there, or will never come."""
        waiting, earliest = self._waiting[stream], self._earliest(stream)
        while waiting and _key(waiting[0]) <= earliest:
            waiting.popleft()
            self.unpaired += 1
        return bool(waiting)

    def _next(self) -> Moment:
        """The first waiting moment, with what has come of the others."""
        partners = [self._waiting[stream].popleft() for stream in self._others if self._has_partner(stream)]
        _, lead = self._waiting[self._lead].popleft()
        return Moment((lead, *(shot for _, shot in partners)))

    def _has_partner(self, stream: Stream) -> bool:
        if not self._is_known(stream):
            return False
        epoch, first = self._waiting[self._lead][0]
        return _key(self._waiting[stream][0]) < (epoch, first.stamp_ms + self._within_ms[stream])

    def _earliest(self, stream: Stream) -> tuple[int, float]:
        epoch, first = self._waiting[self._lead][0]
        return epoch, first.stamp_ms - self._within_ms[stream]


def _key(waiting: tuple[int, Shot]) -> tuple[int, float]:
    epoch, shot = waiting
    return epoch, shot.stamp_ms
