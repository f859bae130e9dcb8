"""Files that lines are appended to, and cut back to where a run goes on."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path


class LogError(Exception):
    """A log that cannot be written: which one, and what to do."""


class Lines:
    """One append-only file of lines. A line that does not fit on the disk is taken back, not left half there."""

    def __init__(self, path: Path) -> None:
        self.path, self.size = path, 0  # in bytes, of what has been written
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LogError(
                f"{path.parent}: cannot be made, {error.strerror}; choose another --out"
            ) from error
        try:
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise LogError(f"{path}: cannot be opened, {error.strerror}; choose another --out") from error

    def resume(self, size: int | None) -> None:
        """Take back what was written behind `size`; None is a file that must be new."""
        there = os.fstat(self._file).st_size
        if size is None and there:
            raise LogError(f"{self.path}: holds a run already; choose another --out")
        if there < (size or 0):
            text = f"has {there} bytes, and had {size} when its run stopped; put it back, or choose another --out"
            raise LogError(f"{self.path}: {text}")
        self.size = size or 0
        if there > self.size:
            os.ftruncate(self._file, self.size)

    def write(self, lines: Iterable[bytes]) -> None:
        """Hand lines to the system; raises LogError if the disk does not take them."""
        waiting = memoryview(b"".join([part for line in lines for part in (line, b"\n")]))
        sent = 0
        try:
            while sent < len(waiting):
                sent += os.write(self._file, waiting[sent:])
        except OSError as error:
            whole = bytes(waiting[:sent]).rfind(b"\n") + 1
            os.ftruncate(self._file, self.size + whole)
            raise self._failed(error) from error
        self.size += sent

    def sync(self) -> None:
        """What was written outlives a power cut from here on."""
        try:
            os.fdatasync(self._file)
        except OSError as error:
            raise self._failed(error) from error

    def close(self) -> None:
        os.close(self._file)

    def _failed(self, error: OSError) -> LogError:
        text = f"cannot be written, {error.strerror}; it ends with a whole line; make room and run again"
        return LogError(f"{self.path}: {text}")
