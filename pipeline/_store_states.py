"""What every stage remembers, as rows of a store: one for each key that a stage keeps, so that a cut writes what has
changed. Vectors and crops are taken out of it, sealed, and put back when it is read.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol
from zlib import crc32

import msgspec

from pipeline._store_file import FaultError
from pipeline.cuts import ANEW
from pipeline.keyed import Changes
from pipeline.wire import KIND, VERSION, WireError

WHOLE = b""  # the key of a field that is not kept by key
SEALED = {  # what nobody may read in a state: its table, by class and field
    ("Sighting", "looks"): "vectors",
    ("Embedding", "vector"): "vectors",
    ("Crop", "color"): "crops",
    ("Crop", "depth"): "crops",
    ("Crop", "infrared"): "crops",
}
CHILDREN = {  # of the classes that have such parts: where to look for more; in others everywhere
    "Identity": ("sightings",),
    "Sighting": ("tracklet",),
    "Embedding": ("tracklet",),
    "Tracklet": ("crops",),
}
SIGNS = tuple(msgspec.msgpack.encode(kind) for kind, _ in SEALED)
CHANGES = msgspec.msgpack.encode({KIND: Changes.__name__, "put": 0, "deleted": 0})[:11]  # how one begins

_Fields = dict[str, msgspec.Raw]
_state = msgspec.msgpack.Decoder(tuple[int, _Fields])
_changes = msgspec.msgpack.Decoder(_Fields)
_put = msgspec.msgpack.Decoder(dict[str | int, msgspec.Raw])
_deleted = msgspec.msgpack.Decoder(list[str | int])
_any = msgspec.msgpack.Decoder()
_encode = msgspec.msgpack.Encoder().encode

Key = str | int | bytes
Row = tuple[str, str, str, Key]  # node, camera, field, key
Part = tuple[str, str, str, str]  # table, identity, tracklet, kind


class Sealing(Protocol):
    """Seals what may be read only as long as an identity's key is there; a tracklet that is nobody's yet has one of
    its own, under its own id.
    """

    def seal(self, identity: str, plain: bytes) -> bytes: ...

    def opened(self, identity: str, sealed: bytes) -> bytes: ...

    def keep(self) -> None:
        """What `seal` has made is about to be committed: its keys must outlive a power cut from here on."""

    def forget(self, identity: str) -> None:
        """Nothing sealed for this identity is left."""


class Plain:
    """Seals nothing."""

    def seal(self, identity: str, plain: bytes) -> bytes:
        return plain

    def opened(self, identity: str, sealed: bytes) -> bytes:
        return sealed

    def keep(self) -> None:
        pass

    def forget(self, identity: str) -> None:
        pass


class States:
    """The states in one store. Only its writer calls `write`, inside a transaction."""

    def __init__(self, db: sqlite3.Connection, sealing: Sealing) -> None:
        self._db, self._sealing = db, sealing
        self._turn = 0
        self._parts: dict[Row, dict[Part, int]] = {}  # what is sealed of each row, with a hash of it
        self._owners: dict[str, int] = {}  # how many parts there are of each identity

    def write(self, states: Mapping[str, Mapping[str, bytes]]) -> None:
        """What a barrier has gathered, by node and camera."""
        for node, by_camera in states.items():
            for camera, state in by_camera.items():
                _, fields = _state.decode(state)
                if fields.pop(ANEW, None) is not None:
                    self._forget(node, camera)
                for field, value in fields.items():
                    if not bytes(value).startswith(CHANGES):
                        self._write([((node, camera, field, WHOLE), value)])
                        continue
                    changes = _changes.decode(value)
                    put = _put.decode(changes["put"])
                    self._delete([(node, camera, field, key) for key in _deleted.decode(changes["deleted"])])
                    self._write([((node, camera, field, key), one) for key, one in put.items()])

    def read(self) -> dict[str, dict[str, bytes]]:
        """All states, as stages restore them. Raises FaultError."""
        try:
            return self._read()
        except (msgspec.DecodeError, WireError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise FaultError(f"a state is damaged, {error!r}") from error

    def _write(self, rows: Sequence[tuple[Row, msgspec.Raw]]) -> None:
        written = []
        for row, raw in rows:
            self._turn += 1
            value = self._take_apart(row, bytes(raw))
            written.append((*row, self._turn, value, _checksum(row, self._turn, value)))
        self._db.executemany("INSERT OR REPLACE INTO states VALUES (?, ?, ?, ?, ?, ?, ?)", written)

    def _delete(self, rows: Sequence[Row]) -> None:
        for row in rows:
            self._seal(row, {})
        self._db.executemany(
            "DELETE FROM states WHERE node = ? AND camera = ? AND field = ? AND key = ?", rows
        )

    def _forget(self, node: str, camera: str) -> None:
        """All that one instance has remembered."""
        for row in [row for row in self._parts if row[:2] == (node, camera)]:
            self._seal(row, {})
        self._db.execute("DELETE FROM states WHERE node = ? AND camera = ?", (node, camera))

    def _take_apart(self, row: Row, value: bytes) -> bytes:
        """The value without what is sealed, which goes to its own tables as far as it has changed."""
        if not any(sign in value for sign in SIGNS):
            self._seal(row, {})
            return value
        lowered = _any.decode(value)
        found: dict[Part, bytes] = {}
        for part, array in parts_of(lowered, row[0]):
            found[part], array["bytes"] = array["bytes"], None
        self._seal(row, found)
        return _encode(lowered)

    def _seal(self, row: Row, found: Mapping[Part, bytes]) -> None:
        before = self._parts.get(row, {})
        if not (before or found):
            return
        now = {part: hash(plain) for part, plain in found.items()}
        for part in before.keys() - now.keys():
            table, *key = part
            self._db.execute(f"DELETE FROM {table} WHERE identity = ? AND tracklet = ? AND kind = ?", key)
            self._count(part[1], -1)
        for part, plain in found.items():
            if before.get(part) != now[part]:
                table, *key = part
                sealed = self._sealing.seal(part[1], plain)
                self._db.execute(f"INSERT OR REPLACE INTO {table} VALUES (?, ?, ?, ?)", (*key, sealed))
                self._count(part[1], part not in before)
        if now:
            self._parts[row] = now
        else:
            del self._parts[row]

    def _count(self, identity: str, more: int) -> None:
        left = self._owners.get(identity, 0) + more
        if left:
            self._owners[identity] = left
        else:
            self._owners.pop(identity, None)
            self._sealing.forget(identity)

    def _read(self) -> dict[str, dict[str, bytes]]:
        plain = {
            (table, identity, tracklet, kind): self._sealing.opened(identity, sealed)
            for table in ("vectors", "crops")
            for identity, tracklet, kind, sealed in self._db.execute(f"SELECT * FROM {table}")
        }
        self._parts, self._owners = {}, {}
        states: dict[str, dict[str, dict[str, Any]]] = {}
        rows = sorted(self._db.execute("SELECT * FROM states"), key=_turn_of)
        for node, camera, field, key, turn, value, checksum in rows:
            row: Row = (node, camera, field, key)
            if _checksum(row, turn, value) != checksum:
                raise ValueError(f"{node}.{field} is not what was written")
            self._turn = turn
            whole = self._put_together(row, value, plain)
            fields = states.setdefault(node, {}).setdefault(camera, {})
            if key == WHOLE:
                fields[field] = whole
            else:
                changes = fields.setdefault(field, {KIND: Changes.__name__, "put": {}, "deleted": []})
                changes["put"][key] = whole
        return {
            node: {camera: _encode((VERSION, fields)) for camera, fields in by.items()}
            for node, by in states.items()
        }

    def _put_together(self, row: Row, value: bytes, plain: Mapping[Part, bytes]) -> Any:
        if not any(sign in value for sign in SIGNS):
            return msgspec.Raw(value)
        lowered = _any.decode(value)
        known: dict[Part, int] = {}
        for part, array in parts_of(lowered, row[0]):
            array["bytes"] = plain[part]
            known[part] = hash(array["bytes"])
            self._owners[part[1]] = self._owners.get(part[1], 0) + 1
        if known:
            self._parts[row] = known
        return lowered


def parts_of(
    value: Any, node: str, identity: str = "", tracklet: str = ""
) -> Iterator[tuple[Part, dict[str, Any]]]:
    """The arrays in a value, as wire.py lowers it, that are to be sealed, and whose they are."""
    if isinstance(value, list):
        for item in value:
            yield from parts_of(item, node, identity, tracklet)
        return
    if not isinstance(value, dict):
        return
    kind = value.get(KIND)
    identity = value["identity_id"] if kind == "Identity" else identity
    tracklet = value["tracklet_id"] if kind == "Tracklet" else tracklet
    if kind in ("Sighting", "Embedding"):
        tracklet = value["tracklet"]["tracklet_id"]
    for (cls, name), table in SEALED.items():
        if cls == kind and (array := value[name]) is not None:
            what = f"{value['captured_ns']} {name}" if kind == "Crop" else value.get("kind", name)
            yield (table, identity or tracklet, tracklet, f"{node} {what}"), array
    for name in CHILDREN.get(str(kind), () if kind in ("array", "Crop") else value):
        if value[name]:
            yield from parts_of(value[name], node, identity, tracklet)


def _checksum(row: Row, turn: int, value: bytes) -> int:
    return crc32(value, crc32(f"{row}{turn}".encode()))


def _turn_of(row: tuple[Any, ...]) -> Any:
    return row[4]
