"""Takes one identity out of a store: itself where no run uses it, else by asking the run that does.

A run at work does it at its next cut, see stages/match.py. Here the same is done to what the stages have written down.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pipeline._asking import carried_out
from pipeline._keys_file import KEYS
from pipeline._store_commands import add_command, audit, commands
from pipeline._store_facts import REPLICA
from pipeline._store_file import FAULTS, NAME, WAITS_S, StoreError, blamed, connect
from pipeline._store_writer import Base
from pipeline.commands import ERASED, detail, done, request
from pipeline.events import Envelopes
from pipeline.keyed import Changes
from pipeline.messages import Command, CorrectionEvent, Identity
from pipeline.vault import Vault
from pipeline.wire import decode, encode

KIND: Literal["erase"] = "erase"
States = Mapping[str, Mapping[str, bytes]]  # by node and camera


def erase(folder: Path, subject: str, within_s: float) -> tuple[str, ...]:
    """All names that somebody was known by, who is erased now. Raises StoreError where that cannot be: nobody has that
    name, or the run that uses the store has not done it in time.
    """
    path = folder / NAME
    if not path.exists():
        raise StoreError(f"{path}: is not there; name the folder of a run with --out")
    try:
        return _Erasure(path, subject).done(within_s)
    except FAULTS as error:
        raise blamed(path, error) from error


class _Erasure:
    def __init__(self, path: Path, subject: str) -> None:
        self._path, self._subject = path, subject
        self._number = 0  # of the command, once a run has been asked

    def done(self, within_s: float) -> tuple[str, ...]:
        late = f"erased {self._subject}"
        return carried_out(self._path, self._of_running, self._of_stopped, within_s, late)

    def _of_running(self) -> tuple[str, ...]:
        """Ask, and look whether it is done."""
        with closing(connect(self._path)) as db:
            if not self._number:
                self._check_not_erased(db)
                self._number = add_command(db, KIND, request(self._subject))
            if all(row.number != self._number for row in commands(db, is_taken=True)):
                return ()
            names = tuple(
                entry.subject
                for entry in audit(db)
                if entry.kind == ERASED and entry.detail == detail(self._number)
            )
            if not names:
                raise self._unknown()
            (is_busy, _, _) = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return () if is_busy or _keys_of(self._path.parent, names) else names

    def _of_stopped(self) -> tuple[str, ...]:
        base = Base.opened(self._path, Vault)
        with closing(base):
            self._check_not_erased(base.db)
            told = base.facts()
            if told and told[0].source == REPLICA:
                raise StoreError(
                    f"{self._path}: is a replica; erase {self._subject} where the site is written"
                )
            states = base.states.read() if told else {}
            people = list(people_in(states))
            found = next((one for one in people if self._subject in one.ids), None)
            if told is None or found is None:
                raise self._unknown()
            origin, at, maker = told
            at_ns = max(one.seen_ns for one in people) if at.has_ended else at.at_ns
            event = CorrectionEvent.of_erasure(found, at_ns)
            envelopes = Envelopes(maker.provenance(origin), base.outbox.read()[0])
            with base.transaction():
                number = self._number or add_command(base.db, KIND, request(self._subject))
                base.outbox.add([event], envelopes)
                base.states.write((_without(states, found, at_ns),))
                base.outbox.share(dict.fromkeys(event.from_ids, b""))
                base.record(done(Command(number, KIND, self._subject, at_ns), event))
            base.truncate()
        return event.from_ids

    def _check_not_erased(self, db: sqlite3.Connection) -> None:
        for entry in audit(db):
            if entry.kind == ERASED and entry.subject == self._subject:
                when = datetime.fromtimestamp(entry.at_ns / 1e9, UTC)
                raise StoreError(
                    f"{self._path}: {self._subject} was erased on {when:%Y-%m-%d at %H:%M} UTC; there is nothing left"
                )

    def _unknown(self) -> StoreError:
        return StoreError(
            f"{self._path}: knows nobody called {self._subject}; take the name from an event, like P-01KDVDNA00...; "
            "who was not seen for long is forgotten by itself"
        )


def people_in(states: States) -> Iterator[Identity]:
    """Everybody in the gallery."""
    for by_camera in states.values():
        for state in by_camera.values():
            for kept in decode(state).values():
                values = kept.put.values() if isinstance(kept, Changes) else ()
                yield from (one for one in values if isinstance(one, Identity))


def _without(states: States, who: Identity, at_ns: int) -> dict[str, dict[str, bytes]]:
    """What changes of the states without this person."""
    new, changed = who.anew(at_ns), dict[str, dict[str, bytes]]()
    for node, by_camera in states.items():
        for camera, state in by_camera.items():
            fields = {
                name: _replaced(kept, who, new)
                for name, kept in decode(state).items()
                if isinstance(kept, Changes)
            }
            if fields := {name: one for name, one in fields.items() if one.put or one.deleted}:
                changed.setdefault(node, {})[camera] = encode(fields)
    return changed


def _replaced(kept: Changes[Any], who: Identity, new: Identity | None) -> Changes[Any]:
    """Whatever is kept under a name of theirs goes; what is said to be theirs is the new one's, if there is one."""
    put: dict[str | int, Any] = {}
    deleted: list[str | int] = [key for key in kept.put if key in who.ids]
    for key, value in kept.put.items():
        if isinstance(value, Identity) and value.identity_id == who.identity_id and new:
            put[new.identity_id] = new
        elif isinstance(value, Identity) and value.identity_id != who.identity_id and value.is_apart(who):
            put[key] = value.forgetting(who)
        elif isinstance(value, str) and value == who.identity_id and key not in deleted:
            if new:
                put[key] = new.identity_id
            else:
                deleted.append(key)
    return Changes(put, tuple(deleted))


def _keys_of(folder: Path, names: tuple[str, ...]) -> int:
    """How many of these still have a key."""
    marks = ", ".join("?" * len(names))
    with closing(sqlite3.connect(f"file:{folder / KEYS}?mode=ro", uri=True, timeout=WAITS_S)) as db:
        (count,) = db.execute(f"SELECT count(*) FROM keys WHERE identity IN ({marks})", names).fetchone()
    return int(count)
