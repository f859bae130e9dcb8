"""What of features tells people apart, and how much: linear discriminants, weighed as PLDA weighs them.

(Prince and Elder 2007.) A network that has seen few people long says much that is alike in all of them, or differs from
one sight of somebody to the next; a linear step after it takes that away without a gradient.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
SHRUNK = 0.02  # of the scatter within people, that goes evenly into every direction


def discriminants(features: Array, people: NDArray[np.int64], width: int) -> Array:
    """The matrix (d, width) that features (n, d) less their mean are multiplied with."""
    centred = features - features.mean(axis=0)
    count = np.bincount(people)
    means = np.zeros((len(count), features.shape[1]))
    np.add.at(means, people, centred)
    means /= np.maximum(count, 1)[:, None]
    rest = centred - means[people]
    within, between = rest.T @ rest / len(rest), (means.T * count) @ means / len(rest)
    within += SHRUNK * np.trace(within) / len(within) * np.eye(len(within))
    sizes, axes = np.linalg.eigh(within)
    whitened = axes / np.sqrt(sizes)
    spread, turns = np.linalg.eigh(whitened.T @ between @ whitened)
    best = np.argsort(-spread)[:width]
    kept = np.maximum(spread[best], 0.0)
    return np.asarray(whitened @ turns[:, best] * np.sqrt(kept / (kept + 1.0)), np.float64)
