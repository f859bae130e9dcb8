"""A live network camera, over RTSP. One that goes away or says nothing is said so, and connected to again."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

from calibration.camera import Intrinsics
from pipeline.messages import Frame, Reset, SystemEvent
from pipeline.stage import InputError, NoCameraError, Source
from stages.source._feed import Given
from stages.source._rtsp_address import address, checked
from stages.source._rtsp_clock import StreamClock
from stages.source._rtsp_connection import ANSWER_S, Connection, UnreachableError
from stages.source._rtsp_feed import Feed
from stages.source._timeline import Timeline

log = logging.getLogger(__name__)
DELAYS_S = (0.5, 30.0)  # before the first and the last of the attempts to connect again, doubled between
PULSE_S = 0.5  # between signs of life while it waits
OPENS_S = 3 * ANSWER_S  # connecting that takes longer has hung


@dataclass
class Rtsp(Source[Frame | SystemEvent | Reset]):
    """The first picture stream of `url`. Where its lens is not known, nothing has a place on the floor. Who comes is
    `user:password` in the file or the variable; `ca` is a file of certificates to trust instead of the system's.
    """

    live: ClassVar[bool] = True
    url: str = field(kw_only=True)
    login_file: str = ""
    login_variable: str = ""
    transport: Literal["tcp", "udp"] = "tcp"
    ca: str = ""
    verify: bool = True
    shows: Literal["color", "infrared"] = "color"
    clock: Literal["camera", "arrival"] = "camera"  # camera: by its sender reports, where it gives them
    intrinsics: Intrinsics | None = None
    stall_s: float = 3.0
    _closing: threading.Event = field(default_factory=threading.Event, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        parts = checked(self.url)
        if self.login_file and self.login_variable:
            raise ValueError("login_file and login_variable exclude each other; choose one")
        if self.stall_s <= 0:
            raise ValueError(f"stall_s must be above 0, got {self.stall_s}")
        if parts.scheme == "rtsp" and (self.ca or not self.verify):
            raise ValueError("ca and verify are for rtsps://; leave them out")
        if parts.scheme == "rtsps" and self.transport == "udp":
            raise ValueError("transport: must be tcp with rtsps://, which goes over one connection")

    @property
    def may_hang(self) -> bool:
        """Decoders are many, old, and written in C; a camera sends them what it likes."""
        return True

    def open(self) -> None:
        """Sees whether the camera is there, and lets it go: what it sent until the graph begins would only be late."""
        super().open()
        if self.ca and not Path(self.ca).is_file():
            raise InputError(f"{self._where}.ca: {self.ca} is not there; name a file of certificates")
        try:
            self._connected().close()
        except UnreachableError as error:
            kind = InputError if error.is_mistake else NoCameraError
            raise kind(f"{self._where}: {self.url} {error}") from None

    def close(self) -> None:
        self._closing.set()
        super().close()

    def produce(self, from_ns: int) -> Iterator[Frame | SystemEvent | Reset]:
        timeline = Timeline(self.place.clock_offset_ms, from_ns - 1)
        feed = Feed(self.camera_id, self.mount, self.intrinsics, self.shows, timeline)
        delay_s, is_up, has_reports = DELAYS_S[0], True, self.clock == "camera"
        while not self._closing.is_set():
            clock, was_up = StreamClock(has_reports), False
            kind: Literal["source_down", "source_stalled"] = "source_down"
            try:
                for message in self._session(feed, clock):
                    was_up = was_up or isinstance(message, Frame)
                    yield message
                why = "the camera ended the stream"
            except TimeoutError:
                kind, why = "source_stalled", f"gave nothing for {self.stall_s:g} s"
            except (UnreachableError, InputError) as error:
                why = str(error)
            if self._closing.is_set():
                return
            if was_up:
                is_up, delay_s, has_reports = True, DELAYS_S[0], has_reports and clock.has_reports
            text = f"{self.url} {why}; the next attempt follows in {delay_s:g} s"
            if is_up:
                yield feed.event(kind, text)
            else:
                log.warning("camera %s: %s", self.camera_id, text)
            is_up = False
            self._wait(delay_s)
            delay_s = min(2 * delay_s, DELAYS_S[1])

    @property
    def _where(self) -> str:
        return f"cameras.{self.camera_id}"

    def _session(self, feed: Feed, clock: StreamClock) -> Iterator[Given]:
        connection = self._connected()
        try:
            feed.begin(f"{self.url}, {connection.told}, over {self.transport}")
            for shown in connection.shown():
                if self._closing.is_set():
                    return
                self.pulse()
                yield from feed.take(shown, connection, clock, time.monotonic())
        finally:
            connection.close()

    def _connected(self) -> Connection:
        """Connect, and say that this is alive; where a library hangs in it, only for so long."""
        there = address(self.url, self.login_variable, self.login_file, self._where)
        answer: Future[Connection] = Future()

        def connect() -> None:
            try:
                answer.set_result(Connection(there, self.transport, self.ca, self.verify, self.stall_s))
            except BaseException as error:
                answer.set_exception(error)

        worker = threading.Thread(target=connect, daemon=True)
        worker.start()
        until_s = time.monotonic() + OPENS_S
        while worker.is_alive():
            worker.join(PULSE_S)
            if time.monotonic() < until_s:
                self.pulse()
        return answer.result()

    def _wait(self, delay_s: float) -> None:
        until_s = time.monotonic() + delay_s
        while (left_s := until_s - time.monotonic()) > 0 and not self._closing.wait(min(left_s, PULSE_S)):
            self.pulse()
