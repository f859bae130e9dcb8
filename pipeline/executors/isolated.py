"""Runs one source in a process of its own, whichever executor runs the rest: one that hangs is killed, one that dies is
started again, and what that cost is said and counted.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from secrets import token_bytes
from typing import Any, Literal

from pipeline.executors._source_life import DiedError, SourceProcess
from pipeline.messages import Frame, Heartbeat, Reset, SystemEvent
from pipeline.stage import InputError, Source

log = logging.getLogger(__name__)
DELAYS_S = (0.5, 30.0)  # before the first and the last of the attempts to start it again, doubled between
ATTEMPTS = 3  # at one place of a recording: then the rest of it counts as lost
LOST = "process"  # the reason of frames that were lost with one

Given = Frame | Heartbeat | SystemEvent | Reset


@dataclass
class Isolated:
    """Takes the place of a source that was made and not opened."""

    source: Source[Any]
    _run: bytes = field(default_factory=lambda: token_bytes(16), init=False)
    _closing: threading.Event = field(default_factory=threading.Event, init=False)
    _process: SourceProcess | None = field(default=None, init=False)
    _generation: int = field(default=0, init=False)

    def open(self) -> None:
        """Raises InputError where the source does, and where its process dies of it."""
        try:
            self._start()
        except DiedError as died:
            text = f"{died}, while it opened the source; mend what it died of, or set isolated: false"
            raise InputError(f"cameras.{self.source.camera_id}: {text}") from died

    def close(self) -> None:
        self._closing.set()
        if self._process is not None:
            self._process.stop()

    def produce(self, from_ns: int) -> Iterator[Given]:
        story = _Story(self.source, from_ns)
        while not (self._closing.is_set() or story.is_over):
            try:
                for message in self._opened.messages(story.next_ns):
                    yield from story.tell(message)
                yield from story.rest()
                return
            except DiedError as died:
                fault = died
            self._opened.stop()
            if not self._closing.is_set():
                yield from story.interrupt(fault)
                yield from self._brought_back(story)

    @property
    def _opened(self) -> SourceProcess:
        if self._process is None:
            raise RuntimeError("produce() comes after open()")
        return self._process

    def _start(self) -> None:
        self._generation += 1
        self._process = SourceProcess(self.source, self._run, self._generation, self._closing)
        try:
            self._process.open()
        except BaseException:
            self._process.stop()
            raise

    def _brought_back(self, story: _Story) -> Iterator[Given]:
        """Wait, and start it, until it is open, or this closes, or there is no sense in more of it."""
        while not story.is_over and not self._closing.wait(story.delay_s):
            story.delay_s = min(2 * story.delay_s, DELAYS_S[1])
            try:
                self._start()
                return story.resume()
            except DiedError as died:
                yield from story.interrupt(died)
            except InputError as error:
                if not self.source.live:
                    raise
                text = "camera %s: not back yet, next attempt in %g s: %s"
                log.warning(text, self.source.camera_id, story.delay_s, error)


@dataclass
class _Story:
    """What one source gives over all its processes, told as if it were one."""

    source: Source[Any]
    next_ns: int  # from where the next process goes on
    delay_s: float = DELAYS_S[0]
    is_over: bool = False
    _held: list[Given] = field(default_factory=list)  # said of what has not come yet
    _last: Frame | None = None
    _last_s: float = 0.0  # when that came, by a monotonic clock: a device's own may begin anew
    _first: Frame | None = None  # of this process
    _every_ns: float = 0.0  # between frames of the last process
    _skip: int = 0  # what its process counts as 0
    _attempts: int = 0
    _is_down: bool = False

    def tell(self, message: Given) -> Iterator[Given]:
        """The message, after what is to be said before it."""
        match message:
            case Frame():
                yield from self._resumed(message)
                frame = replace(message, index=message.index + self._skip) if self._skip else message
                self._first, self._last, self._last_s = self._first or frame, frame, time.monotonic()
                self.next_ns = frame.captured_ns + 1
                yield from self.rest()
                yield frame
            case Heartbeat():
                self.next_ns = max(self.next_ns, message.captured_ns)
                yield from self.rest()
                yield message
            case _ if self.source.live:
                self._is_down &= not (isinstance(message, SystemEvent) and message.kind == "source_up")
                yield message
            case _:
                self._held.append(message)  # a process that is started again says it again

    def rest(self) -> Iterator[Given]:
        """What was said and not given yet."""
        yield from self._held
        self._held = []

    def resume(self) -> None:
        """A new process is open: a camera whose clock began anew goes on now, not where the last frame was."""
        if self.source.live and self._last is not None:
            self.next_ns = self._last.captured_ns + int((time.monotonic() - self._last_s) * 1e9)

    def interrupt(self, died: DiedError) -> Iterator[Given]:
        """Its process is gone."""
        if self._first is not None and self._last is not None and self._last.index > self._first.index:
            passed_ns = self._last.captured_ns - self._first.captured_ns
            self._every_ns = passed_ns / (self._last.index - self._first.index)
        self._held, self._first, self._is_down = [], None, True
        self._attempts += 1
        self.is_over = not self.source.live and self._attempts == ATTEMPTS
        if not self.is_over:
            kind: Literal["source_stalled", "source_down"] = (
                "source_stalled" if died.is_silent else "source_down"
            )
            yield self._event(kind, f"{died}, and is started again in {self.delay_s:g} s")
            return
        text = f"{died}, as {ATTEMPTS} processes did at one place"
        if self._last is None:
            raise InputError(
                f"cameras.{self.source.camera_id}: {text}, before any frame; convert it, or record again"
            )
        yield self._event(
            "gap", f"{text}; the rest of it is lost, and nobody can know how many frames that are"
        )

    def _resumed(self, frame: Frame) -> Iterator[Given]:
        """Before the first frame of a process that was started again."""
        self._attempts, self.delay_s = 0, DELAYS_S[0]
        if self._is_down:
            self._is_down = False
            yield self._event("source_up", "a new process gives frames")
        if self._first is None and self._last is not None and self.source.live:
            away_s = time.monotonic() - self._last_s
            lost = max(0, round(away_s * 1e9 / self._every_ns) - 1) if self._every_ns else None
            self._skip = self._last.index + 1 + (lost or 0) - frame.index
            if lost != 0:
                text = f"{away_s:.1f} s are missing in which its process was away"
                yield self._event("gap", text + (f", {lost} frames at its rate" if lost else ""), lost)

    def _event(
        self,
        kind: Literal["source_up", "source_down", "source_stalled", "gap"],
        detail: str,
        dropped: int | None = None,
    ) -> SystemEvent:
        """At the time of the last frame."""
        at_ns = self._last.captured_ns if self._last is not None else 0
        counts = {LOST: dropped} if dropped else {}
        return SystemEvent(kind, self.source.camera_id, at_ns, detail, dropped, counts)
