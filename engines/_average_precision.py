"""AP50: how many of the people a detector finds, and how many of its finds are people, over all its thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
OVERLAP = 0.5  # IoU from which a box is that of a person


@dataclass(frozen=True)
class Truth:
    """The people of one picture, boxes (n, 4), and whom it is neither right nor wrong to find."""

    people: Array
    unsure: Array


def ap50(found: Sequence[tuple[Array, Array]], truth: Sequence[Truth]) -> float:
    """In points of 100: the area under precision by recall, where precision is the best at that recall or beyond.
    `found` are boxes and scores of each picture.
    """
    judged = [_judged(boxes, scores, of_one) for (boxes, scores), of_one in zip(found, truth, strict=True)]
    people = sum(len(of_one.people) for of_one in truth)
    if not people:
        return 100.0
    rows = np.concatenate(judged) if judged else np.empty((0, 2))
    hits = rows[np.argsort(-rows[:, 0], kind="stable"), 1]
    right = np.cumsum(hits)
    precision = right / np.arange(1, len(hits) + 1)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    return float((best * hits).sum() / people * 100)


def _judged(boxes: Array, scores: Array, truth: Truth) -> NDArray[np.float64]:
    """Score and hit (1 or 0) of each box that counts; the surest first takes the person whom it overlaps most."""
    free = np.ones(len(truth.people), bool)
    rows = []
    with_people, with_unsure = overlaps(boxes, truth.people), overlaps(boxes, truth.unsure)
    for row in np.argsort(-scores, kind="stable"):
        open_ones = np.where(free, with_people[row], 0.0)
        if len(open_ones) and open_ones.max() >= OVERLAP:
            free[open_ones.argmax()] = False
            rows.append((float(scores[row]), 1.0))
        elif not (with_unsure[row] >= OVERLAP).any():
            rows.append((float(scores[row]), 0.0))
    return np.array(rows, float).reshape(-1, 2)


def overlaps(a: Array, b: Array) -> NDArray[np.float64]:
    """IoU of every box in `a` with every box in `b`: (len(a), len(b))."""
    left_top = np.maximum(a[:, None, :2], b[None, :, :2])
    right_bottom = np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = (right_bottom - left_top).clip(0).prod(axis=2)
    areas = [(boxes[:, 2:] - boxes[:, :2]).clip(0).prod(axis=1) for boxes in (a, b)]
    return np.asarray(shared / np.maximum(areas[0][:, None] + areas[1][None] - shared, 1e-9), float)
