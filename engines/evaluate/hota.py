"""HOTA: detection and association in one score (Luiten et al. 2021, IJCV 129)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from engines.evaluate.sequence import EPSILON, Counts, Sequence, occurrences

ALPHAS = np.arange(0.05, 0.99, 0.05)  # localisation thresholds: 0.05, 0.10 ... 0.95
NONE = 1e-10  # LocA of no match at all is 1

Array = NDArray[np.float64]  # (len(ALPHAS),)


@dataclass(frozen=True, eq=False)
class Hota(Counts):
    """Counts and sums at each alpha, and the scores that follow from them: arrays (19,). `score` is their mean."""

    true_positives: Array
    false_negatives: Array
    false_positives: Array
    association: Array  # A(c), summed over true positives c: section 3.2
    association_recall: Array
    association_precision: Array
    location: Array  # similarity, summed over true positives

    @property
    def score(self) -> float:
        """HOTA."""
        return float(self.hota.mean())

    @property
    def hota(self) -> Array:
        return np.sqrt(self.det_a * self.ass_a)

    @property
    def det_a(self) -> Array:
        return self.true_positives / np.maximum(
            1, self.true_positives + self.false_negatives + self.false_positives
        )

    @property
    def ass_a(self) -> Array:
        return self._each(self.association)

    @property
    def ass_recall(self) -> Array:
        return self._each(self.association_recall)

    @property
    def ass_precision(self) -> Array:
        return self._each(self.association_precision)

    @property
    def loc_a(self) -> Array:
        return np.maximum(NONE, self.location) / np.maximum(NONE, self.true_positives)

    def _each(self, total: Array) -> Array:
        """A sum as the mean over true positives."""
        return total / np.maximum(1, self.true_positives)


def hota(sequence: Sequence) -> Hota:
    """HOTA of one sequence."""
    sequence = sequence.numbered()
    truth_counts, said_counts = occurrences(sequence.truth), occurrences(sequence.said)
    truth, said, similarity = _matches(sequence, truth_counts, said_counts)

    reached = similarity >= ALPHAS[:, None] - EPSILON
    pairs, pair_of = np.unique(truth * len(said_counts) + said, return_inverse=True)
    together = np.stack([np.bincount(pair_of[some], minlength=len(pairs)) for some in reached])
    of_truth, of_said = truth_counts[pairs // len(said_counts)], said_counts[pairs % len(said_counts)]

    found = reached.sum(axis=1).astype(float)
    return Hota(
        true_positives=found,
        false_negatives=truth_counts.sum() - found,
        false_positives=said_counts.sum() - found,
        association=(together**2 / (of_truth + of_said - together)).sum(axis=1),
        association_recall=(together**2 / of_truth).sum(axis=1),
        association_precision=(together**2 / of_said).sum(axis=1),
        location=(reached * similarity).sum(axis=1),
    )


def _matches(
    sequence: Sequence, truth_counts: NDArray[np.int64], said_counts: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], Array]:
    """Ids and similarities of all matches, whatever alpha: those that make association best over the whole
    sequence (section 5.2).
    """
    alignment = _alignment(sequence, truth_counts, said_counts)
    found: list[tuple[NDArray[np.int64], NDArray[np.int64], Array]] = []
    for truth, said, similarity in sequence:
        if len(truth) and len(said):
            rows, columns = linear_sum_assignment(-(alignment[truth[:, None], said] * similarity))
            found.append((truth[rows], said[columns], similarity[rows, columns]))
    nothing = (np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))
    truth, said, similarity = (np.concatenate(column) for column in zip(nothing, *found, strict=True))
    return truth, said, similarity


def _alignment(
    sequence: Sequence, truth_counts: NDArray[np.int64], said_counts: NDArray[np.int64]
) -> NDArray[np.float64]:
    """How well each true id and each said id fit together over the whole sequence: a Jaccard index."""
    together = np.zeros((len(truth_counts), len(said_counts)))
    for truth, said, similarity in sequence:
        either = similarity.sum(0)[None] + similarity.sum(1)[:, None] - similarity
        together[truth[:, None], said] += np.divide(
            similarity, either, out=np.zeros_like(similarity), where=either > EPSILON
        )
    return together / (truth_counts[:, None] + said_counts[None] - together)
