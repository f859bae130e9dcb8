"""The rows of a `.db3`: from SQLite as far as it can read, and out of the pages of the file where it cannot."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Set
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from stages.source._leaves import Leaves, Row, missing_bytes

UNREADABLE = (sqlite3.DatabaseError, UnicodeDecodeError)  # the latter where the schema itself is spoilt
CACHE_PAGES = 20  # each page of a picture is read once: a larger cache only empties that of the processor
UNFINISHED = ("-journal", "-wal")  # beside a file whose writer has not ended it


class Rows:
    """One file, never written to. `damage` says what is wrong with it, as far as it has been read."""

    def __init__(self, path: Path) -> None:
        self._path, self._faults, self._missing = path, list[str](), 0
        self._sources: list[_Sqlite | Leaves] = []  # the last is the one to read
        size, wanted = missing_bytes(path)
        if size < wanted:
            self._faults.append(f"ends after {size} of its {wanted} bytes")
        self._sources.append(Leaves(path) if self._faults else _Sqlite(path))
        beside = [path.with_name(path.name + ending) for ending in UNFINISHED]
        self._faults += [f"was not closed, {it.name} is there" for it in beside if _has_content(it)]

    @property
    def damage(self) -> str:
        """What is wrong, or nothing."""
        missing = [f"{self._missing} of its rows are missing"] if self._missing else []
        return ", ".join(self._faults + missing)

    def topics(self) -> dict[int, str]:
        """Names of topics, by id."""
        try:
            return self._sources[-1].topics()
        except UNREADABLE as error:
            return self._salvage(error).topics()

    def rows(self, bulky: Set[int]) -> Iterator[Row]:
        """Every row that can be read, once, in the order of ids; of `bulky` topics without its content."""
        last, self._missing = 0, 0
        for row in self._all(bulky):
            if row.id > last:
                self._missing += row.id - last - 1
                last = row.id
                yield row

    def close(self) -> None:
        for source in self._sources:
            source.close()

    def _all(self, bulky: Set[int]) -> Iterator[Row]:
        try:
            yield from self._sources[-1].rows(bulky)
        except UNREADABLE as error:
            yield from self._salvage(error).rows(bulky)

    def _salvage(self, error: Exception) -> Leaves:
        self._faults.append(f"is damaged, {error}")
        leaves = Leaves(self._path)
        self._sources.append(leaves)
        return leaves


class _Sqlite:
    """A whole file, read by SQLite. What it cannot read is one of UNREADABLE, of one row a ValueError."""

    def __init__(self, path: Path) -> None:
        # immutable: a journal beside the file is never played back into it
        place = f"{path.resolve().as_uri()}?mode=ro&immutable=1"
        self._database = sqlite3.connect(place, uri=True, check_same_thread=False)
        self._database.text_factory = partial(str, encoding="utf-8", errors="replace")

    def close(self) -> None:
        self._database.close()

    def topics(self) -> dict[int, str]:
        self._database.execute(f"PRAGMA cache_size = {CACHE_PAGES}")  # here, as it reads the schema
        return {id: str(name) for id, name in self._database.execute("SELECT rowid, name FROM topics")}

    def rows(self, bulky: Set[int]) -> Iterator[Row]:
        left_out = ", ".join(str(int(id)) for id in sorted(bulky))
        content = f"CASE WHEN topic_id IN ({left_out}) THEN x'' ELSE data END"
        query = f"SELECT rowid, topic_id, timestamp, {content} FROM messages ORDER BY rowid"
        with closing(self._database.cursor()) as cursor:
            for id, topic, written_ns, small in cursor.execute(query):
                yield Row(
                    id, topic, written_ns, small if isinstance(small, bytes) else b"", partial(self._blob, id)
                )

    @contextmanager
    def _blob(self, id: int) -> Iterator[Any]:
        """Something to take slices of; nothing else of the row is read."""
        try:
            with self._database.blobopen("messages", "data", id, readonly=True) as blob:
                yield blob
        except sqlite3.Error as error:
            raise ValueError(f"cannot be read, {error}") from error


def _has_content(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0
