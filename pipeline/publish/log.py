"""Writes a run's events to append-only JSON lines: events, system events apart, positions where asked for."""

from __future__ import annotations

import io
import os
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline.events import Envelopes, Published
from pipeline.messages import Event, Portrait, Positions, SystemEvent
from pipeline.publish._publisher import Publisher

EVENTS, SYSTEM, POSITIONS = "events.jsonl", "system.jsonl", "positions.jsonl"
BUFFERED = {POSITIONS: 1 << 16}  # bytes; an event is in its file at once, for whoever follows it


class LogError(Exception):
    """A log that cannot be written: which one, and what to do."""


@dataclass
class Lines:
    """One append-only file of lines. A line that does not fit on the disk is taken back, not left half there."""

    path: Path
    buffer_bytes: int = 0

    def __post_init__(self) -> None:
        self._pending, self._size, self._written = io.BytesIO(), 0, 0
        try:
            self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o640)
        except FileExistsError:
            raise LogError(f"{self.path}: holds a run already; choose another --out") from None
        except OSError as error:
            raise LogError(
                f"{self.path}: cannot be opened, {error.strerror}; choose another --out"
            ) from error

    def write(self, line: bytes) -> None:
        self._pending.write(line)
        self._pending.write(b"\n")
        if self._pending.tell() >= self.buffer_bytes:
            self.flush()

    def flush(self) -> None:
        """Hand everything to the system; raises LogError if the disk does not take it."""
        waiting, self._pending = self._pending.getbuffer(), io.BytesIO()
        sent = 0
        try:
            while sent < len(waiting):
                sent += os.write(self._file, waiting[sent:])
        except OSError as error:
            whole = bytes(waiting[:sent]).rfind(b"\n") + 1
            os.ftruncate(self._file, self._size + whole)
            text = f"cannot be written, {error.strerror}; it ends with a whole line; make room and run again"
            raise LogError(f"{self.path}: {text}") from error
        self._size += sent

    def close(self) -> None:
        os.close(self._file)


@dataclass
class Log(Publisher):
    """`events.jsonl` and `system.jsonl` in the run's folder, and `positions.jsonl` if asked for."""

    positions: bool = False
    _envelopes: Envelopes | None = field(default=None, init=False)
    _files: dict[str, Lines] = field(default_factory=dict, init=False)

    def open(self, folder: Path, envelopes: Envelopes) -> None:
        """Raises LogError where a file cannot be made, or is there already."""
        self._envelopes = envelopes
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LogError(f"{folder}: cannot be made, {error.strerror}; choose another --out") from error
        for name in (EVENTS, SYSTEM, *([POSITIONS] if self.positions else [])):
            self._files[name] = Lines(folder / name, BUFFERED.get(name, 0))

    def publish(self, event: Event) -> None:
        """Append one event to the file of its kind."""
        match event:
            case Positions():
                if POSITIONS in self._files:
                    self._files[POSITIONS].write(_positions(event))
            case Portrait():
                return  # for the eyes of whoever asked for a picture, never kept in a log
            case SystemEvent():
                self._wrapped(SYSTEM, event)
            case _:
                self._wrapped(EVENTS, event)

    def close(self) -> None:
        with ExitStack() as closing:  # every file is written and closed, also if one cannot
            for file in self._files.values():
                closing.callback(file.close)
                closing.callback(file.flush)

    def _wrapped(self, name: str, event: Published) -> None:
        if self._envelopes is None:
            raise RuntimeError("this log is not open")
        self._files[name].write(self._envelopes.wrap(event))


def _positions(rows: Positions) -> bytes:
    return msgspec.json.encode(
        {
            "camera_id": rows.camera_id,
            "frame_index": rows.frame_index,
            "captured_ns": rows.captured_ns,
            "floor_frame": rows.floor_frame,
            "tracklet_ids": rows.tracklet_ids,
            "boxes_px": _rounded(rows.boxes, 2),
            "floor_m": _rounded(rows.floor_m, 4),
            "scores": _rounded(rows.scores, 4),
        }
    )


def _rounded(values: NDArray[Any], digits: int) -> Any:
    """In double precision, in which JSON numbers are read: a rounded single has a tail of digits in it."""
    return values.astype(np.float64).round(digits).tolist()
