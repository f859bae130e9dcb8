"""The file of a site store: made, migrated, refused, or set aside where it is damaged. Knows no row of it."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zlib import crc32

import msgspec
from lz4 import block

NAME, LOCK = "site.db", "site.lock"
OURS = 0x53474854  # "SGHT", in the header of every store
MAGIC = b"SQLite format 3\x00"
WAITS_S = 10.0  # for another program that writes, like run.py erase

# Every row has a checksum: SQLite has none, and a state with one bit turned is a state that nobody was ever in. `turn`
# is when a value was last put, and so its place among the others. Vectors and crops lie in their own tables alone.
FIRST = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value BLOB, checksum INTEGER) WITHOUT ROWID;
CREATE TABLE states (
    node TEXT, camera TEXT, field TEXT, key, turn INTEGER, value BLOB, checksum INTEGER,
    PRIMARY KEY (node, camera, field, key)
);
CREATE TABLE vectors (
    identity TEXT, tracklet TEXT, kind TEXT, sealed BLOB, checksum INTEGER, PRIMARY KEY (identity, tracklet, kind)
);
CREATE TABLE crops (
    identity TEXT, tracklet TEXT, kind TEXT, sealed BLOB, checksum INTEGER, PRIMARY KEY (identity, tracklet, kind)
);
CREATE TABLE sequences (
    family TEXT, key TEXT, last INTEGER, checksum INTEGER, PRIMARY KEY (family, key)
) WITHOUT ROWID;
CREATE TABLE outbox (number INTEGER PRIMARY KEY, family TEXT, key TEXT, body BLOB, checksum INTEGER);
CREATE TABLE records (identity TEXT PRIMARY KEY, value BLOB, checksum INTEGER) WITHOUT ROWID;
CREATE TABLE publishers (name TEXT PRIMARY KEY, number INTEGER, mark BLOB, checksum INTEGER) WITHOUT ROWID;
CREATE TABLE commands (number INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT, body BLOB, taken_ns INTEGER);
CREATE TABLE audit (number INTEGER PRIMARY KEY AUTOINCREMENT, at_ns INTEGER, kind TEXT, subject TEXT, detail TEXT);
"""
SECOND = """
CREATE TABLE shared (identity TEXT PRIMARY KEY, key TEXT, checksum INTEGER) WITHOUT ROWID;
CREATE INDEX waiting_gallery ON outbox (key) WHERE family = 'gallery';
"""
THIRD_GIVES = """
CREATE TABLE pieces (last INTEGER PRIMARY KEY, identity TEXT, packed BLOB, checksum INTEGER)
"""
THIRD_TAKES = """
DROP TABLE outbox;
ALTER TABLE pieces RENAME TO outbox;
CREATE INDEX waiting_gallery ON outbox (identity) WHERE identity != ''
"""


def _packed(db: sqlite3.Connection) -> None:
    """The rows of an outbox lie in pieces, which are written, read and deleted whole: `last` is the number of a piece's
    last row. A row of the gallery is a piece of its own, of an `identity`.
    """
    db.execute(THIRD_GIVES)
    for *row, said in db.execute("SELECT number, family, key, body, checksum FROM outbox ORDER BY number"):
        number, family, key, body = row
        if checksum("outbox", *row) != said:
            raise DamagedError(f"row {number} of the outbox is not what was written")
        piece = number, key if family == "gallery" else "", block.compress(msgspec.msgpack.encode([row]))
        db.execute("INSERT INTO pieces VALUES (?, ?, ?, ?)", (*piece, checksum("outbox", *piece)))
    for statement in THIRD_TAKES.split(";"):
        db.execute(statement)


FOURTH = """
CREATE TABLE blocks (kind TEXT, place TEXT, turn INTEGER NOT NULL, sealed BLOB, PRIMARY KEY (kind, place));
INSERT INTO blocks SELECT DISTINCT replace(kind, ' shown', ''), substr(identity, -2), 1, NULL FROM vectors
WHERE identity >= 'P-' AND identity < 'P.'
"""
CHANGED = """
CREATE TRIGGER vectors_{change} AFTER {change} ON vectors WHEN {row}.identity >= 'P-' AND {row}.identity < 'P.'
BEGIN
    INSERT INTO blocks VALUES (replace({row}.kind, ' shown', ''), substr({row}.identity, -2), 1, NULL)
    ON CONFLICT (kind, place) DO UPDATE SET turn = turn + 1, sealed = NULL;
END
"""


def _in_blocks(db: sqlite3.Connection) -> None:
    """What many look like lies in a block too, of those whose names end alike, once a search has sealed it; see
    _blocks.py. Whoever changes what one of them looks like takes the block away, and cannot forget to.
    """
    for statement in FOURTH.split(";"):
        db.execute(statement)
    for change, row in (("INSERT", "new"), ("UPDATE", "new"), ("DELETE", "old")):
        db.execute(CHANGED.format(change=change, row=row))


