"""What is asked of a run, and what its scores are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from operator import add

import numpy as np

from engines.evaluate.scores import Scores
from engines.evaluate.sequence import Counts
from engines.evaluate.similarity import ZERO_M
from engines.evaluate.transitions import HandOver
from engines.evaluate.visits import Share


@dataclass(frozen=True, slots=True)
class Rules:
    """What the scores ask for."""

    within_m: float = 0.25  # of the truth: a person is found
    zero_m: float = ZERO_M  # from the truth: nothing alike; at half of it two may be one person
    visit_gap_s: float = 1.0
    min_visit_s: float = 0.5
    return_after_s: float = 60.0

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")
        if self.within_m >= self.zero_m:
            raise ValueError(f"within_m must be below zero_m, {self.zero_m}, got {self.within_m}")


@dataclass(frozen=True, eq=False)
class Detection(Counts):
    """Who was found within `Rules.within_m`; and how far off they were, of all who were matched."""

    true_positives: int
    false_negatives: int
    false_positives: int
    errors_m: tuple[float, ...]

    @property
    def is_scored(self) -> bool:
        """Whether anybody was there, or was said to be."""
        return self.true_positives + self.false_negatives + self.false_positives > 0

    @property
    def recall(self) -> float:
        return self.true_positives / max(1, self.true_positives + self.false_negatives)

    @property
    def precision(self) -> float:
        return self.true_positives / max(1, self.true_positives + self.false_positives)

    @property
    def f1(self) -> float:
        return self.true_positives / max(
            1.0, self.true_positives + 0.5 * (self.false_negatives + self.false_positives)
        )

    @property
    def median_error_m(self) -> float:
        """NaN where nobody was found."""
        return float(np.median(self.errors_m)) if self.errors_m else float("nan")


@dataclass(frozen=True, eq=False)
class CameraScores(Counts):
    """What one camera did, or several together: by identity on floor distance and on boxes, and the tracks alone,
    on floor distance, against visits: there a person who comes back is a new one.
    """

    detection: Detection
    floor: Scores
    boxes: Scores
    tracks: Scores


@dataclass(frozen=True)
class Identities:
    """How identities were given across cameras."""

    scores: Scores  # on floor distance, all cameras strung into one sequence
    at_once: Scores  # all cameras at one moment: each person and each identity once
    people: int  # who are in the truth and count
    issued: int  # identities in the end
    of_nobody: int  # of those
    people_without: int  # to whom none of them belongs
    unidentified: int  # tracklets that never got one
    hand_overs: Share
    returns: Share
    transitions: tuple[HandOver, ...]

    @property
    def per_person(self) -> float:
        """Identities issued for each person; NaN of nobody."""
        return self.issued / self.people if self.people else float("nan")


@dataclass(frozen=True)
class RunScores:
    """All scores of a run. `ignored` counts rows of truth by the reason why they do not count."""

    rules: Rules
    cameras: Mapping[str, CameraScores]
    identities: Identities
    rows: int  # of truth
    ignored: Mapping[str, int]

    @property
    def together(self) -> CameraScores:
        """The cameras' own scores put together."""
        return reduce(add, self.cameras.values())
