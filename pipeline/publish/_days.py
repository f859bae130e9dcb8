"""A log of which every day has a file of its own, where logs may be kept for so many days only: the day is that of
capture. Lines go to the one that has no day in its name; when one of a later day comes, that one is put aside.
"""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from itertools import groupby
from pathlib import Path

from pipeline.publish._lines import Lines, LogError

DAY_NS = 86_400_000_000_000
FIRST = date(1970, 1, 1).toordinal()
DAYS = "-[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]"

Line = tuple[int, bytes]  # the time of capture, and the text


class DayLines:
    """One log; without a life of its lines, one file."""

    def __init__(self, path: Path, life_s: float = math.inf) -> None:
        self.path = path
        self._life_s, self._day = life_s, 0  # of the lines in the file, as an ordinal; 0 is not known
        self._lock = threading.Lock()  # who writes need not be who waits for the disk

    def resume(self, marks: Mapping[str, int] | None) -> None:
        """Take back what was written behind these marks; None is a log that must be new."""
        size = None if marks is None else marks[self.path.name]
        self._day = 0 if marks is None else marks.get(self._day_name, 0)
        if self._day and self._aside(self._day).exists():  # put aside behind the mark
            self._aside(self._day).replace(self.path)
            for path in aside(self.path):
                if path.stem[-10:] > date.fromordinal(self._day).isoformat():
                    path.unlink()
        written_s = self.path.stat().st_mtime if self.path.exists() else time.time()
        self._open(size)
        if time.time() - written_s > self._life_s and self._file.size:
            self._day = self._day or datetime.fromtimestamp(written_s, UTC).toordinal()
            self._put_aside()

    def marks(self) -> dict[str, int]:
        """Where it can be resumed."""
        return {self.path.name: self._file.size, **({self._day_name: self._day} if self._day else {})}

    def write(self, lines: Iterable[Line]) -> None:
        with self._lock:
            for day, some in groupby(lines, key=self._day_of):
                if self._day < day:
                    if self._day and self._file.size:
                        self._put_aside()
                    self._day = day
                self._file.write(text for _, text in some)

    def sync(self) -> None:
        """What was written outlives a power cut from here on."""
        with self._lock:
            self._file.sync()

    def close(self) -> None:
        self._file.close()

    def _day_of(self, line: Line) -> int:
        return 0 if math.isinf(self._life_s) else FIRST + line[0] // DAY_NS

    def _open(self, size: int | None) -> None:
        self._file = Lines(self.path)
        try:
            self._file.resume(size)
        except LogError:
            self._file.close()
            raise

    def _put_aside(self) -> None:
        self._file.sync()
        self._file.close()
        self.path.rename(self._aside(self._day))
        self._open(None)
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _aside(self, day: int) -> Path:
        return self.path.with_stem(f"{self.path.stem}-{date.fromordinal(day).isoformat()}")

    @property
    def _day_name(self) -> str:
        return f"day of {self.path.name}"


def aside(path: Path) -> Iterator[Path]:
    """The files of earlier days of a log."""
    yield from sorted(path.parent.glob(f"{path.stem}{DAYS}{path.suffix}"))
