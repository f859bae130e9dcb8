"""The loops over boxes, compiled: of a few dozen people, NumPy takes longer to begin than to do it. Arrays are as in
BoxMotion: places (n, 4), speeds (n, 4), covariances (n, 2, 2, 2).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from configs.kernels import kernel

Array = NDArray[np.float64]
Rows = NDArray[np.intp]

LEAST_PX = 4.0  # a box that is expected to shrink stays as large
FORGETS_S = 0.5  # what grows or shrinks does not go on doing so
GATE = 40.0  # squared Mahalanobis distance: what lies further off is somebody else
HEADING = 0.2  # how much it counts that somebody goes on in the same direction


@kernel
def expected(
    place: Array, speed: Array, covariance: Array, seconds: Array, changes: tuple[float, float]
) -> tuple[Array, Array, Array]:
    """Constant velocity, white noise acceleration (Bar-Shalom 2001, 6.2.2)."""
    places, speeds, covariances = place.copy(), speed.copy(), np.empty_like(covariance)
    for n in range(len(place)):
        t, high = seconds[n], max(place[n, 3], LEAST_PX)
        kept = math.exp(-t / FORGETS_S)
        for axis in range(4):
            places[n, axis] += speed[n, axis] * t
        for axis in (2, 3):
            places[n, axis] = max(places[n, axis], LEAST_PX)
            speeds[n, axis] *= kept
        for part in range(2):
            change = (high * changes[part]) ** 2
            value, both, rate = (
                covariance[n, part, 0, 0],
                covariance[n, part, 0, 1],
                covariance[n, part, 1, 1],
            )
            covariances[n, part, 0, 0] = value + 2 * t * both + t**2 * rate + change * t**3 / 3
            covariances[n, part, 0, 1] = both + t * rate + change * t**2 / 2
            covariances[n, part, 1, 0] = covariances[n, part, 0, 1]
            covariances[n, part, 1, 1] = rate + change * t
    return places, speeds, covariances


@kernel
def measured(
    place: Array, speed: Array, covariance: Array, found: Array, errors: tuple[float, float]
) -> tuple[Array, Array, Array]:
    """The standard update, each box by the place where it was found."""
    places, speeds, covariances = np.empty_like(place), np.empty_like(speed), np.empty_like(covariance)
    for n in range(len(place)):
        high = max(found[n, 3], LEAST_PX)
        for part in range(2):
            before = covariance[n, part]
            variance = before[0, 0] + (high * errors[part]) ** 2
            gains = before[0, 0] / variance, before[1, 0] / variance
            for axis in (2 * part, 2 * part + 1):
                off = found[n, axis] - place[n, axis]
                places[n, axis] = place[n, axis] + gains[0] * off
                speeds[n, axis] = speed[n, axis] + gains[1] * off
            for i in range(2):
                for j in range(2):
                    covariances[n, part, i, j] = before[i, j] - gains[i] * before[0, j]
    return places, speeds, covariances


@kernel
def replaced(values: Array, rows: Rows, others: Array) -> Array:
    """With others in some rows (n, ...)."""
    made = values.copy()
    for n in range(len(rows)):
        made[rows[n]] = others[n]
    return made


@kernel
def median_and_deviation(values: Array) -> tuple[Array, Array]:
    """Of each column (n, k): the median, and the median of how far the values are from it."""
    columns = values.shape[1]
    medians, deviations = np.empty(columns), np.empty(columns)
    for k in range(columns):
        medians[k] = np.median(values[:, k].copy())
        deviations[k] = np.median(np.abs(values[:, k] - medians[k]))
    return medians, deviations


@kernel
def _overlap(one: Array, other: Array, wider: float) -> float:
    """IoU of two places that grow by a share of their sizes on each side, times how alike their heights are."""
    grown, shared = 1.0 + 2.0 * wider, 1.0
    for axis in range(2):
        half, other_half = one[axis + 2] * grown / 2, other[axis + 2] * grown / 2
        end = min(one[axis] + half, other[axis] + other_half)
        reach = end - max(one[axis] - half, other[axis] - other_half)
        if reach <= 0:
            return 0.0
        shared *= reach
    areas = one[2] * one[3] + other[2] * other[3]
    high = max(other[3], LEAST_PX)
    fit: float = shared / max(areas * grown**2 - shared, 1e-9) * (min(one[3], high) / max(one[3], high))
    return fit


@kernel
def overlaps(place: Array, found: Array, wider: float) -> Array:
    """The same of all pairs (n, m)."""
    fit = np.empty((len(place), len(found)))
    for n in range(len(place)):
        for m in range(len(found)):
            fit[n, m] = _overlap(place[n], found[m], wider)
    return fit


@kernel
def _distance2(place: Array, covariance: Array, found: Array, errors: tuple[float, float]) -> float:
    """Squared Mahalanobis distance of a box to where one was found, 4 degrees of freedom."""
    distance2, high = 0.0, max(found[3], LEAST_PX)
    for part in range(2):
        off2 = (place[2 * part] - found[2 * part]) ** 2 + (place[2 * part + 1] - found[2 * part + 1]) ** 2
        distance2 += off2 / (covariance[part, 0, 0] + (high * errors[part]) ** 2)
    return distance2


@kernel
def _same_heading(speed: Array, unsure: float, seen_from: Array, found: Array) -> float:
    """The cosine between where somebody was going and where they would be found, as far as that is known."""
    across, down = found[0] - seen_from[0], found[1] - seen_from[1]
    fast = math.sqrt(speed[0] ** 2 + speed[1] ** 2)
    along = across * speed[0] + down * speed[1]
    cosine: float = along / max(math.hypot(across, down) * fast, 1e-9)
    return cosine * (fast / max(fast + unsure, 1e-9))


@kernel
def pair_fits(
    motion: tuple[Array, Array, Array],
    seen_from: Array,
    found: Array,
    wider: Array,
    errors: tuple[float, float],
) -> Array:
    """How well each box (n) fits each place that was found (m), as stages.track._box_fit.fits says."""
    place, speed, covariance = motion
    fit = np.zeros((len(place), len(found)))
    for n in range(len(place)):
        unsure = math.sqrt(covariance[n, 0, 1, 1])
        for m in range(len(found)):
            overlap = _overlap(place[n], found[m], wider[n])
            if overlap > 0 and _distance2(place[n], covariance[n], found[m], errors) <= GATE:
                fit[n, m] = overlap + HEADING * _same_heading(speed[n], unsure, seen_from[n], found[m])
    return fit
