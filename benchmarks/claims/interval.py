"""What scores of queries may as well be: people are drawn again, with all of their queries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import spearmanr

DRAWS = 1000


class Interval(NamedTuple):
    """A mean in percent, and between what 95 of 100 drawings of other people are."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:.1f} ({self.low:.1f} to {self.high:.1f})"


def over_people(scores: np.ndarray, people: np.ndarray) -> Interval:
    """Of a score of each query, (seeds, queries) or (queries,), and whose each query is."""
    mean = np.atleast_2d(scores).mean(axis=0)
    _, rows = np.unique(people, return_inverse=True)
    total, count = np.bincount(rows, mean), np.bincount(rows)
    drawn = np.random.default_rng(0).integers(0, len(count), (DRAWS, len(count)))
    means = total[drawn].sum(axis=1) / count[drawn].sum(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return Interval(100 * float(mean.mean()), 100 * float(low), 100 * float(high))


def grows(shares: Sequence[float], gain: np.ndarray, people: np.ndarray) -> str:
    """Spearman's correlation of gains (shares, queries) with shares, and where 95 of 100 drawings of people have it."""
    _, rows = np.unique(people, return_inverse=True)
    count = np.bincount(rows)
    total = np.array([np.bincount(rows, one) for one in gain])
    drawn = np.random.default_rng(0).integers(0, len(count), (DRAWS, len(count)))
    means = total[:, drawn].sum(axis=2) / count[drawn].sum(axis=1)
    every = [spearmanr(shares, one).statistic for one in means.T if len(set(one)) > 1]
    low, high = np.percentile(every, [2.5, 97.5])
    return f"{spearmanr(shares, gain.mean(axis=1)).statistic:.2f} ({low:.2f} to {high:.2f})"


def table(title: str, columns: list[str], rows: dict[str, list[object]]) -> None:
    """As Markdown."""
    print(f"### {title}\n\n| {' | '.join(columns)} |\n|{' --- |' * len(columns)}")
    for name, cells in rows.items():
        print(f"| {name} | {' | '.join(map(str, cells))} |")
    print(flush=True)
