"""How alike two rows are, from 0 to 1: overlap of boxes, or nearness on the floor."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engines.evaluate.sequence import EPSILON, Similarity

Places = NDArray[np.float64]

ZERO_M = 1.0  # as far apart as this is not alike at all


def box_similarity(a: Places, b: Places) -> Similarity:
    """IoU of every box in `a` with every box in `b`: (len(a), len(b)). Boxes (n, 4) are left, top, right, bottom; one
    without an area overlaps nothing.
    """
    # the same operations in the same order as TrackEval's: a tie that differs in the last bit is no tie
    low, high = np.minimum(a[:, None], b[None]), np.maximum(a[:, None], b[None])
    shared = np.maximum(low[..., 2] - high[..., 0], 0) * np.maximum(low[..., 3] - high[..., 1], 0)
    union = _areas(a)[:, None] + _areas(b)[None] - shared
    overlap: Similarity = shared / np.where(union <= EPSILON, 1, union)
    return overlap


def floor_similarity(a: Places, b: Places, zero_m: float = ZERO_M) -> Similarity:
    """max(0, 1 - distance / zero_m) of every place in `a` to every place in `b`: (len(a), len(b)). Places (n, 2) are in
    metres; an unknown one (NaN) is near to nothing.
    """
    distances_m = np.linalg.norm(a[:, None] - b[None], axis=2)
    return np.maximum(0.0, 1 - np.where(np.isnan(distances_m), np.inf, distances_m) / zero_m)


def _areas(boxes: Places) -> NDArray[np.float64]:
    areas: NDArray[np.float64] = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return areas
