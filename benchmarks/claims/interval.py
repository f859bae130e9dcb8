"""What scores of queries may as well be: people are drawn again, with all of their queries."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

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


def table(title: str, columns: list[str], rows: dict[str, list[object]]) -> None:
    """As Markdown."""
    print(f"### {title}\n\n| {' | '.join(columns)} |\n|{' --- |' * len(columns)}")
    for name, cells in rows.items():
        print(f"| {name} | {' | '.join(map(str, cells))} |")
    print(flush=True)
