"""Writes a store, one transaction for each cut, in a thread of its own: no frame waits for a disk. What it has not
written yet is a few cuts at most; then the graph waits.
"""

from __future__ import annotations

import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import msgspec

from configs.known import known
from pipeline._store_changes import States
from pipeline._store_commands import Asked, add_entry, commands, take_command
from pipeline._store_facts import At, Counts, Fact, Maker, Origin
from pipeline._store_file import FaultError, StoreError, blamed, checksum, opened
from pipeline._store_gallery import Gallery
from pipeline._store_outbox import Outbox, Taken
from pipeline._store_states import Sealing, StateRows
from pipeline.commands import ERASED, Outcome
from pipeline.events import Envelopes, Published
from pipeline.publish._drain import Drain
from pipeline.publish._positions import PositionLines

BEHIND = 4  # batches that may wait
POLL_S = 0.1  # between looks for a failure, and for commands where no cut is written
TAKEN_S, MANY = 0.5, 1000  # so late, or from so many rows on, what is taken is noted without a cut


@dataclass(frozen=True)
class Batch:
    """What one transaction writes."""

    events: Sequence[Published] = ()
    states: Sequence[States] = ()  # of one cut after another
    facts: Sequence[Fact] = ()
    outcomes: Sequence[Outcome] = ()  # of commands


