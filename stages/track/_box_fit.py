"""How well boxes that are expected fit boxes that are found, and by how much they are off."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment

from stages.track._box_kernels import LEAST_PX, Array, Rows, overlaps, pair_fits
from stages.track._box_motion import BoxMotion, Noise

WIDER_S, WIDEST = (
    0.3,
    0.6,
)  # shares of its size by which a box grows on each side, a second unseen and at most
TURNED_FIT, TURNED_WIDER = 0.3, 0.3  # of boxes that say whether the camera turns
FAR = 1e6  # a cost that stands for never
NOBODY: Rows = np.empty(0, np.intp)


def fits(expected: BoxMotion, seen_from: Array, found: Array, unseen_s: Array, noise: Noise) -> Array:
    """How well each expected box fits each found place (n, m): 1 at best, 0 or less not at all. `seen_from` (n, 4) are
    the places where they were last seen. Overlap of boxes that grow while they are not seen, times how alike their
    heights are (Yang et al. 2024), and a little for going on in the same direction (Cao et al. 2023).
    """
    wider = np.minimum(WIDER_S * unseen_s, WIDEST)
    motion = expected.place, expected.speed, expected.covariance
    return pair_fits(motion, seen_from, found, wider, noise.errors)


def offsets(expected: BoxMotion, found: Array, noise: Noise) -> tuple[Array, Array]:
    """By how many pixels (k, 2) found boxes are off from where they are expected, and the variance (k,) of each."""
    rows, columns = assigned(overlaps(expected.place, found, TURNED_WIDER), TURNED_FIT)
    off_px = found[columns, :2] - expected.place[rows, :2]
    variance_px2 = expected.variance[rows, 0] + (found[columns, 3].clip(LEAST_PX) * noise.middle) ** 2
    return off_px, variance_px2


def assigned(fit: Array, least: float) -> tuple[Rows, Rows]:
    """Rows and columns of a fit (n, m) that belong together, so that the sum is greatest and none is below."""
    if not fit.size:
        return NOBODY, NOBODY
    cost = np.where(fit >= least, -fit, FAR)
    rows, columns = linear_sum_assignment(cost)
    possible = cost[rows, columns] < FAR
    return rows[possible], columns[possible]