FAULTS = (
    sqlite3.DatabaseError,
    UnicodeDecodeError,
)  # the second of names, inside a damaged file, that SQLite says
Migration = str | Callable[[sqlite3.Connection], None]
MIGRATIONS: Sequence[Migration] = (
    FIRST,
    SECOND,
    _packed,
    _in_blocks,
)  # the n-th leads to version n; never change one that was released


class StoreError(Exception):
    """A store that cannot be used: which one, why, and what to do."""


class DamagedError(StoreError):
    """What a store holds is not what was written."""


class BusyError(StoreError):
    """A run uses this store now."""


class FaultError(Exception):
    """What in a store is not what was written, without its name."""


def checksum(*values: Any) -> int:
    """Of a table's name and a row of it, of which the last value alone may be large."""
    *rest, last = values
    named = crc32(repr(rest).encode())
    return crc32(last if isinstance(last, bytes) else repr(last).encode(), named)


def connect(path: Path) -> sqlite3.Connection:
    """A connection, each transaction begun by hand. A transaction that is committed outlives a power cut (FULL): what
    has been published must not be forgotten, or a live run would give its sequence numbers a second time.
    """
    made = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=WAITS_S)
    try:
        made.execute("PRAGMA synchronous = FULL")
        made.execute("PRAGMA secure_delete = ON")  # what is deleted is overwritten
        made.execute("PRAGMA cache_size = -16000")
        made.execute("PRAGMA temp_store = MEMORY")
    except sqlite3.Error:
        made.close()
        raise
    return made


def opened(path: Path) -> sqlite3.Connection:
    """The store there, made or migrated where needed. Raises StoreError for a file that is no store or a newer one's,
    DamagedError for one that is damaged.
    """
    _check_magic(path)
    try:
        db = connect(path)
    except FAULTS as error:
        raise blamed(path, error) from error
    try:
        _prepare(db, path)
    except FAULTS as error:
        db.close()
        raise blamed(path, error) from error
    except BaseException:
        db.close()
        raise
    return db


def locked(folder: Path) -> int:
    """A file that says, until it is closed, that a run uses this folder. Raises StoreError where another one does."""
    file = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # goes with the process, whatever it has forked
    except OSError:
        os.close(file)
        raise BusyError(f"{folder}: another run writes there; wait for it, or choose another --out") from None
    return file


def set_aside(folder: Path, names: Sequence[str]) -> str:
    """Give these files, as far as they are there, another name: nothing is written over. Gives the ending."""
    number = 1
    while any((folder / f"{name}.damaged-{number}").exists() for name in names):
        number += 1
    ending = f".damaged-{number}"
    for name in names:
        if (folder / name).exists():
            (folder / name).rename(folder / f"{name}{ending}")
    return ending


def blamed(path: Path, error: Exception) -> StoreError:
    """What a user reads of an error of SQLite's."""
    code = (
        getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
    )  # without one: text that is no text
    if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
        text = "cannot be written, its disk is full or fails; make room and run again: it goes on where it stopped"
        return StoreError(f"{path}: {text}")
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR):
        return DamagedError(f"{path}: is damaged, {error}")
    return StoreError(
        f"{path}: cannot be used, {error}; check its disk and its owner, or choose another --out"
    )


def _check_magic(path: Path) -> None:
    file = os.open(
        path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600
    )  # where SQLite would let everybody read it
    try:
        head = os.read(file, len(MAGIC))
    finally:
        os.close(file)
    if head not in (b"", MAGIC):
        raise StoreError(f"{path}: is no store of this program; move it away, or choose another --out")


def _prepare(db: sqlite3.Connection, path: Path) -> None:
    (owner,), (version,) = (
        db.execute("PRAGMA application_id").fetchone(),
        db.execute("PRAGMA user_version").fetchone(),
    )
    (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if owner != OURS and (owner or version or tables):
        raise StoreError(f"{path}: is another program's; move it away, or choose another --out")
    if version > len(MIGRATIONS):
        text = f"was written by a newer version (store {version}, this one knows {len(MIGRATIONS)})"
        raise StoreError(f"{path}: {text}; run that one, or choose another --out")
    for (fault,) in db.execute("PRAGMA quick_check(1)"):
        if fault != "ok":
            raise DamagedError(f"{path}: is damaged, {' '.join(str(fault).split())}")
    db.execute("PRAGMA journal_mode = WAL")
    if version < len(MIGRATIONS):
        _migrate(db, version)


def _migrate(db: sqlite3.Connection, version: int) -> None:
    """All or nothing: a process that dies here leaves the store as it was."""
    db.execute("BEGIN IMMEDIATE")
    for migration in MIGRATIONS[version:]:
        if callable(migration):
            migration(db)
            continue
        for statement in migration.split(";"):
            db.execute(statement)
    db.execute(f"PRAGMA application_id = {OURS}")
    db.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
    db.execute("COMMIT")


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """All that is written inside, or nothing."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
