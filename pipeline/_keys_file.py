"""The file in which the keys of a run's folder lie: made, or refused. Knows no key of it."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from pipeline._store_file import StoreError

KEYS = "keys.db"
OURS = 0x53474B59  # "SGKY", in the header of every file of keys
VERSION = 1
TABLES = """
CREATE TABLE keys (identity TEXT PRIMARY KEY, wrapped BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE master (proof BLOB NOT NULL);
"""
# A block shows many, of those whose names end alike: with the key of any of them goes that of the block, whoever
# deletes it, and even if that is a program which knows of no blocks.
BLOCKS = """
CREATE TABLE IF NOT EXISTS blocks (
    place TEXT, kind TEXT, wrapped BLOB NOT NULL, PRIMARY KEY (place, kind)
) WITHOUT ROWID;
CREATE TRIGGER IF NOT EXISTS gone AFTER DELETE ON keys WHEN old.identity >= 'P-' AND old.identity < 'P.' BEGIN
    DELETE FROM blocks WHERE place = substr(old.identity, -2);
END;
"""


def opened(path: Path) -> sqlite3.Connection:
    """The file of keys. It has no WAL, and what is deleted is overwritten: when a transaction is over, the key that it
    has deleted is in no file any more.
    """
    os.close(os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        db.execute("PRAGMA secure_delete = ON")
        db.execute("PRAGMA synchronous = EXTRA")  # a journal that came back after a power cut would undo it
        db.execute("PRAGMA temp_store = MEMORY")
        (owner,), (version,) = (
            db.execute("PRAGMA application_id").fetchone(),
            db.execute("PRAGMA user_version").fetchone(),
        )
        (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if not (owner or version or tables):
            script = f"{TABLES} PRAGMA application_id = {OURS}; PRAGMA user_version = {VERSION};"
            db.executescript(f"BEGIN IMMEDIATE; {script} COMMIT;")
        elif owner != OURS:
            raise StoreError(f"{path}: holds no keys of this program; move it away, or choose another --out")
        elif version > VERSION:
            text = f"was written by a newer version (keys {version}, this one knows {VERSION})"
            raise StoreError(f"{path}: {text}; run that one, or choose another --out")
        if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'gone'").fetchone():
            db.executescript(f"BEGIN IMMEDIATE; {BLOCKS} COMMIT;")
    except BaseException:
        db.close()
        raise
    return db
