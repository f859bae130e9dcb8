"""What people who are followed look like, as an option of the tracker of boxes: a vector of each, by an embedder."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.messages import Boxes, Frame
from stages._crops import covered
from stages._shown import shown
from stages.track._box_kernels import Array, Rows

Looks = NDArray[np.float32]  # (n, d), of length 1; 0 of whom nothing is known

SHOWN = 0.7  # of a box that others cover more of, what is seen may be of them
LOOKS_S = 2.0  # what somebody looked like longer ago counts little


def looks_of(embedder: Callable[..., Any], frame: Frame, boxes: Boxes, wanted: Rows) -> Looks:
    """What the wanted of these boxes (m, 4) look like: (m, d), 0 of the others and of those that are hidden."""
    reads = getattr(embedder, "reads", "color")
    picture: NDArray[Any] = getattr(shown(frame, reads), reads)
    whole = wanted[covered(boxes)[wanted] <= 1 - SHOWN]
    height, width = picture.shape[:2]
    corners = np.rint(boxes[whole]).astype(int).clip(0, [width, height, width, height])
    vectors = embedder([picture[top:bottom, left:right] for left, top, right, bottom in corners])
    looks = np.zeros((len(boxes), vectors.shape[1]), np.float32)
    looks[whole] = vectors
    return looks


def likeness(known: Looks, found: Looks, midpoint: float) -> Array:
    """By how much each of these is more alike than `midpoint` (n, m), 0 where nothing is known of one."""
    cosines = np.einsum("nd,md->nm", known, found)
    known_both = np.outer(known.any(axis=1), found.any(axis=1))
    return np.where(known_both, np.round(cosines.astype(float), 5) - midpoint, 0.0)


def seen_again(known: Looks, found: Looks, passed_s: float) -> Looks:
    """What people look like (n, d) who were found to look like this (n, d) after so many seconds."""
    kept = np.where(known.any(axis=1), np.exp(-passed_s / LOOKS_S), 0.0)
    kept = np.where(found.any(axis=1), kept, 1.0)[:, None]
    looks = kept * known + (1 - kept) * found
    return np.asarray(looks / np.maximum(np.linalg.norm(looks, axis=1, keepdims=True), 1e-9), np.float32)