@dataclass
class Base:
    """An open store and what reads and writes its parts."""

    path: Path
    db: sqlite3.Connection
    sealing: Sealing

    def __post_init__(self) -> None:
        self.states, self.outbox = StateRows(self.db, self.sealing), Outbox(self.db)
        self._noted: Counts | None = None
        self.gallery: Gallery | None = None  # of a store whose gallery is shared

    @classmethod
    def opened(cls, path: Path, seal: Callable[[Path], Sealing]) -> Base:
        db = opened(path)
        try:
            return cls(path, db, seal(path.parent))
        except BaseException:
            db.close()
            raise

    def close(self) -> None:
        self.db.close()
        self.sealing.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is done inside, or nothing. Raises StoreError where the disk does not take it."""
        try:
            self.db.execute("BEGIN IMMEDIATE")
            yield
            if (counts := self._counts()) != self._noted:
                self.note(counts)
            self.sealing.keep()
            self.db.execute("COMMIT")
            self._noted = counts
            self.sealing.settle()
        except BaseException as error:
            if self.db.in_transaction:
                self.db.execute("ROLLBACK")
            raise blamed(self.path, error) if isinstance(error, sqlite3.Error) else error from error

    def note(self, fact: Fact) -> None:
        name, value = type(fact).__name__, msgspec.msgpack.encode(fact)
        self.db.execute(
            "INSERT OR REPLACE INTO facts VALUES (?, ?, ?)", (name, value, checksum("facts", name, value))
        )

    def record(self, outcome: Outcome) -> None:
        """A command is done: it is not asked for again, and the audit log says by the clock when and what."""
        take_command(self.db, outcome.number, outcome.at_ns)
        for subject in outcome.subjects:
            add_entry(self.db, time.time_ns(), outcome.kind, subject, outcome.detail)

    def truncate(self) -> bool:
        """Leave nothing in the write-ahead log; False while somebody reads from it."""
        (is_busy, _, _) = self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return not is_busy

    def facts(self) -> tuple[Origin, At, Maker] | None:
        """What was noted last, or nothing in a store that has just been made. Raises FaultError."""
        rows = self.db.execute("SELECT name, value, checksum FROM facts").fetchall()
        if not rows:
            if any(self._count_of(table) for table in ("states", "sequences", "publishers", "outbox")):
                raise FaultError("what it is of is not there")
            return None
        if any(checksum("facts", name, value) != said for name, value, said in rows):
            raise FaultError("a fact is not what was written")
        values = {name: value for name, value, _ in rows}
        if missing := {kind.__name__ for kind in get_args(Fact)} - values.keys():
            raise FaultError(f"{', '.join(sorted(missing))}: is not there")
        return (
            msgspec.msgpack.decode(values[Origin.__name__], type=known(Origin)),
            msgspec.msgpack.decode(values[At.__name__], type=known(At)),
            msgspec.msgpack.decode(values[Maker.__name__], type=known(Maker)),
        )

    def check(self) -> None:
        """Raises FaultError where rows are missing; after the states have been read."""
        query = self.db.execute("SELECT value FROM facts WHERE name = ?", (Counts.__name__,))
        noted, found = msgspec.msgpack.decode(query.fetchone()[0], type=known(Counts)), self._counts()
        if noted != found:
            raise FaultError(f"rows are missing, there should be {noted}, and are {found}")

    def _counts(self) -> Counts:
        return Counts(len(self.states), self._count_of("sequences"), self._count_of("publishers"))

    def _count_of(self, table: str) -> int:
        return int(self.db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


class Writer:
    """The only one who writes a store while a run lasts; others add rows to `commands`, and a search one to `audit`."""

    def __init__(
        self,
        base: Base,
        envelopes: Envelopes,
        drains: Sequence[Drain],
        positions: PositionLines | None,
        most: int,
    ) -> None:
        self.failures: list[Exception] = []
        self._base, self._envelopes, self._drains, self._positions = base, envelopes, drains, positions
        self._most = most  # events that may wait for a publisher
        self._asked = 0  # the number of the last command that was found
        self._is_untruncated = True  # what a process that died has left is taken out too
        self._taken: dict[str, Taken] = {}
        self._noted, self._committed_s = (
            0,
            0.0,
        )  # the highest number that was noted as taken; the last transaction
        self._lock = threading.Lock()  # of the line above
        self._batches: queue.Queue[Batch | None] = queue.Queue(BEHIND)
        self._thread = threading.Thread(target=self._work, name="store", daemon=True)

    def start(self, ask: Callable[[Sequence[Asked]], None]) -> None:
        """Begin; `ask` is told of every command that somebody adds."""
        self._ask = ask
        self._thread.start()

    def put(self, batch: Batch | None) -> None:
        """As soon as there is room; raises what the writer has failed with."""
        while True:
            for failure in self.failures:
                raise failure
            try:
                return self._batches.put(batch, timeout=POLL_S)
            except queue.Full:
                continue

    def acknowledge(self, name: str, taken: Taken) -> None:
        """A publisher has come so far; any thread may say so."""
        with self._lock:
            self._taken[name] = taken

    def commit(self, batch: Batch) -> None:
        """One transaction; what it publishes is told to the drains when it is over."""
        base = self._base
        with self._lock:
            taken, self._taken = self._taken, {}
            self._noted = max([self._noted, *(number for number, _ in taken.values())])
            self._committed_s = time.monotonic()
        if self._positions:
            self._positions.sync()
        with base.transaction():
            base.outbox.add(batch.events, self._envelopes)
            base.states.write(batch.states)
            if gallery := base.gallery:
                for states in batch.states:
                    base.outbox.share(gallery.records(states), gallery.key_name)
            for fact in batch.facts:
                base.note(fact)
            base.outbox.note(taken)
            for outcome in batch.outcomes:
                base.record(outcome)
        self._is_untruncated |= any(outcome.kind == ERASED for outcome in batch.outcomes)
        if self._is_untruncated:
            self._is_untruncated = not base.truncate()
        for drain in self._drains:
            drain.tell(base.outbox.last)

    def _is_taken(self) -> bool:
        """Whether publishers have taken so much, or so long ago, that it is time to note it."""
        with self._lock:
            most = max((number for number, _ in self._taken.values()), default=0) - self._noted
        return most >= MANY or bool(self._taken) and time.monotonic() - self._committed_s > TAKEN_S

    def _look_for_commands(self) -> None:
        if rows := commands(self._base.db, after=self._asked):
            self._asked = rows[-1].number
            self._ask(rows)

    def stop(self, within_s: float) -> bool:
        """Write what waits, and end; whether it has."""
        if self._thread.is_alive():
            with suppress(Exception):  # it is among the failures
                self.put(None)
            self._thread.join(within_s)
        return not self._thread.is_alive()

    def _work(self) -> None:
        try:
            while True:
                try:
                    batch = self._batches.get(timeout=POLL_S)
                except queue.Empty:
                    batch = Batch()
                    if not self._is_taken():
                        self._look_for_commands()
                        continue
                if batch is None:
                    return
                self._wait_for_room()
                self.commit(batch)
                self._look_for_commands()
        except Exception as error:
            self.failures.append(error)

    def _wait_for_room(self) -> None:
        """A publisher that is slow holds the graph back; one that is away stops it when too much waits for it."""
        for drain in self._drains:
            while self._base.outbox.last - drain.number > self._most and not drain.failures:
                if drain.away:
                    raise StoreError(
                        f"{self._base.path}: {self._base.outbox.last - drain.number} events wait for publisher "
                        f"{drain.name!r}, which takes none ({drain.away}); bring it back and run again, nothing is "
                        "lost, or raise store.max_waiting"
                    )
                time.sleep(POLL_S)
