"""Seals what people look like, with a key for each identity: who destroys a key has erased all that it sealed, in
every copy. The keys lie in a file of their own, wrapped with a master key that lies elsewhere.

AES-256-GCM throughout. Nonces are random: a counter would have to outlive crashes and backups that are put back, and
with one that starts again nothing is secret any more. A key seals a few thousand vectors, the master key wraps as
many keys as there are people; by chance, two of 2^32 nonces are the same in one of 2^33 vaults.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from pipeline._keys_file import KEYS, VERSION, opened
from pipeline._master_key import LENGTH, master_key
from pipeline._store_file import DamagedError, StoreError, blamed

NONCE, TAG = 12, 16  # bytes
OVERHEAD = 1 + NONCE + TAG  # bytes that are sealed are longer by so many
FORMAT = b"\x01"  # what was sealed begins with it
MANY = 2000  # identities: the keys of so many are read all at once
CACHED = 50_000  # keys in memory, of 32 bytes; others are unwrapped again when they are asked for


class ErasedError(Exception):
    """Something was sealed with a key that is not there any more."""


class ForgedError(Exception):
    """Sealed bytes that are not what was written, or not where they were written."""


class Vault:
    """The keys of one run's folder, for one thread at a time. What `seal` gives may be committed elsewhere once `keep`
    has returned. A key that is to go is destroyed by `settle`, when that is committed which can do without it.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / KEYS
        self._keys: dict[str, bytearray] = {}
        self._new: dict[str, bytes] = {}  # wrapped, and not in the file yet
        self._leaving: set[str] = set()
        is_new = not self.path.exists() or not self.path.stat().st_size
        self._master = master_key(may_make=is_new)
        try:
            self._db = opened(self.path)
            self._prove()
        except sqlite3.DatabaseError as error:
            raise blamed(self.path, error) from error

    def seal(self, identity: str, plain: bytes, purpose: str = "") -> bytes:
        """Sealed for this identity alone, and for this purpose; its key is made with the first."""
        self._leaving.discard(identity)
        key = self._key(identity) or self._made(identity)
        nonce = os.urandom(NONCE)
        return FORMAT + nonce + AESGCM(key).encrypt(nonce, plain, _bound(identity, purpose))

    def opened(self, identity: str, sealed: bytes, purpose: str = "") -> bytes:
        """What was sealed. Raises ErasedError where the key is destroyed, ForgedError where this is something else."""
        _check_sealed(identity, sealed)
        key = self._key(identity)
        if key is None:
            raise ErasedError(f"{identity}: its key is destroyed")
        try:
            return AESGCM(key).decrypt(*_parts(sealed), _bound(identity, purpose))
        except InvalidTag:
            raise _changed(identity) from None

    def opened_into(
        self, sealed: Sequence[tuple[str, bytes, str]], rows: Iterable[memoryview]
    ) -> Iterator[bool]:
        """Open what was sealed for each identity and purpose into a place of its length, and say whether that could be:
        its key may be destroyed. No key stays in memory.
        """
        query, every = "SELECT identity, wrapped FROM keys", len(sealed) > MANY
        asked = [()] if every else [(identity,) for identity in {one for one, _, _ in sealed}]
        found = (self._db.execute(query if every else f"{query} WHERE identity = ?", one) for one in asked)
        wrapped = {**self._new, **dict(chain.from_iterable(found))}
        for (identity, one, purpose), row in zip(sealed, rows, strict=True):
            if identity not in wrapped:
                yield False
                continue
            _check_sealed(identity, one)
            key = self._unwrapped(identity, wrapped[identity])
            try:
                AESGCM(key).decrypt_into(*_parts(one), _bound(identity, purpose), row)
            except InvalidTag:
                raise _changed(identity) from None
            finally:
                _overwrite(key)
            yield True

    def seal_blocks(
        self, kind: str, blocks: Mapping[str, tuple[Collection[str], bytearray]]
    ) -> dict[str, bytes]:
        """What many look like, by place, sealed together; each place is the end of the names of these identities, and
        has a new key, which goes with that of any of them. One of whom somebody is erased already is left out.
        """
        made = {}
        with self._changing():  # who is erased from here on is waited for, and takes the key along
            for place, (identities, plain) in blocks.items():
                if not all(map(self.is_there, identities)):
                    continue
                key, nonce = _new_key(), os.urandom(NONCE)
                bound = _bound(place, f"block {kind}")
                wrapped = nonce + AESGCM(self._master).encrypt(
                    nonce, key, _bound(place, f"block's key {kind}")
                )
                self._db.execute("INSERT OR REPLACE INTO blocks VALUES (?, ?, ?)", (place, kind, wrapped))
                nonce = os.urandom(NONCE)
                made[place] = FORMAT + nonce + AESGCM(key).encrypt(nonce, plain, bound)
                _overwrite(key)
        return made

    def opened_block(self, kind: str, place: str, sealed: bytes) -> bytearray | None:
        """What was sealed together, or nothing where its key has gone, or is of what was sealed there later."""
        query = "SELECT wrapped FROM blocks WHERE place = ? AND kind = ?"
        row = self._db.execute(query, (place, kind)).fetchone()
        if row is None or sealed[:1] != FORMAT or len(sealed) < OVERHEAD:
            return None
        key, plain = bytearray(LENGTH), bytearray(len(sealed) - OVERHEAD)
        try:
            nonce, rest = row[0][:NONCE], row[0][NONCE:]
            AESGCM(self._master).decrypt_into(nonce, rest, _bound(place, f"block's key {kind}"), key)
            AESGCM(key).decrypt_into(*_parts(sealed), _bound(place, f"block {kind}"), plain)
        except (InvalidTag, ValueError):
            return None
        finally:
            _overwrite(key)
        return plain

    def has(self, identity: str) -> bool:
        """Whether there is a key."""
        return self._key(identity) is not None

    def is_there(self, identity: str) -> bool:
        """Whether the file has a key, in which others may have destroyed it; then none is left in memory either."""
        row = self._db.execute("SELECT 1 FROM keys WHERE identity = ?", (identity,)).fetchone()
        if row is None and (key := self._keys.pop(identity, None)):
            _overwrite(key)
        return row is not None

    def keep(self) -> None:
        """The keys of all that was sealed outlive a power cut from here on. Raises StoreError if the disk is full."""
        if new := [one for one in self._new.items() if one[0] not in self._leaving]:
            self._change("INSERT OR REPLACE INTO keys VALUES (?, ?)", new)
        self._new.clear()

    def forget(self, identity: str) -> None:
        """Nothing sealed for this identity is left, or will be once what is being written is committed."""
        self._leaving.add(identity)

    def settle(self) -> None:
        """Destroy the keys that `forget` has named, and their copies in memory."""
        if not self._leaving:
            return
        self._change("DELETE FROM keys WHERE identity = ?", [(identity,) for identity in self._leaving])
        for identity in self._leaving:
            self._new.pop(identity, None)
            if key := self._keys.pop(identity, None):
                _overwrite(key)
        self._leaving.clear()

    def erase(self, identity: str) -> None:
        """Destroy this identity's key now."""
        self.forget(identity)
        self.settle()

    def keep_only(self, identities: Iterable[str]) -> None:
        """Destroy the keys of all others: a process that died before `settle` has left them."""
        kept = set(identities)
        self._leaving.update(
            one for (one,) in self._db.execute("SELECT identity FROM keys") if one not in kept
        )
        self.settle()

    def close(self) -> None:
        """Forget all keys."""
        self._db.close()
        for key in (*self._keys.values(), self._master):
            _overwrite(key)
        self._keys.clear()

    def _key(self, identity: str) -> bytearray | None:
        if key := self._keys.get(identity):
            return key
        row = self._db.execute("SELECT wrapped FROM keys WHERE identity = ?", (identity,)).fetchone()
        wrapped = row[0] if row else self._new.get(identity)
        return self._cached(identity, self._unwrapped(identity, wrapped)) if wrapped else None

    def _made(self, identity: str) -> bytearray:
        key, nonce = _new_key(), os.urandom(NONCE)
        self._new[identity] = nonce + AESGCM(self._master).encrypt(nonce, key, _bound(identity, "key"))
        return self._cached(identity, key)

    def _cached(self, identity: str, key: bytearray) -> bytearray:
        if len(self._keys) >= CACHED:
            _overwrite(self._keys.pop(next(iter(self._keys))))
        self._keys[identity] = key
        return key

    def _unwrapped(self, identity: str, wrapped: bytes) -> bytearray:
        key = bytearray(LENGTH)
        nonce, rest = wrapped[:NONCE], wrapped[NONCE:]
        try:
            AESGCM(self._master).decrypt_into(nonce, rest, _bound(identity, "key"), key)
        except (InvalidTag, ValueError):
            raise DamagedError(f"{self.path}: the key of {identity} is not what was written") from None
        return key

    def _prove(self) -> None:
        """That this is the master key that the others were wrapped with."""
        row = self._db.execute("SELECT proof FROM master").fetchone()
        if row is None:
            nonce = os.urandom(NONCE)
            sealed = nonce + AESGCM(self._master).encrypt(nonce, b"", _bound("", "master"))
            self._change("INSERT INTO master VALUES (?)", [(sealed,)])
            return
        try:
            AESGCM(self._master).decrypt(row[0][:NONCE], row[0][NONCE:], _bound("", "master"))
        except (InvalidTag, ValueError):
            text = "was made with another master key; put that one back, or choose another --out: without it nothing"
            raise StoreError(f"{self.path}: {text} that this one sealed can be read") from None

    def _change(self, statement: str, rows: Iterable[tuple[object, ...]]) -> None:
        with self._changing():
            self._db.executemany(statement, rows)

    @contextmanager
    def _changing(self) -> Iterator[None]:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield
            self._db.execute("COMMIT")
        except BaseException as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            if isinstance(error, sqlite3.DatabaseError):
                raise blamed(self.path, error) from error
            raise


def _check_sealed(identity: str, sealed: bytes) -> None:
    if sealed[:1] != FORMAT or len(sealed) < OVERHEAD:
        raise ForgedError(f"{identity}: not sealed by this program")


def _parts(sealed: bytes) -> tuple[bytes, bytes]:
    """The nonce, and the rest."""
    start = len(FORMAT)
    return sealed[start : start + NONCE], sealed[start + NONCE :]


def _changed(identity: str) -> ForgedError:
    return ForgedError(f"{identity}: what was sealed has been changed, or moved")


def _bound(identity: str, purpose: str) -> bytes:
    """What sealed bytes are bound to; the length keeps one identity's end from passing for another's purpose."""
    return f"sightline {VERSION} {len(identity)} {identity} {purpose}".encode()


def _new_key() -> bytearray:
    key = bytearray(LENGTH)
    with Path("/dev/urandom").open("rb", buffering=0) as source:
        source.readinto(key)  # not os.urandom: its bytes could not be overwritten
    return key


def _overwrite(key: bytearray) -> None:
    key[:] = bytes(len(key))
