"""How well boxes that are expected fit boxes that are found, and by how much they are off."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from stages.track._box_motion import LEAST_PX, Array, BoxMotion, Noise

Rows = NDArray[np.intp]

GATE = 40.0  # squared Mahalanobis distance: what lies further off is somebody else
WIDER_S, WIDEST = (
    0.3,
    0.6,
)  # shares of its size by which a box grows on each side, a second unseen and at most
HEADING = 0.2  # how much it counts that somebody goes on in the same direction
TURNED_FIT, TURNED_WIDER = 0.3, 0.3  # of boxes that say whether the camera turns
FAR = 1e6  # a cost that stands for never


def fits(expected: BoxMotion, seen_from: Array, found: Array, unseen_s: Array, noise: Noise) -> Array:
    """How well each expected box fits each found place (n, m): 1 at best, 0 or less not at all. `seen_from` (n, 4) are
    the places where they were last seen. Overlap of boxes that grow while they are not seen, times how alike their
    heights are (Yang et al. 2024), and a little for going on in the same direction (Cao et al. 2023).
    """
    wider = np.minimum(WIDER_S * unseen_s, WIDEST)
    fit = _overlaps(expected.place, found, wider) * _alike(expected.place, found)
    possible = (fit > 0) & (expected.distances2(found, noise) <= GATE)
    return np.where(possible, fit + HEADING * _same_heading(expected, seen_from, found), 0.0)


def offsets(expected: BoxMotion, found: Array, noise: Noise) -> tuple[Array, Array]:
    """By how many pixels (k, 2) found boxes are off from where they are expected, and the variance (k,) of each."""
    fit = _overlaps(expected.place, found, np.full(len(expected), TURNED_WIDER))
    rows, columns = assigned(fit * _alike(expected.place, found), TURNED_FIT)
    off_px = found[columns, :2] - expected.place[rows, :2]
    variance_px2 = expected.variance[rows, 0] + (found[columns, 3].clip(LEAST_PX) * noise.middle) ** 2
    return off_px, variance_px2


def assigned(fit: Array, least: float) -> tuple[Rows, Rows]:
    """Rows and columns of a fit (n, m) that belong together, so that the sum is greatest and none is below."""
    cost = np.where(fit >= least, -fit, FAR)
    rows, columns = linear_sum_assignment(cost)
    possible = cost[rows, columns] < FAR
    return rows[possible], columns[possible]


# Of each pair there are a few numbers: an array (n, m) for each is several times as fast as one of (n, m, 2).


def _overlaps(expected: Array, found: Array, wider: Array) -> Array:
    """IoU (n, m); both boxes of a pair grown by a share of their sizes on each side."""
    grown = (1.0 + 2.0 * wider)[:, None]
    shared: Array = np.ones(1)
    for axis in (0, 1):
        middle, half = expected[:, axis, None], expected[:, axis + 2, None] * grown / 2
        other, other_half = found[:, axis], found[:, axis + 2] * grown / 2
        end = np.minimum(middle + half, other + other_half)
        shared = shared * (end - np.maximum(middle - half, other - other_half)).clip(0)
    areas = (expected[:, 2] * expected[:, 3])[:, None] + found[:, 2] * found[:, 3]
    overlaps: Array = shared / np.maximum(areas * grown**2 - shared, 1e-9)
    return overlaps


def _alike(expected: Array, found: Array) -> Array:
    """The smaller height as a share of the larger (n, m)."""
    heights, others = expected[:, 3, None], found[:, 3].clip(LEAST_PX)
    alike: Array = np.minimum(heights, others) / np.maximum(heights, others)
    return alike


def _same_heading(expected: BoxMotion, seen_from: Array, found: Array) -> Array:
    """The cosine between where they were going and where each found one would be (n, m), as far as that is known."""
    across, down = (found[:, axis] - seen_from[:, axis, None] for axis in (0, 1))
    speed = np.linalg.norm(expected.speed[:, :2], axis=1)
    unsure = np.sqrt(expected.covariance[:, 0, 1, 1])
    along = across * expected.speed[:, 0, None] + down * expected.speed[:, 1, None]
    cosines = along / np.maximum(np.hypot(across, down) * speed[:, None], 1e-9)
    heading: Array = cosines * (speed / np.maximum(speed + unsure, 1e-9))[:, None]
    return heading
