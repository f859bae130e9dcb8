"""Frames between two processes: fixed slots in one piece of shared memory that never has a name, so that nothing of it
can be left behind, whoever is killed. One side writes and finds free slots, the other reads and frees them.
"""

from __future__ import annotations

import math
import mmap
import os
import struct
import weakref
from collections.abc import Mapping, Sequence
from contextlib import suppress
from errno import ENOMEM, ENOSPC
from functools import lru_cache
from typing import Any

import numpy as np

from pipeline.messages import Encoded
from pipeline.stage import InputError

MEMORY = "/dev/shm"  # noqa: S108, where memory can be shared
SLOTS = 8
SPARE = 2  # slots that no view may hold: the writer always finds a place
HEAD = 4096  # bytes before the pictures of a slot
ALIGNED = 64
NAMES = ("color", "depth", "infrared")
FREE, FULL = 0, 1
STATE = struct.Struct("<B7x16sQQ")  # state, run, generation, sequence
PICTURE = struct.Struct("<24sB3IQQ")  # dtype or codec, dimensions (0: encoded), shape, offset, bytes
MIB = 1 << 20


class SlotError(Exception):
    """A slot that holds something else than was said."""


class Slots:
    """The writer's side: memory of its own for so many frames of at most `largest` bytes."""

    def __init__(self, run: bytes, generation: int, largest: int) -> None:
        self.slot_bytes = HEAD + _padded(largest) + len(NAMES) * ALIGNED
        self._run, self._generation = run, generation
        self.fd = os.open(MEMORY, os.O_TMPFILE | os.O_RDWR, 0o600)
        try:
            os.posix_fallocate(
                self.fd, 0, SLOTS * self.slot_bytes
            )  # now, not by a signal in the middle of a write
        except OSError as error:
            os.close(self.fd)
            if error.errno in (ENOSPC, ENOMEM):
                raise InputError(_too_small(SLOTS * self.slot_bytes)) from error
            raise
        self._memory = mmap.mmap(self.fd, SLOTS * self.slot_bytes)
        # pictures of a frame that is not written yet, and where they are
        self._lent: list[tuple[weakref.ref[Any], int]] = []
        self._lending = 0  # the slot that they are in

    def room(self, shape: tuple[int, ...], dtype: Any) -> np.ndarray[Any, Any] | None:
        """A picture to be filled where it will be read, or None where there is no room for it now."""
        held = self._held()
        if not held:
            free = self._free()
            if free is None:
                return None
            self._lending = free
        offset = _end_of(held)
        size = math.prod(shape) * np.dtype(dtype).itemsize
        if offset + size > self.slot_bytes:
            return None
        picture = np.ndarray(shape, dtype, self._memory, self._lending * self.slot_bytes + offset)
        self._lent.append((weakref.ref(picture), offset))
        return picture

    def fits(self, pictures: Mapping[str, Any]) -> bool:
        return needed(pictures) + HEAD + len(NAMES) * ALIGNED <= self.slot_bytes

    def write(self, sequence: int, pictures: Mapping[str, Any]) -> int | None:
        """The number of the slot that now holds them, or None while every slot is held."""
        held = self._held()
        there = {id(picture): offset for picture, offset in held}
        others = {name: one for name, one in pictures.items() if id(one) not in there}
        is_whole = bool(held) and len(others) + len(there) == len(pictures)
        if is_whole and others:  # what was lent before these, and given up, may have taken their room
            is_whole = _end_of(held) + needed(others) + len(others) * ALIGNED <= self.slot_bytes
        number = self._lending if is_whole else self._free()
        if number is None:
            return None
        start = number * self.slot_bytes
        offset, told = HEAD, b""
        if is_whole:
            offset, self._lent = _end_of(held), []
        for name in NAMES:
            picture = pictures.get(name)
            if is_whole and id(picture) in there:
                told += _described(picture, there[id(picture)])
                continue
            offset = _padded(offset)
            told += _described(picture, offset)
            if picture is not None:
                offset += self._put(picture, start + offset)
        self._memory[start + STATE.size : start + STATE.size + len(told)] = told
        STATE.pack_into(self._memory, start, FULL, self._run, self._generation, sequence)
        return number

    def close(self) -> None:
        with suppress(BufferError):  # a picture is still there: the memory goes with the last of them
            self._memory.close()
        os.close(self.fd)

    def _held(self) -> list[tuple[Any, int]]:
        """Pictures that were lent and that somebody has, and where they are."""
        held = [(picture, offset) for there, offset in self._lent if (picture := there()) is not None]
        if len(held) < len(self._lent):
            self._lent = [one for one in self._lent if one[0]() is not None]
        return held

    def _free(self) -> int | None:
        """The first, since it is the one that was used last: it lies in the processor's cache."""
        taken = self._lending if self._lent else None
        free = (n for n in range(SLOTS) if n != taken and self._memory[n * self.slot_bytes] == FREE)
        return next(free, None)

    def _put(self, picture: Any, at: int) -> int:
        if isinstance(picture, Encoded):
            self._memory[at : at + len(picture.encoded)] = picture.encoded
            return len(picture.encoded)
        there = np.ndarray(picture.shape, picture.dtype, self._memory, at)
        np.copyto(there, picture)
        return int(there.nbytes)


