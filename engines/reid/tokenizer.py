"""Texts as the numbers that CLIP's text encoder takes: its byte-pair encoding."""

from __future__ import annotations

import gzip
import html
import logging
from collections.abc import Sequence
from functools import cache
from itertools import chain, pairwise
from pathlib import Path

import ftfy
import regex

from engines.reid.words import CONTEXT, Numbers, begun_and_ended

log = logging.getLogger(__name__)

MERGES = Path(__file__).with_name("clip_merges.txt.gz")
END_OF_WORD = "</w>"
WORD = regex.compile(r"'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+")
FOREIGN = regex.compile(r"(?!\p{Latin})\p{L}")


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

    def __call__(self, texts: Sequence[str]) -> Numbers:
        foreign = sum(FOREIGN.search(text) is not None for text in texts)
        if foreign:
            log.warning(
                "%d of %d texts are in another script than English, which CLIP knows", foreign, len(texts)
            )
        return begun_and_ended(map(self.words, texts), self._begin, self._begin + 1, self.context)

    def _parts(self, word: str) -> list[int]:
        """The pair that was merged first in training is merged first."""
        if word not in self._known:
            spelt = [_letters()[byte] for byte in word.encode()]
            parts = [*spelt[:-1], spelt[-1] + END_OF_WORD]
            while pairs := [pair for pair in pairwise(parts) if pair in self._ranks]:
                parts = _merged(parts, min(pairs, key=self._ranks.__getitem__))
            self._known[word] = [self._numbers[part] for part in parts]
        return self._known[word]


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
