"""What goes between a process that has cameras of its own and the one that brings them together: over a pair of
sockets, as bytes, never pickled.
"""

from __future__ import annotations

import logging
import select
import socket
import struct
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.order import END, Barrier, Place, Step
from pipeline.watch import Tally
from pipeline.wire import decode, encode

STEPS_AT_ONCE, HELD_S = 32, 0.05  # of steps that wait to be sent together
HEAD = struct.Struct("<I")
GO, FINISH = b"G", b"F"  # to the process that has the cameras


class Sender:
    """The end of the process that has the cameras."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._held: list[Any] = []
        self._since_s = 0.0

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

    def say(self, kind: str, said: Any) -> None:
        data = encode((kind, said))
        self._end.sendall(HEAD.pack(len(data)) + data)


class Receiver:
    """The other end. Raises EOFError where the process is gone."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end

    def tell(self, word: bytes) -> None:
        try:
            self._end.sendall(word)
        except OSError:
            raise EOFError from None

    def hear(self, timeout_s: float) -> tuple[str, Any] | None:
        """The next that is said, or None if nothing is for so long."""
        if not select.select([self._end], [], [], timeout_s)[0]:
            return None
        (length,) = HEAD.unpack(self._read(HEAD.size))
        kind, said = decode(bytes(self._read(length)))
        return kind, said

    def _read(self, length: int) -> bytearray:
        data = bytearray(length)
        view = memoryview(data)
        while len(view):
            try:
                count = self._end.recv_into(view)
            except OSError:
                count = 0
            if not count:
                raise EOFError
            view = view[count:]
        return data


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
