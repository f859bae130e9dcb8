"""Cameras whose code does, in the process that it runs in, what code of vendors does: hang, crash, end."""

import ctypes
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import toys

from pipeline.messages import Encoded, Frame, Heartbeat, Reset, SystemEvent
from pipeline.stage import InputError


def signalled(number):
    return lambda: os.kill(os.getpid(), number)


def refuse():
    raise InputError("east.bag: is empty; record again")


def fail():
    raise RuntimeError("out of range")


ACTS = {
    "stop": signalled(signal.SIGSTOP),
    "kill": signalled(signal.SIGKILL),
    "crash": lambda: ctypes.string_at(0),
    "exit": lambda: os._exit(3),
    "hang": lambda: time.sleep(600),
    "refuse": refuse,
    "fail": fail,
}


@dataclass
class Faulty(toys.Painted):
    """Does what it `does` before frame `at`, `times` times in all its processes together, which `counted` counts."""

    does: str = ""
    at: int = 5
    times: int = 1
    counted: str = ""

    def produce(self, from_ns: int) -> Iterator[Frame | Heartbeat | SystemEvent | Reset]:
        for message in super().produce(from_ns):
            if isinstance(message, Frame):
                if message.index == self.at:
                    self._act()
                message = self._with_depth(message)
            yield message

    def _with_depth(self, message):
        return replace(message, depth=np.full((48, 96), message.index, np.uint16))

    def _act(self):
        file = Path(self.counted) if self.counted else None
        done = len(file.read_bytes()) if file and file.exists() else 0
        if self.does and done < self.times:
            if file:
                file.write_bytes(b"x" * (done + 1))
            ACTS[self.does]()


@dataclass
class Opening(Faulty):
    """Does it while it opens."""

    def open(self) -> None:
        self._act()


@dataclass
class Live(Faulty):
    """In real time, counting from 0 in every process, as a device does."""

    live: ClassVar[bool] = True
    every_s: float = 0.02

    def produce(self, from_ns: int) -> Iterator[Frame | Heartbeat | SystemEvent | Reset]:
        yield SystemEvent("source_up", self.camera_id, 0, "streams")
        for message in super().produce(0):
            time.sleep(self.every_s)
            yield replace(message, captured_ns=time.time_ns())


@dataclass
class Quiet(toys.Painted):
    """Says nothing for `quiet_s` before its first frame, but for signs of life."""

    quiet_s: float = 1.0

    def produce(self, from_ns: int) -> Iterator[Frame]:
        for message in super().produce(from_ns):
            yield message
            if message.index == 0:
                for _ in range(20):
                    time.sleep(self.quiet_s / 20)
                    self.pulse()


@dataclass
class Packed(toys.Painted):
    """Pictures as a file has them, and each larger than the one before."""

    def produce(self, from_ns: int) -> Iterator[Frame]:
        for message in super().produce(from_ns):
            grey = np.full((20 * (message.index + 1), 30), message.index, np.uint8)
            yield replace(message, color=Encoded("png", b"%d" % message.index * 50), infrared=grey)
