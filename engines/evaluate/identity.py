"""IDF1: how well one said identity covers each true one (Ristani et al. 2016)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from engines.evaluate.sequence import MATCHED_FROM, Counts, Sequence, occurrences


@dataclass(frozen=True, eq=False)
class Identity(Counts):
    """Counts, and the scores that follow from them."""

    true_positives: int
    false_negatives: int
    false_positives: int

    @property
    def idf1(self) -> float:
        return self.true_positives / max(
            1.0, self.true_positives + 0.5 * (self.false_negatives + self.false_positives)
        )

    @property
    def precision(self) -> float:
        return self.true_positives / max(1, self.true_positives + self.false_positives)

    @property
    def recall(self) -> float:
        return self.true_positives / max(1, self.true_positives + self.false_negatives)


def identity(sequence: Sequence, from_similarity: float = MATCHED_FROM) -> Identity:
    """Identity scores of one sequence: true and said ids are matched once and for all, one to one."""
    sequence = sequence.numbered()
    truth_counts, said_counts = occurrences(sequence.truth), occurrences(sequence.said)
    together = np.zeros((len(truth_counts), len(said_counts)), np.int64)
    for truth, said, similarity in sequence:
        together[truth[:, None], said] += similarity >= from_similarity
    # fewest misses and false alarms in all are most frames together
    found = int(together[linear_sum_assignment(together, maximize=True)].sum())
    return Identity(found, int(truth_counts.sum()) - found, int(said_counts.sum()) - found)
