"""Appends what is published to JSON lines in the run's folder: events, and system events apart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import ClassVar

import msgspec

from configs.known import known
from pipeline.publish._days import DAY_NS, FIRST, DayLines, Line
from pipeline.publish._publisher import Publisher, Row

EVENTS, SYSTEM, POSITIONS = "events.jsonl", "system.jsonl", "positions.jsonl"


class _Said(msgspec.Struct):
    time: str  # of capture


@dataclass
class Log(Publisher):
    """`events.jsonl` and `system.jsonl`, and `positions.jsonl` if asked for."""

    families: ClassVar[frozenset[str]] = frozenset({"identity", "tracklet", "system"})
    positions: bool = False
    events_s: float = math.inf  # for how long they are kept; given by the runtime
    _folder: Path = field(default=Path(), init=False)
    _files: dict[str, DayLines] = field(default_factory=dict, init=False)

    def open(self, folder: Path, site: str) -> None:
        self._folder = folder

    def resume(self, mark: bytes | None) -> None:
        """Raises LogError where a file cannot be made, or is there and has no mark."""
        marks = None if mark is None else msgspec.msgpack.decode(mark, type=known(dict[str, int]))
        for name in (EVENTS, SYSTEM):
            file = DayLines(self._folder / name, self.events_s)
            file.resume(marks)
            self._files[name] = file

    def mark(self) -> bytes:
        marks = [file.marks() for file in self._files.values()]
        return msgspec.msgpack.encode({name: value for one in marks for name, value in one.items()})

    def send(self, rows: Sequence[Row]) -> int:
        for name, file in self._files.items():
            lines = [self._line(row) for row in rows if (row.family == "system") == (name == SYSTEM)]
            if lines:
                file.write(lines)
                file.sync()
        return len(rows)

    def _line(self, row: Row) -> Line:
        """Its time is looked for only where it decides on the file."""
        if math.isinf(self.events_s):
            return 0, row.body
        said = date.fromisoformat(msgspec.json.decode(row.body, type=known(_Said)).time[:10])
        return (said.toordinal() - FIRST) * DAY_NS, row.body

    def close(self) -> None:
        with ExitStack() as closing:  # every file, also if one cannot be closed
            for file in self._files.values():
                closing.callback(file.close)
