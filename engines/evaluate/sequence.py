"""The one input of every score: what was there and what was said, frame by frame. Knows no files, boxes or metres."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace
from itertools import chain
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

Ids = NDArray[np.int64]  # (n,), of one frame: each at most once
Similarity = NDArray[np.float64]  # (truth, said), 0 to 1
Rows = NDArray[np.intp]  # (n,)

MATCHED_FROM = 0.5  # the similarity from which two rows may be one person
EPSILON = float(np.finfo(float).eps)  # a similarity that is only rounded below a threshold has reached it
ROUNDING = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Sequence:
    """Ids and similarities of each frame. Ids are any whole numbers, at most once a frame; raises ValueError."""

    truth: tuple[Ids, ...]
    said: tuple[Ids, ...]
    similarities: tuple[Similarity, ...]

    def __post_init__(self) -> None:
        if not len(self.truth) == len(self.said) == len(self.similarities):
            counts = f"{len(self.truth)}, {len(self.said)} and {len(self.similarities)}"
            raise ValueError(f"truth, said and similarities must have as many frames, got {counts}")
        for number, (truth, said, similarity) in enumerate(self):
            if similarity.shape != (len(truth), len(said)):
                shape = (len(truth), len(said))
                raise ValueError(f"similarities[{number}] must have shape {shape}, got {similarity.shape}")
            for name, ids in (("truth", truth), ("said", said)):
                if len(set(ids.tolist())) < len(ids):
                    raise ValueError(f"{name}[{number}] must hold an id at most once, got {ids.tolist()}")
        every = np.concatenate([matrix.ravel() for matrix in self.similarities]) if len(self) else np.empty(0)
        if not ((every >= 0) & (every <= 1 + ROUNDING)).all():
            raise ValueError("similarities must be from 0 to 1, and numbers")

    @classmethod
    def of(cls, frames: Iterable[tuple[Ids, Ids, Similarity]]) -> Self:
        """From frame after frame."""
        every = list(frames)
        return cls(*(tuple(column) for column in zip(*every, strict=True)) if every else ((), (), ()))

    def __iter__(self) -> Iterator[tuple[Ids, Ids, Similarity]]:
        return zip(self.truth, self.said, self.similarities, strict=True)

    def __len__(self) -> int:
        return len(self.truth)

    def numbered(self) -> Self:
        """The same with ids that count from 0, so that they index arrays."""
        return replace(self, truth=_numbered(self.truth), said=_numbered(self.said))


@dataclass(frozen=True, eq=False)
class Counts:
    """What a score counts. Added up over sequences it gives their common score, as TrackEval combines them."""

    def __add__(self, other: Self) -> Self:
        return replace(self, **{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)})


def strung(sequences: Iterable[Sequence]) -> Sequence:
    """Sequences one after the other as a single one. Ids must be of one numbering in all of them."""
    return Sequence.of(chain.from_iterable(sequences))


def occurrences(ids: tuple[Ids, ...]) -> NDArray[np.int64]:
    """In how many frames each id is, of ids that count from 0."""
    return np.bincount(np.concatenate([np.empty(0, np.int64), *ids])).astype(np.int64)


def matched(similarity: Similarity, from_similarity: float = MATCHED_FROM) -> tuple[Rows, Rows]:
    """The rows and the columns that belong together, at most one to one, so that their similarity is greatest."""
    wanted = np.where(similarity < from_similarity - EPSILON, 0.0, similarity)
    rows, columns = linear_sum_assignment(-wanted)
    is_match = wanted[rows, columns] > EPSILON
    return rows[is_match], columns[is_match]


def _numbered(ids: tuple[Ids, ...]) -> tuple[Ids, ...]:
    if not ids:
        return ids
    _, numbers = np.unique(np.concatenate(ids), return_inverse=True)
    return tuple(np.split(numbers, np.cumsum([len(frame) for frame in ids])[:-1]))
