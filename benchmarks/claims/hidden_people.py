"""SynthPed's people of a test with part of them hidden, so and so much: pictures to ask by, and how well they find."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from engines.evaluate.retrieval import nearest_first, other_cameras
from engines.reid.data._records import Record, cameras, people
from engines.reid.data.synthped import NAME, SynthPed
from engines.reid.lab.chance import drawn
from engines.reid.lab.drawing import Sighted
from engines.reid.lab.laboratory import Key, Seen
from engines.reid.lab.occluders import behind_neighbour, behind_rectangle

Condition = Literal["rectangle", "neighbour"]
Encode = Callable[[Sequence[np.ndarray]], Sequence[np.ndarray]]
CONDITIONS: tuple[Condition, ...] = ("rectangle", "neighbour")


class Asked(NamedTuple):
    """Queries and a gallery, by record, and the pictures of both as they are."""

    query: Sequence[Record]
    gallery: Sequence[Record]

    @property
    def people(self) -> np.ndarray:
        """Whose each query is."""
        return people(self.query)

    @property
    def chance(self) -> float:
        """How often anybody at all is first, and right: in the mean of queries."""
        here, there = self.query, self.gallery
        counts = other_cameras(people(here), cameras(here), people(there), cameras(there))
        named = people(there)
        return float(np.mean([(named[counts(n)] == one.person).mean() for n, one in enumerate(here)]))

    def first_ranks(self, scores: np.ndarray, turned: bool = False) -> np.ndarray:
        """Whether each finds its person first, by scores (queries, gallery); the gallery asks, where turned."""
        some, others = (self.gallery, self.query) if turned else (self.query, self.gallery)
        counts = other_cameras(people(some), cameras(some), people(others), cameras(others))
        named, found = people(others), []
        for number, order in enumerate(nearest_first([-scores])):
            kept = order[counts(number)[order]]
            found.append(named[kept[0]] == some[number].person)
        return np.array(found, float)


def asked(data: SynthPed) -> Asked:
    """The trial on the ground."""
    trial = data.trial("ground")
    return Asked(trial.query, trial.gallery)


class Hides:
    """Pictures of a set with so much of them hidden; what hides one hides it at every share, more or less."""

    def __init__(self, data: SynthPed) -> None:
        self._data = data
        self._drawn: dict[Key, tuple[Seen, Sighted]] = {}

    def __call__(self, record: Record, condition: Condition, share: float) -> np.ndarray:
        """This share of a picture, or of whom it shows, is hidden; for another record by another thing or person."""
        key = Key(*map(int, NAME.fullmatch(record.path.name).groups()))  # type: ignore[union-attr]
        if key not in self._drawn:
            other = Key(key.person + 500, key.camera, key.session, 1)
            self._drawn[key] = self._data.seen(key), self._data.laboratory.person(other)
        seen, neighbour = self._drawn[key]
        if not share:
            return seen.picture
        if condition == "rectangle":
            return behind_rectangle(seen.picture, share, drawn(self._data.seed, "hidden", *key)).picture
        return behind_neighbour(seen.picture, seen.mask, neighbour, share).picture


def encoded(pictures: Sequence[np.ndarray], encode: Encode) -> list[np.ndarray]:
    """What is said of pictures, 64 at a time: several arrays of rows."""
    parts = [encode(pictures[at : at + 64]) for at in range(0, len(pictures), 64)]
    return [np.concatenate(some) for some in zip(*parts, strict=True)]


def small(people_count: int, seed: int = 1, test: int = 100) -> SynthPed:
    """The set at the size of the twins."""
    return SynthPed(Path(), seed=seed, train_people=people_count, test_people=test, size=(64, 32))
