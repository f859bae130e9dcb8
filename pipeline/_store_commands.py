"""Commands to a running graph, and the audit log: rows of a store that any program may add to and a run takes."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Asked:
    """Something that a graph is to do, in the order of the numbers."""

    number: int
    kind: str
    body: bytes
    taken_ns: int | None = None  # the capture time at which the graph does it, once that is in a cut


@dataclass(frozen=True, slots=True)
class Entry:
    """What has been done, to whom and when."""

    number: int
    at_ns: int
    kind: str
    subject: str
    detail: str


def add_command(db: sqlite3.Connection, kind: str, body: bytes) -> int:
    """Ask for something; gives its number."""
    return int(db.execute("INSERT INTO commands (kind, body) VALUES (?, ?)", (kind, body)).lastrowid or 0)


def commands(db: sqlite3.Connection, after: int = 0, is_taken: bool = False) -> list[Asked]:
    """Those above a number that have been taken, or that have not."""
    query = f"SELECT * FROM commands WHERE number > ? AND taken_ns IS {'NOT' * is_taken} NULL ORDER BY number"
    return [Asked(*row) for row in db.execute(query, (after,))]


def take_command(db: sqlite3.Connection, number: int, at_ns: int) -> None:
    """It is done at this capture time: for the transaction of the cut that holds what came of it."""
    db.execute("UPDATE commands SET taken_ns = ? WHERE number = ?", (at_ns, number))


def add_entry(db: sqlite3.Connection, at_ns: int, kind: str, subject: str, detail: str = "") -> None:
    """Write what has been done into the audit log."""
    row = (at_ns, kind, subject, detail)
    db.execute("INSERT INTO audit (at_ns, kind, subject, detail) VALUES (?, ?, ?, ?)", row)


def audit(db: sqlite3.Connection, after: int = 0) -> list[Entry]:
    """The audit log above a number."""
    rows = db.execute("SELECT * FROM audit WHERE number > ? ORDER BY number", (after,))
    return [Entry(*row) for row in rows]
