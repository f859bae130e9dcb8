"""The gallery in a store, read beside the run that writes it: what everybody looks like, in memory while it is open;
and where and when they were. Whoever is erased meanwhile is gone from it at the next look.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from configs.known import known
from pipeline._replica_store import REPLICA
from pipeline._store_commands import add_entry
from pipeline._store_facts import At, Origin
from pipeline._store_file import MIGRATIONS, NAME, OURS, StoreError, connect
from pipeline._store_gallery import PERSON
from pipeline.vault import KEYS, OVERHEAD, ErasedError, Vault

FEW = 256  # sightings: so many are put in order before anybody asks for more
MANY = 1000  # looks that have changed: so many are read all at once
SEARCHED = "searched"  # of entries in the audit log
Vectors = NDArray[np.float32]  # (n, d), each of length 1
Key = tuple[str, str]  # identity and tracklet
Row = tuple[
    int, bytes
]  # of the table of vectors: its number, and a nonce, which is another when it has changed
NOBODY = ("", "")
SOMEBODYS = "kind = ? AND identity >= 'P-' AND identity < 'P.'"  # not a tracklet's that is nobody's yet


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
        self._whose: list[Key] = []  # by row
        self._rows: list[Row] = []
        self._told: list[Row] = []  # at the last look, in the order of the table
        self._looks: Vectors = np.empty((0, 0), np.float32)
        self._version = -1
        self._homes: list[tuple[str, str]] = []  # cameras and fields of the states in which people are
        self._db = connect(self.path)
        try:
            self._check()
            self._vault = Vault(folder)
        except BaseException:
            self._db.close()
            raise

    def close(self) -> None:
        """Leave nothing in memory of what anybody looked like."""
        self._looks.fill(0)
        self._vault.close()
        self._db.close()

    def kinds(self) -> dict[Kind, int]:
        """How many sightings of somebody there are of each."""
        made: dict[Kind, int] = {}
        rows = self._db.execute("SELECT kind, count(*) FROM vectors WHERE identity >= 'P-' GROUP BY kind")
        for column, count in rows:
            node, _, kind = str(column).partition(" ")
            model_id, _, modality = kind.rpartition("/")
            if model_id and " " not in kind:
                made[Kind(node, model_id, modality)] = count
        return made

    def __len__(self) -> int:
        """How many sightings are known."""
        return len(self._whose)

    def look(self, kind: Kind) -> None:
        """Read what everybody looks like, or what of it has changed."""
        (version,) = self._db.execute("PRAGMA data_version").fetchone()
        if version == self._version:
            return
        self._version = version
        query = f"SELECT rowid, substr(sealed, 2, 12) FROM vectors WHERE {SOMEBODYS} AND length(sealed) > ?"
        now = self._db.execute(query, (kind.column, OVERHEAD)).fetchall()
        if now != self._told:
            self._told = now
            place = {row: n for n, row in enumerate(self._rows)}
            kept = [row for row in now if row in place]
            self._take(
                kind,
                [place[row] for row in kept],
                kept,
                {id for id, nonce in now if (id, nonce) not in place},
            )

    def like(self, vector: NDArray[np.float32]) -> Iterator[tuple[str, str, float]]:
        """Of everybody the sightings most like a unit vector, best first: identity, tracklet, cosine."""
        if not self._whose:
            return
        cosines = self._looks @ vector
        for rows in _best_first(cosines):
            for row in rows.tolist():
                if self._whose[row] != NOBODY:
                    yield (*self._whose[row], round(float(cosines[row]), 4))

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
        values = self._db.execute("SELECT value FROM states WHERE node = ?", (kind.node,))
        people = (
            msgspec.msgpack.decode(value, type=known(Known))
            for (value,) in values
            if value.startswith(PERSON)
        )
        return max((one.seen_ns for who in people for one in who.seen.values()), default=0)

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

    def _take(self, kind: Kind, places: Sequence[int], kept: list[Row], wanted: set[int]) -> None:
        """What lies at these places stays, and other rows are read. Nothing is copied but to where it stays."""
        sealed = self._sealed(kind, wanted)
        lengths = {(len(blob) - OVERHEAD) // 4 for *_, blob in sealed} | {
            self._looks.shape[1] for _ in places[:1]
        }
        if len(lengths) > 1:
            text = f"vectors of {kind.model_id} have several lengths, {sorted(lengths)}; search another --out"
            raise StoreError(f"{self.path}: {text}")
        before, count = self._looks, len(places)
        looks = np.zeros((count + len(sealed), max(lengths, default=0)), np.float32)
        if count:
            np.take(before, places, axis=0, out=looks[:count])
        rows = (memoryview(row).cast("B") for row in looks[count:])
        told = (
            (identity, blob, f"vectors {tracklet} {kind.column}") for _, identity, tracklet, blob in sealed
        )
        is_open = list(self._vault.opened_into(told, rows))
        norms = np.sqrt(np.einsum("nd,nd->n", looks[count:], looks[count:]))
        looks[count:] /= np.maximum(norms, 1e-9)[:, None]
        before.fill(0)
        # of who has been erased since there is no vector: nobody is like them, and they go at the next look
        fresh = [one[1:3] if there else NOBODY for one, there in zip(sealed, is_open, strict=True)]
        self._whose = [self._whose[n] for n in places] + fresh
        self._rows = kept + [(id, blob[1:13]) for id, _, _, blob in sealed]
        self._looks = looks

    def _sealed(self, kind: Kind, wanted: set[int]) -> list[tuple[int, str, str, bytes]]:
        """Of these rows their number, identity, tracklet, and what they look like."""
        query = f"SELECT rowid, identity, tracklet, sealed FROM vectors WHERE {SOMEBODYS}"
        if len(wanted) > MANY:
            return [row for row in self._db.execute(query, (kind.column,)) if row[0] in wanted]
        one = f"{query} AND rowid = ?"
        return [row for id in sorted(wanted) for row in self._db.execute(one, (kind.column, id))]

    def _homes_of(self, kind: Kind) -> list[tuple[str, str]]:
        if not self._homes:
            query = "SELECT DISTINCT camera, field FROM states WHERE node = ?"
            self._homes = list(self._db.execute(query, (kind.node,)))
        return self._homes


def _best_first(scores: NDArray[np.float32]) -> Iterator[NDArray[np.intp]]:
    """All rows, best first: a few, which mostly is all that is asked for, and then the others."""
    few = min(FEW, len(scores))
    best = np.argpartition(-scores, few - 1)[:few]
    yield best[np.lexsort((best, -scores[best]))]
    others = np.delete(np.arange(len(scores)), best)
    yield others[np.argsort(-scores[others], kind="stable")]
