"""A copy of a site's gallery that follows what its matcher tells, and answers who is there and whom somebody is like.
Knows no topic: records come to it, and it keeps how far they have been read.
"""

from __future__ import annotations

import ctypes
import logging
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline._replica_record import person_in
from pipeline._replica_store import Places, ReplicaStore
from pipeline._replica_table import Table
from pipeline._store_file import DamagedError
from pipeline.events import rfc3339
from pipeline.gallery_key import GalleryKey, SealError
from pipeline.messages import Identity, Sighting, are_hidden
from pipeline.stage import InputError
from pipeline.wire import WireError

UNIT = 1e-3  # how far from 1 the length of a vector may be that asks
log = logging.getLogger(__name__)


class QueryError(Exception):
    """A question that has no answer: why, as one word for programs and as a sentence."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind


class OtherKeyError(InputError):
    """Nothing of a gallery opens with this key."""


class Person(msgspec.Struct, frozen=True, omit_defaults=True):
    """Somebody in the gallery, and where they were last."""

    identity_id: str
    state: str  # tentative, confirmed or lost
    appeared: str
    seen: str
    camera_id: str
    tracklet_id: str
    floor_frame: str = ""
    floor_m: tuple[float, ...] = ()
    height_m: float | None = None
    previous_ids: tuple[str, ...] = ()


class Likeness(msgspec.Struct, frozen=True):
    """How like somebody is, from -1 to 1."""

    similarity: float
    person: Person


class Status(msgspec.Struct, frozen=True):
    """What a replica holds, and how far it is behind."""

    site: str
    people: int
    vectors: dict[str, int]  # by kind
    unreadable: int  # identities that this key does not open
    behind: int  # records, at most; -1 before it has been told how many there are
    away: str  # why nothing can be read now
    read: str  # when it last had all there was


@dataclass
class Replica:
    """Of one site, in a folder of its own. Any thread may ask; one follows."""

    folder: Path
    key: GalleryKey
    _people: dict[str, Identity] = field(default_factory=dict, init=False)
    _names: dict[str, str] = field(default_factory=dict, init=False)  # whose an earlier name is
    _tables: dict[str, Table] = field(default_factory=dict, init=False)  # by kind of vectors
    _unreadable: dict[str, str] = field(default_factory=dict, init=False)  # why, by identity
    _said: int = field(default=0, init=False)  # how many of those
    _behind: int = field(default=-1, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    away: str = field(default="", init=False)

    def __post_init__(self) -> None:
        self._store = ReplicaStore(self.folder, self.key.site, self.key.name)
        try:
            for id, plain in self._store.known():
                self._add(person_in(id, plain))
                _overwrite(plain)
        except DamagedError as error:
            log.warning("%s", error)
            self._store.set_aside()
            self.clear()
        except WireError as error:
            log.warning("%s: %s; everything is read again", self.folder, error)
            self.clear()

    @property
    def places(self) -> Places:
        """From where to go on; empty where nothing has been read."""
        return self._store.places

    @property
    def read_ns(self) -> int:
        return self._store.read_ns

    def take(self, records: Iterable[tuple[str, bytes | None]], places: Places) -> None:
        """What came next of the topic, each an identity and what is told of it, up to these places."""
        last = dict(records)
        plain: dict[str, bytes] = {}
        with self._lock:
            for id, sealed in last.items():
                self._remove(id)
                self._unreadable.pop(id, None)
                if sealed and (opened := self._opened(id, sealed)):
                    who, plain[id] = opened
                    self._add(who)
        self._store.write(plain, last.keys() - plain.keys(), places)
        for one in plain.values():
            _overwrite(one)

    def has_read(self, ends: Mapping[int, int]) -> None:
        """The topic goes so far now. Raises OtherKeyError where nothing in it could be opened."""
        self._behind = sum(max(end - self.places.get(partition, 0), 0) for partition, end in ends.items())
        if self._behind:
            return
        if self._unreadable and not self._people:
            id, why = next(iter(self._unreadable.items()))
            self.clear()  # so that the next one reads it again
            raise OtherKeyError(
                f"gallery of {self.key.site}: the record of {id} {why}, and so with all of them; is "
                "publish.kafka.gallery_key_file that of who writes?"
            )
        self._store.read_ns = time.time_ns()
        if len(self._unreadable) > self._said:
            text = "gallery of %s: %d records are left out that cannot be read; that of %s %s"
            log.warning(text, self.key.site, len(self._unreadable), *next(iter(self._unreadable.items())))
        self._said = len(self._unreadable)

    def clear(self) -> None:
        """Nobody is known, and everything is read again."""
        with self._lock:
            for id in list(self._people):
                self._remove(id)
        self._unreadable.clear()
        self._store.clear()
        self._behind = -1

    def status(self) -> Status:
        with self._lock:
            vectors = {kind: len(table) for kind, table in self._tables.items() if len(table)}
            people = len(self._people)
        read = rfc3339(self.read_ns) if self.read_ns else ""
        return Status(self.key.site, people, vectors, len(self._unreadable), self._behind, self.away, read)

    def present(self, with_lost: bool = False) -> list[Person]:
        """Who is in view, or was until a moment ago; who was seen last comes first."""
        with self._lock:
            found = [who for who in self._people.values() if with_lost or not who.is_lost]
        return [_person(who) for who in sorted(found, key=lambda who: (-who.seen_ns, who.identity_id))]

    def person(self, name: str) -> Person:
        """Whoever has this name, or had it before a merge. Raises QueryError."""
        with self._lock:
            return _person(self._known(name))

    def like(self, name: str, most: int) -> list[Likeness]:
        """Whom somebody in the gallery is like, by what is known best of them. Raises QueryError."""
        with self._lock:
            who = self._known(name)
            looked = [one for one in who.sightings if one.votes]
            if not looked:
                raise QueryError("no_vector", f"nothing is known yet of what {name} looks like")
            best = max(looked, key=lambda one: one.votes)
            found = self._tables[best.kind].like(best.vector, most + 1)
            others = [one for one in found if one[0] != who.identity_id]
            return self._likenesses(others[:most])

    def like_vector(self, vector: NDArray[np.float32], kind: str, most: int) -> list[Likeness]:
        """Whom a vector is like; where there is one kind only it need not be said. Raises QueryError."""
        with self._lock:
            table = self._table(kind)
            if vector.shape != (table.dimension,):
                text = f"the vector has shape {vector.shape}, those of this kind {(table.dimension,)}"
                raise QueryError("bad_vector", text)
            length = float(np.linalg.norm(vector))
            if not np.isfinite(length) or length < UNIT:
                raise QueryError("bad_vector", "the vector has no direction")
            return self._likenesses(table.like((vector / length).astype(np.float32), most))

    def close(self) -> None:
        with self._lock:
            for id in list(self._people):
                self._remove(id)
        self._store.close()

    def _table(self, kind: str) -> Table:
        there = sorted(name for name, table in self._tables.items() if len(table))
        if not there:
            raise QueryError("nobody", "nobody is in the gallery whose looks are known")
        if kind and kind not in there:
            raise QueryError(
                "unknown_kind", f"there are no vectors of kind {kind!r}, only of {', '.join(there)}"
            )
        if not kind and len(there) > 1:
            raise QueryError(
                "which_kind", f"there are vectors of several kinds: {', '.join(there)}; say which"
            )
        return self._tables[kind or there[0]]

    def _known(self, name: str) -> Identity:
        who = self._people.get(name) or self._people.get(self._names.get(name, ""))
        if who is None:
            raise QueryError("unknown_identity", f"nobody here is called {name}")
        return who

    def _likenesses(self, found: Iterable[tuple[str, float]]) -> list[Likeness]:
        return [Likeness(similarity, _person(self._people[id])) for id, similarity in found]

    def _opened(self, id: str, sealed: bytes) -> tuple[Identity, bytes] | None:
        """Whom a record tells of, and what it says; nobody where it cannot be read, which is said."""
        try:
            plain = self.key.opened(id, sealed)
            return person_in(id, plain), plain
        except (SealError, WireError) as error:
            self._unreadable[id] = str(error)
            return None

    def _add(self, who: Identity) -> None:
        id = who.identity_id
        self._people[id] = who
        self._names |= dict.fromkeys(who.previous_ids, id)
        by_kind: dict[str, list[Sighting]] = {}
        for one, is_hidden in zip(who.sightings, are_hidden(who.sightings), strict=True):
            if one.votes and not is_hidden:
                by_kind.setdefault(one.kind, []).append(one)
        for kind, looked in by_kind.items():
            table = self._tables.setdefault(kind, Table(len(looked[0].looks)))
            table.put(id, (one.vector for one in looked if len(one.looks) == table.dimension))

    def _remove(self, id: str) -> None:
        """Leave nothing in memory of what they looked like."""
        for table in self._tables.values():
            table.remove(id)
        if who := self._people.pop(id, None):
            for name in who.previous_ids:
                if self._names.get(name) == id:
                    del self._names[name]
            who.overwrite()


def _overwrite(plain: bytes) -> None:
    """Leave nothing in memory of what it said: for whoever holds the only reference, and drops it."""
    ctypes.memset(np.frombuffer(plain, np.uint8).ctypes.data, 0, len(plain))


def _person(who: Identity) -> Person:
    last = who.last.tracklet
    state = "lost" if who.is_lost else "confirmed" if who.is_confirmed else "tentative"
    is_placed = bool(last.floor_frame) and bool(np.isfinite(last.floor_m).all())
    return Person(
        who.identity_id,
        state,
        rfc3339(who.appeared_ns),
        rfc3339(who.seen_ns),
        last.camera_id,
        last.tracklet_id,
        last.floor_frame if is_placed else "",
        tuple(round(float(value), 3) for value in last.floor_m) if is_placed else (),
        round(float(last.height_m), 3) if np.isfinite(last.height_m) else None,
        who.previous_ids,
    )
