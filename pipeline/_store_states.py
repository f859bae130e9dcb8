"""What every stage remembers, as rows of a store: one for each key that a stage keeps, so that a cut writes what has
changed. Vectors and crops are taken out of it, sealed, and put back when it is read.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

import msgspec

from pipeline._store_changes import WHOLE, Key, Row, States, last_of
from pipeline._store_file import FaultError, checksum
from pipeline.keyed import Changes
from pipeline.vault import ErasedError, ForgedError
from pipeline.wire import KIND, WireError, headed

SEALED = {  # what nobody may read in a state: the table of each such field, by class
    "Sighting": {"looks": "vectors", "shown": "vectors"},
    "Embedding": {"vector": "vectors", "visibility": "vectors"},
    "Crop": {"color": "crops", "depth": "crops", "infrared": "crops"},
    "Shot": {"jpeg": "crops"},
}
CHILDREN: dict[str, tuple[str, ...]] = {  # where in a class to look for more; in any other everywhere
    "Identity": ("sightings",),
    "Sighting": ("tracklet",),
    "Embedding": ("tracklet",),
    "Tracklet": ("crops",),
    "Crop": (),
    "Album": ("shots",),
    "Shot": (),
    "array": (),
}
PUT = """
INSERT INTO states VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (node, camera, field, key)
DO UPDATE SET turn = excluded.turn, value = excluded.value, checksum = excluded.checksum
"""  # what replaces a row writes its index too
PUT_PART = """
INSERT INTO {table} VALUES (?, ?, ?, ?, ?) ON CONFLICT (identity, tracklet, kind)
DO UPDATE SET sealed = excluded.sealed, checksum = excluded.checksum
"""
SIGNS = tuple(map(msgspec.msgpack.encode, SEALED))

_any = msgspec.msgpack.Decoder()
_encode = msgspec.msgpack.Encoder().encode

Part = tuple[str, str, str, str]  # table, identity, tracklet, kind
log = logging.getLogger(__name__)


class Sealing(Protocol):
    """Seals what may be read only as long as an identity's key is there; a tracklet that is nobody's yet has one of
    its own, under its own id.
    """

    def seal(self, identity: str, plain: bytes, purpose: str = "") -> bytes: ...

    def opened(self, identity: str, sealed: bytes, purpose: str = "") -> bytes:
        """Raises ErasedError where the key has been destroyed, ForgedError where this is not what was sealed."""

    def keep(self) -> None:
        """What `seal` has made is about to be committed: its keys must outlive a power cut from here on."""

    def forget(self, identity: str) -> None:
        """Nothing sealed for this identity is left."""

    def settle(self) -> None:
        """All that is committed: the keys of whom `forget` has named may go."""

    def keep_only(self, identities: Iterable[str]) -> None:
        """The keys of all others may go."""

    def close(self) -> None: ...


class StateRows:
    """The states in one store. Only its writer calls `write`, inside a transaction."""

    def __init__(self, db: sqlite3.Connection, sealing: Sealing) -> None:
        self._db, self._sealing = db, sealing
        self._turn = 0
        self._rows: set[Row] = set()
        self._parts: dict[Row, dict[Part, int]] = {}  # what is sealed of each row, with a hash of it
        self._owners: dict[str, int] = {}  # how many parts there are of each identity
        self._lost: list[Row] = []  # rows that cannot be put together any more
        self._gone: list[Part] = []  # parts that the transaction deletes and writes
        self._new: dict[Part, bytes] = {}

    def __len__(self) -> int:
        """How many rows there are, once they have been read."""
        return len(self._rows)

    @property
    def owners(self) -> Iterable[str]:
        """Whom anything is sealed for."""
        return self._owners

    def write(self, cuts: Iterable[States]) -> None:
        """What barriers have gathered, one after another: only what is left of it in the end."""
        left = last_of(cuts, self._rows)
        deleted = [*self._lost, *(row for row, value in left.items() if value is None)]
        self._lost = []
        for row in deleted:
            self._seal(row, {})
        written = [self._written(row, value) for row, value in left.items() if value is not None]
        self._rows.difference_update(deleted)
        self._rows.update(row for row, value in left.items() if value is not None)
        self._db.executemany(
            "DELETE FROM states WHERE node = ? AND camera = ? AND field = ? AND key = ?", deleted
        )
        self._db.executemany(PUT, written)
        self._write_parts()

    def read(self) -> dict[str, dict[str, bytes]]:
        """All states, as stages restore them. Raises FaultError."""
        try:
            return self._read()
        except ForgedError as error:
            raise FaultError(str(error)) from error
        except (msgspec.DecodeError, WireError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise FaultError(f"a state is damaged, {error!r}") from error

    def _written(self, row: Row, value: bytes) -> tuple[Any, ...]:
        self._turn += 1
        value = self._take_apart(row, value)
        return (*row, self._turn, value, checksum("states", *row, self._turn, value))

    def _take_apart(self, row: Row, value: bytes) -> bytes:
        """The value without what is sealed, which goes to its own tables as far as it has changed."""
        if not _has_sealed(value):
            self._seal(row, {})
            return value
        lowered = _any.decode(value)
        found: dict[Part, bytes] = {}
        for part, array in parts_of(lowered, row[0], row[3]):
            found[part], array["bytes"] = array["bytes"], None
        self._seal(row, found)
        return _encode(lowered)

    def _seal(self, row: Row, found: Mapping[Part, bytes]) -> None:
        before = self._parts.get(row, {})
        if not (before or found):
            return
        now = {part: _hash(part, plain) for part, plain in found.items()}
        for part in before.keys() - now.keys():
            self._gone.append(part)
            self._count(part[1], -1)
        for part, plain in found.items():
            if before.get(part) != now[part]:
                self._new[part] = self._sealing.seal(part[1], plain, _purpose(part))
                self._count(part[1], part not in before)
        if now:
            self._parts[row] = now
        else:
            del self._parts[row]

    def _write_parts(self) -> None:
        for table in ("vectors", "crops"):
            gone = [part[1:] for part in self._gone if part[0] == table]
            new = [
                (*part[1:], sealed, checksum(table, *part[1:], sealed))
                for part, sealed in self._new.items()
                if part[0] == table
            ]
            self._db.executemany(
                f"DELETE FROM {table} WHERE identity = ? AND tracklet = ? AND kind = ?", gone
            )
            self._db.executemany(PUT_PART.format(table=table), new)
        self._gone, self._new = [], {}

    def _count(self, identity: str, more: int) -> None:
        left = self._owners.get(identity, 0) + more
        if left:
            self._owners[identity] = left
        else:
            self._owners.pop(identity, None)
            self._sealing.forget(identity)

    def _read(self) -> dict[str, dict[str, bytes]]:
        plain = self._opened()
        self._rows, self._parts, self._owners = set(), {}, {}
        states: dict[str, dict[str, dict[str, Any]]] = {}
        rows = sorted(self._db.execute("SELECT * FROM states"), key=_turn_of)
        for node, camera, field, key, turn, value, said in rows:
            row: Row = (node, camera, field, key)
            if checksum("states", *row, turn, value) != said:
                raise ValueError(f"{node}.{field} is not what was written")
            self._turn = turn
            self._rows.add(row)
            whole = self._put_together(row, value, plain)
            if whole is None:
                self._lost.append(row)
                continue
            fields = states.setdefault(node, {}).setdefault(camera, {})
            if key == WHOLE:
                fields[field] = whole
            else:
                changes = fields.setdefault(field, {KIND: Changes.__name__, "put": {}, "deleted": []})
                changes["put"][key] = whole
        if self._lost:
            text = (
                "%d entries are left out: what they need was sealed with keys that are destroyed, or not here"
            )
            log.warning(text, len(self._lost))
        return {
            node: {camera: headed(_encode(fields)) for camera, fields in by.items()}
            for node, by in states.items()
        }

    def _opened(self) -> dict[Part, bytes | None]:
        """What was sealed; None where its key is not there any more."""
        plain: dict[Part, bytes | None] = {}
        for table in ("vectors", "crops"):
            for *part, sealed, said in self._db.execute(f"SELECT * FROM {table}"):
                identity, tracklet, kind = part
                if checksum(table, *part, sealed) != said:
                    raise ValueError(f"what is sealed of {tracklet} is not what was written")
                named = (table, identity, tracklet, kind)
                try:
                    plain[named] = self._sealing.opened(identity, sealed, _purpose(named))
                except ErasedError:
                    plain[named] = None
        return plain

    def _put_together(self, row: Row, value: bytes, plain: Mapping[Part, bytes | None]) -> Any:
        """What was written, or None where that cannot be any more."""
        if not _has_sealed(value):
            return msgspec.Raw(value)
        lowered = _any.decode(value)
        known: dict[Part, int] = {}
        is_whole = True
        for part, array in parts_of(lowered, row[0], row[3]):
            array["bytes"] = plain[part]
            is_whole &= plain[part] is not None
            known[part] = _hash(part, plain[part] or b"")
            self._owners[part[1]] = self._owners.get(part[1], 0) + 1
        if known:
            self._parts[row] = known
        return lowered if is_whole else None


def parts_of(value: Any, node: str, key: Key) -> Iterator[tuple[Part, dict[str, Any]]]:
    """The arrays in a value, as wire.py lowers it, that are to be sealed, and whose they are: of the identity or the
    tracklet that they stand in, else of what the value is kept by.
    """
    return _parts_of(value, node, "", key if isinstance(key, str) else "")


def _parts_of(value: Any, node: str, identity: str, tracklet: str) -> Iterator[tuple[Part, dict[str, Any]]]:
    if isinstance(value, list):
        for item in value:
            yield from _parts_of(item, node, identity, tracklet)
        return
    if not isinstance(value, dict):
        return
    kind = value.get(KIND)
    identity = value["identity_id"] if kind in ("Identity", "Album") else identity
    tracklet = value["tracklet_id"] if kind in ("Tracklet", "Shot") else tracklet
    if kind in ("Sighting", "Embedding"):
        tracklet = value["tracklet"]["tracklet_id"]
    for name, table in SEALED.get(str(kind), {}).items():
        if (array := value.get(name)) is not None:  # older stores have not all of them
            yield (table, identity or tracklet, tracklet, f"{node} {_named(value, name)}"), array
    for name in CHILDREN.get(str(kind), value):
        if value[name]:
            yield from _parts_of(value[name], node, identity, tracklet)


def _named(value: dict[str, Any], name: str) -> str:
    """What an array is of its tracklet: looks are called by their kind alone, as they have always been."""
    if value[KIND] in ("Crop", "Shot"):
        return f"{value['captured_ns']} {name}"
    if value[KIND] == "Embedding":
        return name
    return str(value["kind"]) if name == "looks" else f"{value['kind']} {name}"


def _has_sealed(value: bytes) -> bool:
    for sign in SIGNS:  # noqa: SIM110, a generator takes longer than what it looks for
        if sign in value:
            return True
    return False


def _purpose(part: Part) -> str:
    table, _, tracklet, kind = part
    return f"{table} {tracklet} {kind}"


def _hash(part: Part, plain: bytes) -> int:
    """What tells that it has changed; a crop of one moment never does."""
    return hash(plain) if part[0] == "vectors" else 0


def _turn_of(row: tuple[Any, ...]) -> Any:
    return row[4]
