"""The outbox of a store: what is to be published, numbered and in order; who has taken how much of it; the sequence
numbers that events got. Its writer is the store's, its readers are the publishers' drains.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
from lz4 import block

from pipeline._store_file import FaultError, checksum, connect
from pipeline._store_gallery import GALLERY
from pipeline.events import FAMILIES, Envelopes, Published, Sequences
from pipeline.messages import IdentityEvent
from pipeline.publish._publisher import Row
from pipeline.publish._state import STATE, state_records

IDENTITY = FAMILIES[IdentityEvent]
Taken = tuple[int, bytes]  # the number up to which a publisher has taken everything, and its own mark there
PIECE = 1000  # rows that are written, read and deleted at once, at most
_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(list[Row]).decode


class Outbox:
    """One store's, for its writer alone, inside its transactions."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._deleted = self.last = 0  # the highest numbers

    def read(self) -> tuple[Sequences, dict[str, Taken]]:
        """What has been allotted and taken. Raises FaultError."""
        sequences = {(family, key): last for family, key, last in self._checked("sequences")}
        taken = {name: (number, mark) for name, number, mark in self._checked("publishers")}
        self._deleted = min((number for number, _ in taken.values()), default=0)
        (highest,) = self._db.execute("SELECT max(last) FROM outbox").fetchone()
        self.last = max([highest or 0, *(number for number, _ in taken.values())])
        return sequences, taken

    def add(self, events: Iterable[Published], envelopes: Envelopes) -> None:
        """Events, wrapped, and behind each the records of those whose state it changes; their sequence numbers are
        allotted in the same transaction.
        """
        rows, changes = list[Row](), dict[str, bytes]()

        def known(identity: str) -> bytes | None:
            return changes[identity] if identity in changes else self._record(identity)

        for event in events:
            family, key, body = envelopes.wrapped(event)
            records = state_records(body, known) if family == IDENTITY else {}
            changes |= records
            for row in ((family, key, body), *((STATE, *one) for one in records.items())):
                rows.append(Row(self.last + len(rows) + 1, *row))
        self._put(rows[start : start + PIECE] for start in range(0, len(rows), PIECE))
        self._keep(changes)
        changed = [(*of, last, checksum("sequences", *of, last)) for of, last in envelopes.allotted().items()]
        self._db.executemany("INSERT OR REPLACE INTO sequences VALUES (?, ?, ?, ?)", changed)

    def share(self, records: Mapping[str, bytes], key_name: str = "") -> None:
        """Tell replicas of the gallery of these, by identity: sealed with the key of that name, or empty where somebody
        is gone of whom they were told. What still waits of these identities is not told any more.
        """
        here = "identity = ? AND identity != ''"  # as the index has it
        self._db.executemany(f"DELETE FROM outbox WHERE {here}", [(id,) for id in records])
        put = [id for id, sealed in records.items() if sealed]
        gone = [id for id, sealed in records.items() if not sealed and self._is_shared(id)]
        self._put([Row(n, GALLERY, id, records[id])] for n, id in enumerate((*put, *gone), self.last + 1))
        self._note_shared(put, key_name)
        self._db.executemany("DELETE FROM shared WHERE identity = ?", [(id,) for id in gone])

    def _put(self, pieces: Iterable[Sequence[Row]]) -> None:
        for rows in pieces:
            self.last = rows[-1].number
            identity = rows[0].key if rows[0].family == GALLERY else ""
            piece = self.last, identity, packed(rows)
            self._db.execute("INSERT INTO outbox VALUES (?, ?, ?, ?)", (*piece, checksum("outbox", *piece)))

    def shared(self) -> dict[str, str]:
        """Whom replicas were told of, and the name of the key that it was sealed with. Raises FaultError."""
        return {identity: name for identity, name in self._checked("shared")}

    def begin_to_share(self, told: Mapping[str, str]) -> None:
        """It is these that replicas were told of, whatever was known of it here."""
        self._db.execute("DELETE FROM shared")
        for identity, name in told.items():
            self._note_shared([identity], name)

    def _is_shared(self, identity: str) -> bool:
        return bool(self._db.execute("SELECT 1 FROM shared WHERE identity = ?", (identity,)).fetchone())

    def _note_shared(self, identities: Iterable[str], key_name: str) -> None:
        rows = [(id, key_name, checksum("shared", id, key_name)) for id in identities]
        self._db.executemany("INSERT OR REPLACE INTO shared VALUES (?, ?, ?)", rows)

    def _record(self, identity: str) -> bytes | None:
        """Who somebody is now. Raises FaultError."""
        row = self._db.execute(
            "SELECT value, checksum FROM records WHERE identity = ?", (identity,)
        ).fetchone()
        if row is not None and checksum("records", identity, row[0]) != row[1]:
            raise FaultError(f"the record of {identity} is not what was written")
        return bytes(row[0]) if row else None

    def _keep(self, records: Mapping[str, bytes]) -> None:
        put = [(id, value, checksum("records", id, value)) for id, value in records.items() if value]
        self._db.executemany("INSERT OR REPLACE INTO records VALUES (?, ?, ?)", put)
        gone = [(id,) for id, value in records.items() if not value]
        self._db.executemany("DELETE FROM records WHERE identity = ?", gone)

    def note(self, taken: Mapping[str, Taken]) -> None:
        """How far publishers have come: what all of them have is deleted."""
        rows = [(name, *one, checksum("publishers", name, *one)) for name, one in taken.items()]
        self._db.executemany("INSERT OR REPLACE INTO publishers VALUES (?, ?, ?, ?)", rows)
        (least,) = self._db.execute("SELECT min(number) FROM publishers").fetchone()
        if least is not None and least > self._deleted:
            self._db.execute("DELETE FROM outbox WHERE last <= ?", (least,))
            self._deleted = least

    def leave(self, names: Collection[str]) -> None:
        """Publishers that are no longer in the graph are not waited for."""
        for (name,) in self._db.execute("SELECT name FROM publishers").fetchall():
            if name not in names:
                self._db.execute("DELETE FROM publishers WHERE name = ?", (name,))

    def _checked(self, table: str) -> list[list[Any]]:
        rows = []
        for *row, said in self._db.execute(f"SELECT * FROM {table}"):
            if checksum(table, *row) != said:
                raise FaultError(f"{row[0]}: is not what was written")
            rows.append(row)
        return rows


