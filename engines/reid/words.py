"""Texts as numbers of whole words, for text encoders that know a few hundred. Needs no PyTorch."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

log = logging.getLogger(__name__)

CONTEXT = 77  # tokens of a text that CLIP reads
Numbers = NDArray[np.int64]
WORD = re.compile(r"[^\W\d_]+|\d|[^\w\s]+|_+")


class Tokenizer(Protocol):
    """What a text encoder reads."""

    context: int

    def words(self, text: str) -> list[int]:
        """The numbers of a text, without those that begin and end it."""

    def unknown(self, text: str) -> list[str]:
        """The words of a text that mean nothing to the encoder."""

    def __call__(self, texts: Sequence[str]) -> Numbers:
        """Texts as (count, context), begun, ended, and filled with 0."""


class WordTokenizer:
    """One number for each word that it was given; all others are one unknown word."""

    def __init__(self, vocabulary: Iterable[str], context: int) -> None:
        self.context = context
        self.known = sorted({word for text in vocabulary for word in WORD.findall(text.lower())})
        self._numbers = {word: number for number, word in enumerate(self.known, 2)}  # 0 fills, 1 is unknown
        self._begin = len(self.known) + 2

    @property
    def count(self) -> int:
        """How many numbers there are."""
        return self._begin + 2

    def words(self, text: str) -> list[int]:
        """The numbers of a text, without those that begin and end it."""
        return [self._numbers.get(word, 1) for word in WORD.findall(text.lower())]

    def unknown(self, text: str) -> list[str]:
        """The words of a text that mean nothing to the encoder."""
        return [word for word in WORD.findall(text.lower()) if word not in self._numbers]

    def __call__(self, texts: Sequence[str]) -> Numbers:
        """Texts as (count, context), begun, ended, and filled with 0."""
        return begun_and_ended(map(self.words, texts), self._begin, self._begin + 1, self.context)


def begun_and_ended(texts: Iterable[list[int]], begin: int, end: int, context: int) -> Numbers:
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
    numbers = np.zeros((len(rows), context), np.int64)
    for line, row in zip(numbers, rows, strict=True):
        fitted = row if len(row) <= context else [*row[: context - 1], end]
        line[: len(fitted)] = fitted
    return numbers
