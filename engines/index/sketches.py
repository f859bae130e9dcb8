"""Vectors as bits: the signs of what a fixed, random turn makes of each. As large a share of the bits of two differs
as the angle between them is of half a turn (Charikar 2002), and bits are counted faster than numbers are multiplied.

The bits of a vector come from that vector alone, in sums and differences of one order (fast Walsh-Hadamard transforms):
which rows are near does not depend on when which row was put or removed, and is the same on every machine.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from hashlib import shake_128
from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from configs.kernels import kernel

LEAST, MOST = 512, 1024  # bits of a vector
BLOCK = 1024  # rows that lie together, word by word
TOGETHER = 32  # of those that are asked for
ROUNDS = 2  # of a turn: so that each bit is of every number of a vector
FAR = (
    0.45  # of the bits: at a cosine of 0.16 two vectors say nothing of each other, and none further is found
)
GONE = 1 << 15  # further than anything is
SHARE = 64  # blocks at least, that a thread of its own is worth

Floats = NDArray[np.float32]
Words = NDArray[np.uint64]
Rows = NDArray[np.integer[Any]]


class Sketches:
    """Rows of bits, `dimension` being that of the vectors that they are made of."""

    def __init__(self, dimension: int) -> None:
        width = max(LEAST, 1 << (dimension - 1).bit_length())
        self._words = min(width, MOST) // 64
        drawn = np.frombuffer(shake_128(b"sketches").digest(ROUNDS * width // 8), np.uint8)
        self._signs = (1 - 2.0 * np.unpackbits(drawn).reshape(ROUNDS, width)).astype(np.float32)
        self._blocks = np.zeros((0, self._words, BLOCK), np.uint64)
        self._gone = np.zeros((0, BLOCK), np.uint64)
        self._used = 0  # blocks

    def of(self, vectors: Floats) -> Words:
        """The bits of each of these (n, dimension): (n, words)."""
        found = np.zeros((len(vectors), self._words), np.uint64)
        _turn(np.ascontiguousarray(vectors, np.float32), self._signs, found)
        return found

    def put(self, rows: Rows, sketches: Words) -> None:
        """These rows are these."""
        last = int(rows.max(initial=-1))
        if last >= BLOCK * len(self._blocks):
            self._grow(max(last // BLOCK + 1, 2 * len(self._blocks)))
        self._used = max(self._used, last // BLOCK + 1)
        self._blocks[rows // BLOCK, :, rows % BLOCK] = sketches
        self._gone[rows // BLOCK, rows % BLOCK] = 0

    def remove(self, rows: Rows) -> None:
        """Leave nothing of these rows, if there is anything."""
        rows = rows[rows < BLOCK * len(self._blocks)]
        self._blocks[rows // BLOCK, :, rows % BLOCK] = 0
        self._gone[rows // BLOCK, rows % BLOCK] = GONE

    def near(self, sketches: Words, least: int) -> tuple[Rows, Rows]:
        """For each of these the rows that are nearest: so many, and all that are as near as the last of them; fewer
        where there are not so many that are not FAR. In no order, those of the next after those of the one before, and
        how many they are.
        """
        found: list[Rows] = [np.zeros(0, np.int32)]
        counts: list[Rows] = [np.zeros(0, np.int64)]
        for start in range(0, len(sketches), TOGETHER):
            nearest, count = self._nearest(sketches[start : start + TOGETHER], least)
            found.append(nearest[..., 1][np.arange(nearest.shape[1]) < count[:, None]])
            counts.append(count)
        return np.concatenate(found), np.concatenate(counts)

    def _nearest(self, sketches: Words, least: int) -> tuple[Rows, Rows]:
        """Distance and row of the nearest of each, and how many. Threads search a share of the blocks each: what is
        nearest of all is among the nearest of its share.
        """
        threads = max(1, min(len(os.sched_getaffinity(0)), self._used // SHARE))
        ends = [self._used * n // threads for n in range(threads + 1)]

        def searched(first: int, end: int) -> tuple[Rows, Rows]:
            room = np.empty((len(sketches), 4 * least + BLOCK, 2), np.int32)
            return _nearest(self._blocks, self._gone, (first, end), sketches, least, room)

        if threads == 1:
            return searched(0, self._used)
        with ThreadPoolExecutor(threads) as pool:
            shares = list(pool.map(searched, ends[:-1], ends[1:]))
        room = np.empty((len(sketches), sum(found.shape[1] for found, _ in shares), 2), np.int32)
        counts = np.zeros(len(sketches), np.int64)
        for found, count in shares:
            _joined(room, counts, found, count)
        _closest(room, counts, least)
        return room, counts

    def _grow(self, blocks: int) -> None:
        old = self._blocks, self._gone
        self._blocks = np.zeros((blocks, self._words, BLOCK), np.uint64)
        self._gone = np.full((blocks, BLOCK), GONE, np.uint64)
        self._blocks[: len(old[0])], self._gone[: len(old[1])] = old
        old[0][:] = 0  # memory is freed as it is


def _set_bits(_: Any, __: Any) -> Any:
    """How many bits of a word are set: an instruction of the processor."""
    return types.uint64(types.uint64), lambda _, builder, __, given: builder.ctpop(given[0])


_ones: Any = intrinsic(_set_bits)


@kernel
def _turn(vectors: Floats, signs: Floats, into: Words) -> None:
    rounds, width = signs.shape
    turned = np.empty(width, np.float32)
    for n in range(len(vectors)):
        turned[:] = 0
        turned[: vectors.shape[1]] = vectors[n]
        for r in range(rounds):
            for i in range(width):
                turned[i] *= signs[r, i]
            step = 1
            while step < width:
                for start in range(0, width, 2 * step):
                    for i in range(start, start + step):
                        a, b = turned[i], turned[i + step]
                        turned[i], turned[i + step] = a + b, a - b
                step *= 2
        for word in range(into.shape[1]):
            bits = np.uint64(0)
            for i in range(64):
                bits = (bits << np.uint64(1)) | np.uint64(turned[64 * word + i] > 0)
            into[n, word] = bits


@kernel
def _nearest(  # noqa: PLR0913
    blocks: Words, gone: Words, span: tuple[int, int], sketches: Words, least: int, found: Rows
) -> tuple[Rows, Rows]:
    """Of a span of blocks. A block stays in the cache while all are asked for."""
    counts = np.zeros(len(sketches), np.int64)
    away, most = np.empty(BLOCK, np.uint64), np.full(len(sketches), int(FAR * 64 * sketches.shape[1]))
    for block in range(span[0], span[1]):
        for one in range(len(sketches)):
            _differ(blocks[block], gone[block], sketches[one], away)
            if away.min() > most[one]:
                continue
            count = counts[one]
            for i in range(BLOCK):
                if away[i] <= most[one]:
                    found[one, count, 0], found[one, count, 1] = away[i], block * BLOCK + i
                    count += 1
            if count > 4 * least:
                count, most[one] = _kept(found[one], count, least)
                if count > 4 * least:  # so many are as near: the same vector again and again
                    found = _wider(found, count + BLOCK)
            counts[one] = count
    _closest(found, counts, least)
    return found, counts


@kernel
def _joined(room: Rows, counts: Rows, found: Rows, count: Rows) -> None:
    """What was found goes behind what there is in the room."""
    for one in range(len(room)):
        room[one, counts[one] : counts[one] + count[one]] = found[one, : count[one]]
        counts[one] += count[one]


@kernel
def _closest(found: Rows, counts: Rows, least: int) -> None:
    for one in range(len(found)):
        if counts[one] > least:
            counts[one], _ = _kept(found[one], counts[one], least)


@kernel
def _differ(block: Words, gone: Words, sketch: Words, away: Words) -> None:
    """In how many bits each row of a block differs from these. Eight words at a time: sums stay in registers."""
    away[:] = gone
    for word in range(0, len(sketch), 8):
        a, b, c, d = sketch[word], sketch[word + 1], sketch[word + 2], sketch[word + 3]
        e, f, g, h = sketch[word + 4], sketch[word + 5], sketch[word + 6], sketch[word + 7]
        for i in range(BLOCK):
            away[i] += (
                _ones(block[word, i] ^ a)
                + _ones(block[word + 1, i] ^ b)
                + _ones(block[word + 2, i] ^ c)
                + _ones(block[word + 3, i] ^ d)
                + _ones(block[word + 4, i] ^ e)
                + _ones(block[word + 5, i] ^ f)
                + _ones(block[word + 6, i] ^ g)
                + _ones(block[word + 7, i] ^ h)
            )


@kernel
def _wider(found: Rows, places: int) -> Rows:
    wider = np.empty((found.shape[0], max(places, found.shape[1]), 2), found.dtype)
    wider[:, : found.shape[1]] = found
    return wider


@kernel
def _kept(found: Rows, count: int, least: int) -> tuple[int, int]:
    """Only the nearest stay: how many they are, and how far the last of them is."""
    by_distance = np.zeros(MOST + 1, np.int64)
    for i in range(count):
        by_distance[found[i, 0]] += 1
    most, within = 0, by_distance[0]
    while within < least:
        most += 1
        within += by_distance[most]
    kept = 0
    for i in range(count):
        if found[i, 0] <= most:
            found[kept] = found[i]
            kept += 1
    return kept, most