def packed(rows: Sequence[Row]) -> bytes:
    """As they lie in a store: compressed, since events are much alike, and every byte is written twice and deleted."""
    return bytes(block.compress(_pack(rows)))


def unpacked(piece: bytes) -> list[Row]:
    """The rows of a piece whose checksum holds."""
    return _unpack(block.decompress(piece))


class Waiting:
    """The rows of an outbox as one reader sees them: those whose transaction is over."""

    def __init__(self, path: Path, families: Collection[str]) -> None:
        self._db, self._families = connect(path), families
        self._db.execute("PRAGMA query_only = ON")

    def after(self, number: int, last: int, most: int) -> tuple[Sequence[Row], int]:
        """The rows above a number, up to another, and up to which one that is: of so many pieces that they come to
        `most`. Raises FaultError.
        """
        rows = list[Row]()
        query = (
            "SELECT last, identity, packed, checksum FROM outbox WHERE last > ? AND last <= ? ORDER BY last"
        )
        with closing(self._db.execute(query, (number, last))) as pieces:
            for *piece, said in pieces:
                if checksum("outbox", *piece) != said:
                    raise FaultError(f"what ends with row {piece[0]} of the outbox is not what was written")
                read = unpacked(piece[-1])
                rows += [row for row in read if row.number > number and row.family in self._families]
                if len(rows) >= most:
                    return rows, piece[0]
        return rows, last

    def close(self) -> None:
        self._db.close()
