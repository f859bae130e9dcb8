"""What runs in the process of one source: makes it as it was made in the other one, opens it, and sends what it gives.
Pictures go through shared memory, everything else is small and goes over a socket.
"""

from __future__ import annotations

import ctypes
import importlib
import logging
import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import Any, get_type_hints

import msgspec
import numpy as np

from configs.known import known
from pipeline.executors._link import LogSender, Receiver, Sender
from pipeline.executors._slots import NAMES, Slots, needed
from pipeline.messages import Frame, Heartbeat
from pipeline.stage import InputError, NoCameraError, Source

FULL_S = 0.001  # between looks for a free slot, where every one is held
PR_SET_PDEATHSIG = 1
FOR_EVER_S = 1e6


def main(fd: int, parent: int) -> None:
    """Live as long as the parent, also if something here hangs then."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        return
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # they reach every process; the first one decides
    end = socket.socket(fileno=fd)
    sender, receiver = Sender(end), Receiver(end)
    logging.getLogger().handlers = [LogSender(sender)]
    with suppress(BrokenPipeError, ConnectionResetError, EOFError):
        _, job = receiver.hear(FOR_EVER_S) or ("", {})
        logging.getLogger().setLevel(job["level"])
        try:
            _serve(job, sender, receiver)
        except Exception as error:
            kind = next((k.__name__ for k in (NoCameraError, InputError) if isinstance(error, k)), "")
            text = str(error) if kind else repr(error)
            sender.say("failed", (kind, text, "".join(traceback.format_exception(error))))


def _serve(job: Mapping[str, Any], sender: Sender, receiver: Receiver) -> None:
    source = made(job)
    closing = threading.Lock()
    try:
        source.reserve(job["reserved"])
        source.open()
        shipping = _Shipping(job, sender, source.frame_bytes)
        sender.say("opened", None)
        _, from_ns = receiver.hear(FOR_EVER_S) or ("", 0)
        source.room = shipping.room
        source.pulse = partial(shipping.pulse, job["silent_s"] / 4)
        threading.Thread(target=_listen, args=(receiver, source, closing), daemon=True).start()
        for message in source.produce(from_ns):
            shipping.ship(message)
        sender.say("ended", None)
    finally:
        _close(source, closing)


def made(job: Mapping[str, Any]) -> Source[Any]:
    """A source of the same settings as `told` says."""
    cls = getattr(importlib.import_module(job["module"]), job["name"])
    hints = get_type_hints(cls)
    settings = {name: msgspec.convert(value, known(hints[name])) for name, value in job["settings"].items()}
    source: Source[Any] = cls(**settings)
    return source


def _listen(receiver: Receiver, source: Source[Any], closing: threading.Lock) -> None:
    """Nothing more is said to this process: it is to end."""
    with suppress(EOFError):
        receiver.hear(FOR_EVER_S)
    _close(source, closing)


def _close(source: Source[Any], closing: threading.Lock) -> None:
    if closing.acquire(blocking=False):  # only once
        source.close()


class _Shipping:
    """Sends messages; what frames have in common goes once."""

    def __init__(self, job: Mapping[str, Any], sender: Sender, frame_bytes: int) -> None:
        self._sender, self._run, self._generation = sender, job["run"], job["generation"]
        self._slots: Slots | None = None
        self._sequence = 0
        self._shared: tuple[Any, ...] = ()
        self._said_s = time.monotonic()
        if frame_bytes:
            self._make_room(frame_bytes)

    def ship(self, message: Any) -> None:
        match message:
            case Frame():
                self._frame(message)
            case Heartbeat():
                self._sender.say("beat", message.captured_ns)
            case _:
                self._sender.say("message", message)
        self._said_s = time.monotonic()

    def room(self, shape: tuple[int, ...], dtype: Any) -> np.ndarray[Any, Any]:
        """In shared memory, where there is some left."""
        lent = None if self._slots is None else self._slots.room(shape, dtype)
        return np.empty(shape, dtype) if lent is None else lent

    def pulse(self, every_s: float) -> None:
        if time.monotonic() - self._said_s > every_s:
            self._sender.say("alive", None)
            self._said_s = time.monotonic()

    def _frame(self, frame: Frame) -> None:
        shared = (frame.view, frame.registration, frame.depth_scale_m, frame.clock)
        if len(self._shared) != len(shared) or any(
            a is not b for a, b in zip(shared, self._shared, strict=True)
        ):
            self._sender.say("shared", shared)
            self._shared = shared
        pictures = {name: picture for name in NAMES if (picture := getattr(frame, name)) is not None}
        slots = self._slots
        if slots is None or not slots.fits(pictures):
            slots = self._make_room(needed(pictures))
        self._sequence += 1
        while (number := slots.write(self._sequence, pictures)) is None:
            time.sleep(FULL_S)
        self._sender.say("frame", (frame.index, frame.captured_ns, number, self._sequence))

    def _make_room(self, largest: int) -> Slots:
        """Slots of this size, in the place of smaller ones: whoever reads those has them mapped."""
        if self._slots is not None:
            self._slots.close()
        self._slots = Slots(self._run, self._generation, largest)
        self._sender.say("slots", None, self._slots.fd)
        return self._slots


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
    sys.stdout.flush()
    os._exit(0)  # threads of a vendor's library are not waited for
