"""The gallery in a store, read beside the run that writes it: what everybody looks like, in memory while it is open;
and where and when they were. Whoever is erased meanwhile is gone from it at the next look.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from configs.known import known
from pipeline._gallery_looks import GalleryLooks
from pipeline._keys_file import KEYS
from pipeline._store_commands import add_entry
from pipeline._store_facts import REPLICA, At, Origin
from pipeline._store_file import MIGRATIONS, NAME, OURS, StoreError, connect
from pipeline._store_gallery import PERSON
from pipeline.vault import ErasedError, Vault

SEARCHED = "searched"  # of entries in the audit log
OF = "FROM vectors WHERE kind = ? AND identity >= 'P-' AND identity < 'P.'"  # sightings of somebody
MAPPED = 1 << 31  # bytes of a store that the system reads ahead of: page by page takes several times as long
NEXT_HOME = """
SELECT * FROM (SELECT camera, field FROM states WHERE node = ?1 AND camera = ?2 AND field > ?3 ORDER BY field LIMIT 1)
UNION ALL
SELECT * FROM (SELECT camera, field FROM states WHERE node = ?1 AND camera > ?2 ORDER BY camera, field LIMIT 1)
LIMIT 1
"""  # neither DISTINCT nor (camera, field) > (?2, ?3), which go through everybody
Vector = NDArray[np.float32]


class Kind(NamedTuple):
    """Of vectors that can be compared, and the stage that keeps them."""

    node: str
    model_id: str
    modality: str

    @property
    def column(self) -> str:
        """What it is called in the table of vectors."""
        return f"{self.node} {self.model_id}/{self.modality}"


class _Array(msgspec.Struct, frozen=True):
    dtype: str
    content: bytes = msgspec.field(name="bytes")


class Seen(msgspec.Struct, frozen=True):
    """Of a tracklet, where and when it was."""

    tracklet_id: str
    camera_id: str
    opened_ns: int
    seen_ns: int
    floor_m: _Array
    floor_frame: str
    height_m: float

    @property
    def place_m(self) -> tuple[float, ...]:
        """On the floor, or nothing where that is not known."""
        place = np.frombuffer(self.floor_m.content, self.floor_m.dtype)
        is_known = bool(self.floor_frame) and bool(np.isfinite(place).all())
        return tuple(round(float(value), 3) for value in place) if is_known else ()


class _Sighting(msgspec.Struct, frozen=True):
    tracklet: Seen


class Known(msgspec.Struct, frozen=True):
    """Somebody, without what they look like."""

    identity_id: str
    sightings: tuple[_Sighting, ...]
    is_confirmed: bool
    is_lost: bool

    @property
    def seen(self) -> dict[str, Seen]:
        """By tracklet."""
        return {one.tracklet.tracklet_id: one.tracklet for one in self.sightings}


class GalleryFile:
    """Of the run in a folder. Raises StoreError where there is none that can be searched."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        for path in (self.path, folder / KEYS):
            if not path.is_file() or not path.stat().st_size:
                raise StoreError(f"{path}: is not there; name the folder of a run with --out")
        self._homes: list[tuple[str, str]] = []  # cameras and fields of the states in which people are
        self._db = connect(self.path)
        try:
            self._db.execute(f"PRAGMA mmap_size = {MAPPED}")
            self._check()
            self._vault = Vault(folder)
            self._looks = GalleryLooks(self.path, self._db, self._vault)
        except BaseException:
            self._db.close()
            raise

    def close(self) -> None:
        """Leave nothing in memory of what anybody looked like."""
        self._looks.close()
        self._vault.close()
        self._db.close()

    def kinds(self) -> list[Kind]:
        """Of which there are sightings of somebody."""
        made = []
        for column in self._looks.kinds():
            node, _, kind = column.partition(" ")
            model_id, _, modality = kind.rpartition("/")
            if (
                model_id
                and " " not in kind
                and self._db.execute(f"SELECT 1 {OF} LIMIT 1", (column,)).fetchone()
            ):
                made.append(Kind(node, model_id, modality))
        return made

    def count(self, kind: Kind) -> int:
        """How many there are. That goes through all of them, which of a large gallery takes its time."""
        return int(self._db.execute(f"SELECT count(*) {OF}", (kind.column,)).fetchone()[0])

    def __len__(self) -> int:
        """How many sightings are known."""
        return len(self._looks)

    def look(self, kind: Kind) -> None:
        """Read what everybody looks like, or what of it has changed."""
        self._looks.look(kind.column)

    def keep(self, kind: Kind) -> None:
        """Seal what was read so that the next search reads it sooner."""
        self._looks.keep(kind.column)

    def like(self, vector: Vector, visibility: Vector | None = None) -> Iterator[tuple[str, str, float]]:
        """Of everybody the sightings most like a unit vector, best first: identity, tracklet, score."""
        return self._looks.like(vector, visibility)

    def known(self, kind: Kind, identity: str) -> Known | None:
        """Somebody as they are now, or nobody."""
        for home in self._homes_of(kind):
            query = "SELECT value FROM states WHERE node = ? AND camera = ? AND field = ? AND key = ?"
            row = self._db.execute(query, (kind.node, *home, identity)).fetchone()
            if row and row[0].startswith(PERSON):
                return msgspec.msgpack.decode(row[0], type=known(Known))
        return None

    def last_ns(self, kind: Kind) -> int:
        """The last that is known of this site, in the time of its cameras."""
        (said,) = self._db.execute("SELECT value FROM facts WHERE name = ?", (At.__name__,)).fetchone()
        at = msgspec.msgpack.decode(said, type=known(At))
        if not at.has_ended:
            return at.at_ns
        return max((one.seen_ns for one in self._seen(kind)), default=0)

    def cameras(self, kind: Kind) -> list[str]:
        """Those by which anybody was seen who is known."""
        return sorted({one.camera_id for one in self._seen(kind)})

    def pictures(self, identity: str) -> list[tuple[str, NDArray[np.uint8]]]:
        """What is kept of them: tracklet and JPEG, in the order in which they were taken."""
        query = "SELECT tracklet, kind, sealed FROM crops WHERE identity = ?"
        found = []
        for tracklet, kind, sealed in self._db.execute(query, (identity,)).fetchall():
            _, captured_ns, _ = kind.split(" ")
            try:
                plain = self._vault.opened(identity, sealed, f"crops {tracklet} {kind}")
            except ErasedError:
                continue
            found.append((int(captured_ns), tracklet, np.frombuffer(plain, np.uint8)))
        return [(tracklet, jpeg) for _, tracklet, jpeg in sorted(found, key=lambda one: one[:2])]

    def there(self, identities: Iterable[str]) -> set[str]:
        """Which of them have not been erased, nor forgotten, by now."""
        return {one for one in identities if self._vault.is_there(one)}

    def note(self, at_ns: int, detail: str) -> None:
        """Write into the audit log that people were searched for."""
        add_entry(self._db, at_ns, SEARCHED, "", detail)

    def _check(self) -> None:
        (owner,) = self._db.execute("PRAGMA application_id").fetchone()
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if owner != OURS or version > len(MIGRATIONS):
            why = "was written by a newer version; search with that" if owner == OURS else "is no store"
            raise StoreError(f"{self.path}: {why}")
        row = self._db.execute("SELECT value FROM facts WHERE name = ?", (Origin.__name__,)).fetchone()
        if row is None:
            raise StoreError(f"{self.path}: holds nothing yet; search it once its run has begun")
        if msgspec.msgpack.decode(row[0], type=known(Origin)).source == REPLICA:
            raise StoreError(f"{self.path}: is a replica; search where the site is written")

    def _seen(self, kind: Kind) -> Iterator[Seen]:
        """All sightings of everybody."""
        for (value,) in self._db.execute("SELECT value FROM states WHERE node = ?", (kind.node,)):
            if value.startswith(PERSON):
                yield from msgspec.msgpack.decode(value, type=known(Known)).seen.values()

    def _homes_of(self, kind: Kind) -> list[tuple[str, str]]:
        home = ("", "") if not self._homes else None
        while home and (home := self._db.execute(NEXT_HOME, (kind.node, *home)).fetchone()):
            self._homes.append(home)
        return self._homes
