"""CLEAR MOT: misses, false alarms and switches in one score (Bernardin and Stiefelhagen 2008)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from engines.evaluate.sequence import EPSILON, MATCHED_FROM, Counts, Ids, Sequence, Similarity, occurrences

NOBODY = -1
CONTINUES = 1000  # outweighs any similarity: who was matched before stays matched
MOSTLY_TRACKED, MOSTLY_LOST = 0.8, 0.2  # shares of a life


@dataclass(frozen=True, eq=False)
class Clear(Counts):
    """Counts, and the scores that follow from them. Without any truth they are 0."""

    true_positives: int
    false_negatives: int
    false_positives: int
    switches: int
    fragmentations: int
    mostly_tracked: int
    partly_tracked: int
    mostly_lost: int
    similarity: float  # summed over true positives

    @property
    def mota(self) -> float:
        return self._per_truth(self.true_positives - self.false_positives - self.switches)

    @property
    def motp(self) -> float:
        return self.similarity / max(1, self.true_positives)

    @property
    def recall(self) -> float:
        return self._per_truth(self.true_positives)

    @property
    def precision(self) -> float:
        return self.true_positives / max(1, self.true_positives + self.false_positives)

    def _per_truth(self, count: int) -> float:
        there = self.true_positives + self.false_negatives
        return count / there if there else 0.0


def clear(sequence: Sequence, from_similarity: float = MATCHED_FROM) -> Clear:
    """CLEAR scores of one sequence."""
    sequence = sequence.numbered()
    truth_counts = occurrences(sequence.truth)
    lives = _Lives(len(truth_counts))
    for truth, said, similarity in sequence:
        if similarity.size:  # as in TrackEval, a frame in which nothing can be matched does not end a match
            lives.match(truth, said, similarity, from_similarity)
    shares, found = lives.matches / truth_counts, int(lives.matches.sum())
    tracked, lost = int((shares > MOSTLY_TRACKED).sum()), int((shares < MOSTLY_LOST).sum())
    return Clear(
        true_positives=found,
        false_negatives=int(truth_counts.sum()) - found,
        false_positives=sum(map(len, sequence.said)) - found,
        switches=lives.switches,
        fragmentations=int(np.maximum(lives.runs - 1, 0).sum()),
        mostly_tracked=tracked,
        partly_tracked=len(shares) - tracked - lost,
        mostly_lost=lost,
        similarity=lives.similarity,
    )


def continued(
    said: Ids, similarity: Similarity, before: Ids, from_similarity: float
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns that are matched: first who was matched so in the frame `before` (truth,), then so that
    similarity is greatest.
    """
    weights = CONTINUES * (said[None] == before[:, None]) + similarity
    weights[similarity < from_similarity - EPSILON] = 0
    rows, columns = linear_sum_assignment(-weights)
    is_match = weights[rows, columns] > EPSILON
    return rows[is_match], columns[is_match]


class _Lives:
    """What was said of each true id so far: parallel arrays."""

    def __init__(self, people: int) -> None:
        self.latest = np.full(people, NOBODY)  # whom it was matched with last
        self.before = self.latest.copy()  # the same, if that was in the frame before
        self.matches, self.runs = np.zeros(people, int), np.zeros(people, int)
        self.switches, self.similarity = 0, 0.0

    def match(self, truth: Ids, said: Ids, similarity: Similarity, from_similarity: float) -> None:
        """Match one more frame: first who was matched in the one before, then so that similarity is greatest."""
        rows, columns = continued(said, similarity, self.before[truth], from_similarity)
        self._take(truth[rows], said[columns])
        self.similarity += float(similarity[rows, columns].sum())

    def _take(self, truth: Ids, said: Ids) -> None:
        self.switches += int(((self.latest[truth] != NOBODY) & (self.latest[truth] != said)).sum())
        self.matches[truth] += 1
        self.runs[truth] += self.before[truth] == NOBODY
        self.latest[truth] = said
        self.before[:] = NOBODY
        self.before[truth] = said