class Mapped:
    """The reader's side. The memory stays as long as anything that was read of it."""

    def __init__(self, fd: int, run: bytes, generation: int) -> None:
        size = os.fstat(fd).st_size
        self._memory = mmap.mmap(fd, size)
        os.close(fd)
        self._slot_bytes, self._run, self._generation = size // SLOTS, run, generation
        self._address = np.frombuffer(self._memory, np.uint8).__array_interface__["data"][0]
        self._held: set[int] = set()

    @property
    def held(self) -> int:
        """How many slots are held by arrays that somebody still has."""
        return len(self._held)

    def read(self, number: int, sequence: int) -> dict[str, Any]:
        """The pictures of a slot: views that free it when the last of them goes, or copies where few are left."""
        start = number * self._slot_bytes
        state, run, generation, written = STATE.unpack_from(self._memory, start)
        if (state, run, generation, written) != (FULL, self._run, self._generation, sequence):
            raise SlotError(
                f"slot {number} holds picture {written} of generation {generation}, not {sequence}"
            )
        self._held.add(number)
        slot = _Slot(self, number, self._address + start, self._slot_bytes)
        pictures = self._pictures(np.asarray(slot), start)
        if len(self._held) > SLOTS - SPARE:
            return {name: p.copy() if isinstance(p, np.ndarray) else p for name, p in pictures.items()}
        return pictures

    def _pictures(self, there: Any, start: int) -> dict[str, Any]:
        told = self._memory[start + STATE.size : start + STATE.size + len(NAMES) * PICTURE.size]
        pictures: dict[str, Any] = {}
        for name, kind, shape, offset, size in _layout(told):
            is_encoded = not shape
            pictures[name] = (
                Encoded(kind, there[offset : offset + size].tobytes())
                if is_encoded
                else np.ndarray(shape, kind, there, offset)
            )
        return pictures

    def free(self, number: int) -> None:
        self._held.discard(number)
        self._memory[number * self._slot_bytes] = FREE


class _Slot:
    """What arrays on a slot are based on: goes with the last of them, in whatever thread that is."""

    def __init__(self, mapped: Mapped, number: int, address: int, size: int) -> None:
        self._mapped, self._number = mapped, number
        self.__array_interface__ = {
            "version": 3,
            "data": (address, False),
            "shape": (size,),
            "typestr": "|u1",
        }

    def __del__(self) -> None:
        self._mapped.free(self._number)


@lru_cache(maxsize=64)
def _layout(told: bytes) -> list[tuple[str, str, tuple[int, ...], int, int]]:
    """Of each picture that is there: name, dtype or codec, shape, where, and how many bytes."""
    found = []
    for name, (kind, dimensions, *shape, offset, size) in zip(NAMES, PICTURE.iter_unpack(told), strict=True):
        if kind.rstrip(b"\0"):
            found.append((name, kind.rstrip(b"\0").decode(), tuple(shape[:dimensions]), offset, size))
    return found


def needed(pictures: Mapping[str, Any]) -> int:
    """How many bytes these pictures take."""
    return sum(len(p.encoded) if isinstance(p, Encoded) else p.nbytes for p in pictures.values())


def _described(picture: Any, offset: int) -> bytes:
    match picture:
        case None:
            return PICTURE.pack(b"", 0, 0, 0, 0, 0, 0)
        case Encoded():
            return PICTURE.pack(picture.codec.encode(), 0, 0, 0, 0, offset, len(picture.encoded))
    shape = (*picture.shape, 0, 0, 0)[:3]
    return PICTURE.pack(picture.dtype.str.encode(), picture.ndim, *shape, offset, picture.nbytes)


def _end_of(held: Sequence[tuple[Any, int]]) -> int:
    """Where the next picture may begin."""
    return max((_padded(offset + picture.nbytes) for picture, offset in held), default=HEAD)


def _padded(size: int) -> int:
    return -(-size // ALIGNED) * ALIGNED


def _too_small(wanted: int) -> str:
    told = os.statvfs(MEMORY)
    free = told.f_bavail * told.f_frsize
    return (
        f"{MEMORY}: has {free / MIB:.1f} MiB left, and the frames of one camera need {wanted / MIB:.1f} MiB there; "
        "make it larger (mount -o remount,size=1g, docker run --shm-size=1g), or set isolated: false for this camera"
    )
