"""A replica on the disk: what is known of everybody, sealed with keys of its own, and how far it has read, all in one
transaction. It is a store as a run has one, without stages.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from pipeline._keys_file import KEYS
from pipeline._store_facts import REPLICA, At, Maker, Origin
from pipeline._store_file import (
    FAULTS,
    NAME,
    DamagedError,
    FaultError,
    StoreError,
    blamed,
    checksum,
    locked,
    set_aside,
)
from pipeline._store_writer import Base
from pipeline.vault import ErasedError, ForgedError, Vault

FILES = (NAME, f"{NAME}-wal", f"{NAME}-shm", KEYS)
RECORD = "record"  # what is sealed, where runs have vectors
NOBODY = Maker("", "", "", "", "")
log = logging.getLogger(__name__)

Places = dict[int, int]  # the next offset, by partition


class ReplicaStore:
    """Of one site, for one process at a time. Raises StoreError where another one uses it, or where it is something
    else; a damaged one is set aside, for all of it can be read again.
    """

    def __init__(self, folder: Path, site: str, key_name: str) -> None:
        self.path = folder / NAME
        self.places: Places = {}
        self.read_ns = 0  # by the clock: when it last had all there was
        self._origin = Origin(site, "", REPLICA, key_name)  # what another key has opened is read again
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = locked(folder)
        try:
            self._base = self._opened(folder)
            if not self.places:
                self.clear()
        except BaseException:
            os.close(self._lock)
            raise

    def known(self) -> Iterator[tuple[str, bytes]]:
        """What is known of everybody. Raises DamagedError."""
        rows = self._base.db.execute("SELECT identity, sealed, checksum FROM vectors")
        for identity, sealed, said in rows:
            if checksum(RECORD, identity, sealed) != said:
                raise DamagedError(
                    f"{self.path}: is damaged, what is sealed of {identity} is not what was written"
                )
            try:
                yield identity, self._base.sealing.opened(identity, sealed, RECORD)
            except (ErasedError, ForgedError) as error:
                raise DamagedError(f"{self.path}: is damaged, {error}") from error

    def write(self, put: Mapping[str, bytes], gone: Iterable[str], places: Mapping[int, int]) -> None:
        """All of it, or nothing. What is known of whoever is put, and that these are gone."""
        base, leaving = self._base, [(id,) for id in gone]
        with base.transaction():
            sealed = [(id, base.sealing.seal(id, plain, RECORD)) for id, plain in put.items()]
            rows = [(id, "", RECORD, one, checksum(RECORD, id, one)) for id, one in sealed]
            base.db.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?, ?, ?)", rows)
            base.db.executemany("DELETE FROM vectors WHERE identity = ?", leaving)
            for (id,) in leaving:
                base.sealing.forget(id)
            self._note(places)
        self.places = dict(places)
        if leaving:
            base.truncate()

    def clear(self) -> None:
        """Nobody is in it, and nothing has been read."""
        with self._base.transaction():
            self._base.db.execute("DELETE FROM vectors")
            self._note({})
        self._base.sealing.keep_only(())
        self._base.truncate()
        self.places, self.read_ns = {}, 0

    def set_aside(self) -> None:
        """It is damaged: keep its files under another name, and begin with nothing."""
        self._base.close()
        self._base = self._anew(self.path.parent)

    def close(self) -> None:
        self._base.close()
        os.close(self._lock)

    def _note(self, places: Mapping[int, int]) -> None:
        read = {str(partition): offset for partition, offset in places.items()}
        for fact in (self._origin, NOBODY, At(self.read_ns, {}, read)):
            self._base.note(fact)

    def _opened(self, folder: Path) -> Base:
        try:
            return self._read()
        except DamagedError as error:
            log.warning("%s", error)
            return self._anew(folder)

    def _anew(self, folder: Path) -> Base:
        ending = set_aside(folder, FILES)
        log.warning("%s: is kept, its files end with %s; everything is read again", self.path, ending)
        self.places, self.read_ns = {}, 0
        return self._read()

    def _read(self) -> Base:
        base = Base.opened(self.path, Vault)
        try:
            self._take(base)
        except (*FAULTS, FaultError) as error:
            base.close()
            is_ours = isinstance(error, FaultError)
            raise (
                DamagedError(f"{self.path}: is damaged, {error}") if is_ours else blamed(self.path, error)
            ) from error
        except BaseException:
            base.close()
            raise
        return base

    def _take(self, base: Base) -> None:
        if (facts := base.facts()) is None:
            return
        origin, at, _ = facts
        if (origin.site, origin.source) != (self._origin.site, REPLICA):
            what = f"a replica of {origin.site}" if origin.source == REPLICA else "a run"
            raise StoreError(f"{self.path}: holds {what}; choose another --out")
        if origin == self._origin:
            self.read_ns = at.at_ns
            self.places = {int(partition): offset for partition, offset in at.lengths.items()}
            base.sealing.keep_only(id for (id,) in base.db.execute("SELECT identity FROM vectors"))
