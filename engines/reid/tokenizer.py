"""Texts as the numbers that CLIP's text encoder takes: its byte-pair encoding, or whole words for the small twin."""

from __future__ import annotations

import gzip
import html
import logging
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import chain, pairwise
from pathlib import Path
from typing import Protocol

import ftfy
import regex
import torch
from torch import Tensor

from engines.reid.clip import CONTEXT

log = logging.getLogger(__name__)

MERGES = Path(__file__).with_name("clip_merges.txt.gz")
END_OF_WORD = "</w>"
WORD = regex.compile(r"'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+")
FOREIGN = regex.compile(r"(?!\p{Latin})\p{L}")


class Tokenizer(Protocol):
    """What a text encoder reads."""

    context: int

    def words(self, text: str) -> list[int]:
        """The numbers of a text, without those that begin and end it."""

    def unknown(self, text: str) -> list[str]:
        """The words of a text that mean nothing to the encoder."""

    def __call__(self, texts: Sequence[str]) -> Tensor:
        """Texts as (count, context), begun, ended, and filled with 0."""


class ClipTokenizer:
    """CLIP's own: it takes any text in any script, but was made, and CLIP trained, for English."""

    def __init__(self, context: int = CONTEXT) -> None:
        self.context = context
        self._numbers, self._ranks = _vocabulary()
        self._begin = len(self._numbers)
        self._known: dict[str, list[int]] = {}

    def words(self, text: str) -> list[int]:
        cleaned = " ".join(html.unescape(html.unescape(ftfy.fix_text(text))).split()).lower()
        return [number for word in WORD.findall(cleaned) for number in self._parts(word)]

    def unknown(self, text: str) -> list[str]:
        """Those in another script than English: of all others it has at least the letters."""
        return [word for word in text.split() if FOREIGN.search(word)]

    def __call__(self, texts: Sequence[str]) -> Tensor:
        foreign = sum(FOREIGN.search(text) is not None for text in texts)
        if foreign:
            log.warning(
                "%d of %d texts are in another script than English, which CLIP knows", foreign, len(texts)
            )
        return _begun_and_ended(map(self.words, texts), self._begin, self._begin + 1, self.context)

    def _parts(self, word: str) -> list[int]:
        """The pair that was merged first in training is merged first."""
        if word not in self._known:
            spelt = [_letters()[byte] for byte in word.encode()]
            parts = [*spelt[:-1], spelt[-1] + END_OF_WORD]
            while pairs := [pair for pair in pairwise(parts) if pair in self._ranks]:
                parts = _merged(parts, min(pairs, key=self._ranks.__getitem__))
            self._known[word] = [self._numbers[part] for part in parts]
        return self._known[word]


class WordTokenizer:
    """One number for each word that it was given; all others are one unknown word."""

    def __init__(self, vocabulary: Iterable[str], context: int) -> None:
        self.context = context
        known = sorted({word for text in vocabulary for word in WORD.findall(text.lower())})
        self._numbers = {word: number for number, word in enumerate(known, 2)}  # 0 fills, 1 is unknown
        self._begin = len(known) + 2

    @property
    def count(self) -> int:
        """How many numbers there are."""
        return self._begin + 2

    def words(self, text: str) -> list[int]:
        return [self._numbers.get(word, 1) for word in WORD.findall(text.lower())]

    def unknown(self, text: str) -> list[str]:
        return [word for word in WORD.findall(text.lower()) if word not in self._numbers]

    def __call__(self, texts: Sequence[str]) -> Tensor:
        return _begun_and_ended(map(self.words, texts), self._begin, self._begin + 1, self.context)


def _begun_and_ended(texts: Iterable[list[int]], begin: int, end: int, context: int) -> Tensor:
    """Rows of tokens; a text that does not fit is cut, and an empty one is begun and ended at once."""
    rows = [[begin, *words, end] for words in texts]
    cut = sum(len(row) > context for row in rows)
    if cut:
        log.warning(
            "%d of %d texts are longer than %d tokens; their ends are not read", cut, len(rows), context
        )
    empty = sum(len(row) == 2 for row in rows)
    if empty:
        log.warning("%d of %d texts are empty", empty, len(rows))
    numbers = torch.zeros(len(rows), context, dtype=torch.long)
    for line, row in zip(numbers, rows, strict=True):
        fitted = row if len(row) <= context else [*row[: context - 1], end]
        line[: len(fitted)] = torch.tensor(fitted)
    return numbers


def _merged(parts: list[str], pair: tuple[str, str]) -> list[str]:
    made: list[str] = []
    for part in parts:
        if made and (made[-1], part) == pair:
            made[-1] += part
        else:
            made.append(part)
    return made


@cache
def _vocabulary() -> tuple[dict[str, int], dict[tuple[str, str], int]]:
    """The number of every part of a word, and the rank of every pair of parts that is merged."""
    lines = gzip.decompress(MERGES.read_bytes()).decode().splitlines()
    pairs = [(left, right) for left, _, right in (line.partition(" ") for line in lines)]
    letters = _letters().values()
    parts = chain(
        letters, (letter + END_OF_WORD for letter in letters), (left + right for left, right in pairs)
    )
    return {part: number for number, part in enumerate(parts)}, {
        pair: rank for rank, pair in enumerate(pairs)
    }


@cache
def _letters() -> dict[int, str]:
    """A printable letter for every byte: itself where it has one."""
    printable = [
        *range(ord("!"), ord("~") + 1),
        *range(ord("¡"), ord("¬") + 1),
        *range(ord("®"), ord("ÿ") + 1),
    ]
    others = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {byte: chr(256 + n) for n, byte in enumerate(others)}
