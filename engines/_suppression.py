"""Keeps one box of those that show the same thing. Knows nothing of networks."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray


def kept_of(
    boxes: NDArray[np.float32],
    scores: NDArray[np.float32],
    min_score: float,
    max_overlap: float,
) -> NDArray[np.intp]:
    """Rows to keep, best score first: of boxes (n, 4) left top right bottom, those that score `min_score` and overlap
    no better one by an IoU of more than `max_overlap`.
    A row that scores 0, or is not finite, is never kept.
    """
    good = np.flatnonzero((scores >= min_score) & np.isfinite(boxes).all(axis=1) & np.isfinite(scores))
    if not len(good):
        return good
    sides: Any = boxes[good].astype(np.float64)
    sides[:, 2:] -= sides[:, :2]
    likely: Any = scores[good]
    kept = cv2.dnn.NMSBoxes(sides, likely, 0.0, max_overlap)
    return np.asarray(good[np.asarray(kept, np.intp).ravel()], np.intp)
