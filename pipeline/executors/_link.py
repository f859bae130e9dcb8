"""What goes between two processes of a run over a pair of sockets: as bytes, never pickled."""

from __future__ import annotations

import logging
import select
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.order import END, Barrier, Place, Step
from pipeline.watch import Tally
from pipeline.wire import decode, encode

STEPS_AT_ONCE, HELD_S = 32, 0.05  # of steps that wait to be sent together
HEAD = struct.Struct("<I")
AT_ONCE = 1 << 16  # bytes that are read
GO, FINISH = b"G", b"F"  # to the process that has the cameras


class Sender:
    """The end of the process that has the cameras."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._held: list[Any] = []
        self._since_s = 0.0
        self._lock = threading.Lock()  # what is logged may come from any thread

    def step(self, place: Place, given: Sequence[tuple[int, Step]]) -> None:
        """What all edges give at one place; an edge that is not named gives nothing there."""
        full = [(edge, step) for edge, step in given if step.messages or isinstance(step, Barrier)]
        now_s = time.monotonic()
        if not self._held:
            self._since_s = now_s
        self._held.append((place, full))
        if len(self._held) >= STEPS_AT_ONCE or now_s - self._since_s > HELD_S or place == END:
            self.say("steps", self._held)
            self._held = []

    def say(self, kind: str, said: Any, fd: int | None = None) -> None:
        """Send it, and a file with it if there is one."""
        data = encode((kind, said))
        with self._lock:
            if fd is not None:  # with the first byte of what it belongs to
                socket.send_fds(self._end, [HEAD.pack(len(data))[:1]], [fd])
            self._end.sendall(HEAD.pack(len(data))[fd is not None :] + data)


class Receiver:
    """The other end. Raises EOFError where the process is gone."""

    def __init__(self, end: socket.socket) -> None:
        self.fds: list[int] = []  # of files that came and have not been taken
        self._end, self._come = end, bytearray()

    def tell(self, word: bytes) -> None:
        try:
            self._end.sendall(word)
        except OSError:
            raise EOFError from None

    def hear(self, timeout_s: float) -> tuple[str, Any] | None:
        """The next that is said, or None if nothing whole is for so long; what came of it is kept."""
        until_s = time.monotonic() + timeout_s
        while (data := self._whole()) is None:
            left_s = max(0.0, until_s - time.monotonic())
            if not select.select([self._end], [], [], left_s)[0]:
                return None
            self._read()
        kind, said = decode(data)
        return kind, said

    def _whole(self) -> bytes | None:
        if len(self._come) < HEAD.size:
            return None
        (length,) = HEAD.unpack_from(self._come)
        if len(self._come) < HEAD.size + length:
            return None
        data = bytes(self._come[HEAD.size : HEAD.size + length])
        del self._come[: HEAD.size + length]
        return data

    def _read(self) -> None:
        try:
            data, fds, _, _ = socket.recv_fds(self._end, AT_ONCE, 1)
        except OSError:
            raise EOFError from None
        if not data:
            raise EOFError
        self._come += data
        self.fds += fds


class LogSender(logging.Handler):
    """Sends what is logged to where it can be shown."""

    def __init__(self, sender: Sender) -> None:
        super().__init__()
        self._sender = sender

    def emit(self, record: logging.LogRecord) -> None:
        self._sender.say("log", (record.name, record.levelno, record.getMessage()))


def plain(tallies: Mapping[str, Tally]) -> list[Any]:
    """Tallies as plain values."""
    return [
        (
            id,
            dict(one.received),
            dict(one.given),
            [(*key, count) for key, count in one.dropped.items()],
            list(one.by_log2_us.items()),
            one.messages,
            one.busy_ns,
        )
        for id, one in tallies.items()
    ]


def tallies(said: Sequence[Any]) -> dict[str, Tally]:
    """Out of what `plain` made of them."""
    return {
        id: Tally(
            Counter(received),
            Counter(given),
            Counter({(camera_id, reason): count for camera_id, reason, count in dropped}),
            messages,
            busy_ns,
            Counter(dict(by_log2_us)),
        )
        for id, received, given, dropped, by_log2_us, messages, busy_ns in said
    }
