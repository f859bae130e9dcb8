"""What people look like in blocks: those whose names end alike, of one kind of vectors, sealed together. A search opens
some hundred blocks in place of a hundred thousand vectors with a key each, and seals what it had to open one by one.

A block is of one turn: whatever is changed of what anybody in it looks like takes it away, by triggers of the store.
Its key goes with the key of anybody in it, by a trigger of the file of keys. So there is never more of anybody in a
block than there is outside.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from configs.known import known
from pipeline._store_file import transaction
from pipeline.vault import Vault

SINCE = 4  # the version of stores that have blocks
TOGETHER = 64  # blocks of one transaction: a run that writes does not wait for more
Key = tuple[str, str]  # identity and tracklet
Vectors = NDArray[np.float32]  # (n, d), each of length 1


class Block(NamedTuple):
    """Whose each row is."""

    turn: int
    whose: list[Key]
    looks: Vectors

    def forget(self) -> None:
        """Leave nothing in memory of what anybody looked like."""
        self.looks.fill(0)


class Blocks:
    """Those in a store and, as far as their keys are there, what they hold."""

    def __init__(self, db: sqlite3.Connection, vault: Vault) -> None:
        self._db, self._vault = db, vault
        self._are_there = db.execute("PRAGMA user_version").fetchone()[0] >= SINCE
        self._table = "blocks" if self._are_there else "vectors"

    def kinds(self) -> list[str]:
        """Of which there are, or were, any vectors."""
        return [kind for (kind,) in self._db.execute(f"SELECT DISTINCT kind FROM {self._table}")]

    def turns(self, kind: str) -> dict[str, int]:
        """The places of which anybody ever was, and how often each has changed."""
        if not self._are_there:  # an older store, which its next run brings up to date
            query = "SELECT DISTINCT substr(identity, -2) FROM vectors WHERE kind = ?"
            (version,) = self._db.execute("PRAGMA data_version").fetchone()
            return {place: version for (place,) in self._db.execute(query, (kind,))}
        return dict(self._db.execute("SELECT place, turn FROM blocks WHERE kind = ?", (kind,)))

    def opened(self, kind: str, places: Mapping[str, int]) -> Iterator[tuple[str, Block]]:
        """Of these, by turn, those that are sealed and can be opened. Who takes one has it overwritten."""
        query = "SELECT sealed FROM blocks WHERE kind = ? AND place = ? AND turn = ?"
        for place, turn in places.items() if self._are_there else ():
            row = self._db.execute(query, (kind, place, turn)).fetchone()
            plain = self._vault.opened_block(kind, place, row[0]) if row and row[0] else None
            if plain is not None:
                yield place, _read(turn, plain)

    def keep(self, kind: str, blocks: Mapping[str, Block]) -> None:
        """Seal these for whoever searches next, but those that have changed meanwhile."""
        places = list(blocks) if self._are_there else []
        for start in range(0, len(places), TOGETHER):
            some = {place: blocks[place] for place in places[start : start + TOGETHER]}
            plain = {
                place: ({one for one, _ in block.whose}, _written(block)) for place, block in some.items()
            }
            sealed = self._vault.seal_blocks(kind, plain)
            rows = [(one, kind, place, some[place].turn) for place, one in sealed.items()]
            with transaction(self._db):
                query = "UPDATE blocks SET sealed = ? WHERE kind = ? AND place = ? AND turn = ?"
                self._db.executemany(query, rows)
            for _, one in plain.values():
                one[:] = bytes(len(one))


def _written(block: Block) -> bytearray:
    """Whose the rows are, and how long that is; then the rows."""
    said = msgspec.msgpack.encode(block.whose)
    plain = bytearray(len(said).to_bytes(4, "little") + said) + bytearray(block.looks.nbytes)
    memoryview(plain)[4 + len(said) :] = block.looks.data.cast("B") if block.whose else b""
    return plain


def _read(turn: int, plain: bytearray) -> Block:
    end = 4 + int.from_bytes(plain[:4], "little")
    whose = msgspec.msgpack.decode(plain[4:end], type=known(list[Key]))
    looks = np.frombuffer(memoryview(plain)[end:], np.float32)
    return Block(turn, whose, looks.reshape(len(whose), -1) if whose else np.empty((0, 0), np.float32))
