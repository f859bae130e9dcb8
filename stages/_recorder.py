"""Writes one camera's frames into a `.db3` through the RealSense SDK's recorder, no faster than it can write them.

The recorder says nothing of what it loses: a full disk, or more frames in its queue than it writes in 10 s at the
end. So the file itself is watched: SQLite counts transactions in its header, and the recorder makes the same number
of them for each picture.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from calibration.camera import Intrinsics, View
from pipeline.messages import Frame
from pipeline.stage import InputError
from stages._software_device import SoftwareDevice, pixels_of
from stages.source._moments import STREAMS, Stream
from stages.source._sdk import sdk

IN_FLIGHT = 16  # pictures that the recorder has not written yet, at most: enough to keep it busy
NEARLY = 4  # of them, when a wait for the last ones begins
STUCK_S = 5.0  # a recorder that writes nothing for this long is asked outright
TRANSACTIONS = slice(24, 28)  # of an SQLite file's header: its change counter, big-endian


class Recorder:
    """One recording. The first frames say which streams there are, their sizes and their rate."""

    def __init__(
        self, path: Path, first: Sequence[Frame], name: str, serial: str, is_packed: bool = True
    ) -> None:
        self.is_failing = False  # what is given from now on is not written
        self._path = path
        self._given: Counter[Stream] = Counter()  # pictures
        self._given_mb = 0.0
        self._device = SoftwareDevice(first, name, serial)
        self._habit = _habit(tuple(self._device.streams), is_packed)
        self._file = _File(path, self._device, is_packed)

    def write(self, frame: Frame) -> bool:
        """Hand one frame over, waiting until the recorder has caught up; False if it does not fit the streams."""
        pictures = pixels_of(frame)
        if not self._device.fits(pictures):
            return False
        self._device.show(pictures, frame)
        self._given.update(pictures.keys())
        self._given_mb += sum(picture.nbytes for picture in pictures.values()) / 1e6
        self._wait(IN_FLIGHT)
        return True

    @property
    def unwritten_mb(self) -> float:
        """At most as much as is still to come into the file, and a frame more."""
        return (self._in_flight() + NEARLY) * self._given_mb / max(1, self._given.total())

    @property
    def expected_mb(self) -> float:
        """How large the file will be with all that was given."""
        written = self._given.total() - self._in_flight()
        return self._path.stat().st_size / 1e6 * self._given.total() / max(1.0, written)

    def close(self) -> int:
        """End the recording; how many of the frames given are whole in the file."""
        self._wait(NEARLY)
        self._file.close()
        found = pictures_in(self._path)
        lost = max((given - found[stream] for stream, given in self._given.items()), default=0)
        return max(self._given.values(), default=0) - lost

    def _wait(self, most: int) -> None:
        """Wait, with the interpreter free for others, until `most` pictures or fewer are in flight."""
        waiting, since_s = self._in_flight(), time.monotonic()
        while waiting > most and not self.is_failing:
            time.sleep(0.001)
            now = self._in_flight()
            if now < waiting:
                waiting, since_s = now, time.monotonic()
            elif time.monotonic() - since_s > STUCK_S:
                self._file.drain()
                self.is_failing = self._in_flight() > most

    def _in_flight(self) -> float:
        done = self._file.transactions() - self._habit.at_first
        return max(0.0, self._given.total() - max(0, done) / self._habit.per_picture)


@dataclass(frozen=True, slots=True)
class _Habit:
    """How many transactions the recorder makes: for the tables and what is in them before any picture, counted from
    an empty file because they come in a thread of its own after it has been opened, and for each picture.
    """

    at_first: float
    per_picture: float


@cache
def _habit(streams: tuple[Stream, ...], is_packed: bool) -> _Habit:
    """Found by recording two small frames of these streams. Not in the recording itself: the pause that this takes
    would upset the times of what comes after it.
    """
    view = View(Intrinsics(8, 8, 8.0, 8.0, 4.0, 4.0))
    grey = np.zeros((8, 8), np.uint8)
    blank: dict[Stream, Any] = {"depth": grey.astype(np.uint16), "color": np.zeros((8, 8, 3), np.uint8)}
    pictures = {stream: blank.get(stream, grey) for stream in streams}
    color, depth, infrared = (pictures.get(stream) for stream in ("color", "depth", "infrared"))
    frames = [Frame("", n, n * 100_000_000, view, color, depth, infrared) for n in range(2)]
    with TemporaryDirectory() as folder:
        device = SoftwareDevice(frames, "", "")
        file = _File(Path(folder) / "habit.db3", device, is_packed)
        counts = []
        for frame in frames:
            device.show(pictures, frame)
            file.drain()
            counts.append(file.transactions())
        file.close()
    first, both = counts
    second = both - first
    if second < len(streams):
        raise InputError(
            "pyrealsense2: this version records in a way that cannot be followed; install another one"
        )
    return _Habit(first - second, second / len(streams))


class _File:
    """The recorder around a device, and its file, which it ends when nobody holds it any more."""

    def __init__(self, path: Path, device: SoftwareDevice, is_packed: bool) -> None:
        try:
            self._recorder: Any = sdk().recorder(str(path), device.device, is_packed)
        except RuntimeError as error:
            raise InputError(f"{path}: cannot be written, {error}; choose another folder") from error
        self._sensors = list(self._recorder.query_sensors())
        for sensor in self._sensors:
            sensor.open(sensor.profiles)
            sensor.start(lambda frame: None)
        self._reading = path.open("rb", buffering=0)

    def transactions(self) -> int:
        """How many there have been in the file."""
        return int.from_bytes(os.pread(self._reading.fileno(), 28, 0)[TRANSACTIONS], "big")

    def drain(self) -> None:
        """Return when all that was given is written, or lost: a pause waits for the recorder's queue, and holds
        the interpreter while it does. The times of rows that come soon after may be out of order.
        """
        self._recorder.pause()
        self._recorder.resume()

    def close(self) -> None:
        """Write what is left, and end the file."""
        self.drain()
        self._reading.close()
        for sensor in self._sensors:
            sensor.stop()
            sensor.close()
        self._sensors, self._recorder = [], None


def pictures_in(path: Path) -> Counter[Stream]:
    """How many pictures of each stream a finished `.db3` holds; none if it is damaged."""
    found: Counter[Stream] = Counter()
    # opened so that nothing is ever written into it
    uri = f"{path.resolve().as_uri()}?immutable=1"
    query = "SELECT name, count(*) FROM messages JOIN topics ON topics.id = topic_id GROUP BY topic_id"
    with suppress(sqlite3.DatabaseError), closing(sqlite3.connect(uri, uri=True)) as database:
        for topic, rows in database.execute(query):
            for stream in STREAMS:
                if f"/{stream.capitalize()}_" in topic and "/image/data" in topic:
                    found[stream] += rows
    return found
