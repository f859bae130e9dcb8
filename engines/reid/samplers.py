"""Which samples make a batch. An epoch is drawn from a generator that is passed in, so that it can be drawn again.

Batches are index arrays. A batch that cannot be drawn is an InputError, said before training begins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import count

import numpy as np
from numpy.typing import NDArray

from configs.build import InputError

Batch = NDArray[np.int64]
Generator = np.random.Generator
Draw = Callable[[Generator], list[Batch]]


class Shuffled:
    """Every sample once, in batches of a size; the last may be smaller, or be left out."""

    def __init__(self, samples: int, batch: int, is_last_kept: bool = True) -> None:
        if samples == 0 or (samples < batch and not is_last_kept):
            raise InputError(
                f"a batch of {batch} cannot be drawn from {samples} samples; ask for smaller batches"
            )
        self._samples, self._batch, self._is_last_kept = samples, batch, is_last_kept

    def __call__(self, generator: Generator) -> list[Batch]:
        """The batches of an epoch."""
        order = generator.permutation(self._samples)
        batches = [order[start : start + self._batch] for start in range(0, len(order), self._batch)]
        return batches if self._is_last_kept else [batch for batch in batches if len(batch) == self._batch]


class People:
    """P people, K samples of each: RandomIdentitySampler. An epoch ends when fewer than P people have samples left.

    A person with fewer than K samples gives some of them again, one with more gives whole chunks of K.
    """

    def __init__(self, people: Sequence[int], people_a_batch: int, samples_each: int) -> None:
        self._of = _places(people)
        self._people, self._each = people_a_batch, samples_each
        _require(len(self._of), people_a_batch, "people")

    @property
    def length(self) -> int:
        """How many samples there are to draw; those of the last few people may stay."""
        return sum(max(len(places) // self._each, 1) * self._each for places in self._of)

    def __call__(self, generator: Generator) -> list[Batch]:
        """The batches of an epoch."""
        chunks = [self._chunks(places, generator) for places in self._of]
        left, batches = list(range(len(chunks))), []
        while len(left) >= self._people:
            drawn = generator.choice(left, self._people, replace=False)
            batches.append(np.concatenate([chunks[person].pop(0) for person in drawn]))
            left = [person for person in left if chunks[person]]
        return batches

    def _chunks(self, places: Batch, generator: Generator) -> list[Batch]:
        if len(places) < self._each:
            return [generator.choice(places, self._each)]
        order = generator.permutation(places)
        return [
            order[start : start + self._each] for start in range(0, len(order) - self._each + 1, self._each)
        ]


class PeopleAcrossCameras(People):
    """The same, a person's samples dealt out camera by camera, so that a chunk shows as many cameras as it can."""

    def __init__(
        self, people: Sequence[int], cameras: Sequence[int], people_a_batch: int, samples_each: int
    ) -> None:
        super().__init__(people, people_a_batch, samples_each)
        self._cameras = np.asarray(cameras)

    def _chunks(self, places: Batch, generator: Generator) -> list[Batch]:
        if len(places) < self._each:
            return super()._chunks(places, generator)
        order = generator.permutation(places)
        rounds = np.empty(len(order))
        for camera in np.unique(self._cameras[order]):
            there = self._cameras[order] == camera
            rounds[there] = np.arange(there.sum())
        dealt = order[np.argsort(rounds, kind="stable")]
        return [
            dealt[start : start + self._each] for start in range(0, len(dealt) - self._each + 1, self._each)
        ]


class PeopleInTwoModalities:
    """P people, K samples of each in one modality and then K in the other, the people in the same order.

    unstated: how long an epoch is; here until the modality with more samples is used up, the other begun again.
    """

    def __init__(
        self, people: Sequence[int], is_infrared: Sequence[bool], people_a_batch: int, samples_each: int
    ) -> None:
        infrared, named = np.asarray(is_infrared), np.asarray(people)
        in_both = np.intersect1d(named[infrared], named[~infrared])
        _require(len(in_both), people_a_batch, "people in both modalities")
        self._of = [
            (np.flatnonzero((named == person) & ~infrared), np.flatnonzero((named == person) & infrared))
            for person in in_both
        ]
        self._people, self._each = people_a_batch, samples_each

    def __call__(self, generator: Generator) -> list[Batch]:
        """The batches of an epoch."""
        most = max(sum(len(both[modality]) for both in self._of) for modality in (0, 1))
        batches = []
        for _ in range(max(most // (self._people * self._each), 1)):
            drawn = generator.choice(len(self._of), self._people, replace=False)
            parts = [self._drawn(self._of[one][modality], generator) for modality in (0, 1) for one in drawn]
            batches.append(np.concatenate(parts))
        return batches

    def _drawn(self, places: Batch, generator: Generator) -> Batch:
        return generator.choice(places, self._each, replace=len(places) < self._each)


def endless(draw: Draw, generator: Generator) -> Iterator[Batch]:
    """One epoch after the other, without end: as fast-reid's NaiveIdentitySampler counts, in iterations."""
    for _ in count():
        yield from draw(generator)


def _places(people: Sequence[int]) -> list[Batch]:
    named = np.asarray(people)
    return [np.flatnonzero(named == person) for person in np.unique(named)]


def _require(there: int, asked: int, what: str) -> None:
    if there < max(asked, 2):
        raise InputError(
            f"a batch of {asked} {what} cannot be drawn, there are {there} (and at least 2 are needed to tell apart); "
            f"ask for fewer, or train on more"
        )
