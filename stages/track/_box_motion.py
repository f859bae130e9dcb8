"""A Kalman filter of boxes: middle and size, each with its speed, many at once. Lengths are measured in box heights,
so that near and far people are alike; times in seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LEAST_PX = 4.0  # a box that is expected to shrink stays as large
FORGETS_S = 0.5  # what grows or shrinks does not go on doing so
SPEED, SIZE_SPEED = 0.5, 0.15  # box heights a second, of a box seen for the first time


@dataclass(frozen=True, slots=True)
class Noise:
    """In box heights: of a measured middle and size, and of how speeds change, per second."""

    middle: float
    size: float
    middle_change: float
    size_change: float


@dataclass(frozen=True, slots=True, eq=False)
class BoxMotion:
    """The states of n boxes. Both axes are alike and independent, so that one covariance (value, speed) serves both
    axes of the middle, and one both of the size.
    """

    place: Array  # (n, 4), x and y of the middle, width, height, in pixels
    speed: Array  # (n, 4), a second
    covariance: Array  # (n, 2, 2, 2), of the middle and of the size

    def __len__(self) -> int:
        return len(self.place)

    def __getitem__(self, rows: NDArray[Any]) -> BoxMotion:
        return BoxMotion(self.place[rows], self.speed[rows], self.covariance[rows])

    @classmethod
    def none(cls) -> Self:
        """No box."""
        return cls(np.empty((0, 4)), np.empty((0, 4)), np.empty((0, 2, 2, 2)))

    @classmethod
    def begun(cls, places: Array, noise: Noise) -> Self:
        """Boxes seen for the first time, which may go anywhere."""
        covariance = np.zeros((len(places), 2, 2, 2))
        covariance[:, :, 0, 0] = _squared(places, noise.middle, noise.size)
        covariance[:, :, 1, 1] = _squared(places, SPEED, SIZE_SPEED)
        return cls(places.copy(), np.zeros_like(places), covariance)

    @property
    def corners(self) -> Array:
        """Left, top, right, bottom (n, 4)."""
        return corners_of(self.place)

    @property
    def variance(self) -> Array:
        """Of the middle and of the size, in square pixels (n, 2)."""
        return self.covariance[:, :, 0, 0]

    def with_more(self, others: BoxMotion) -> BoxMotion:
        """These, then the others."""
        return BoxMotion(*(np.concatenate([getattr(self, n), getattr(others, n)]) for n in self.__slots__))

    def put(self, rows: NDArray[np.intp], others: BoxMotion) -> BoxMotion:
        """With others in the place of those in `rows`."""
        made = BoxMotion(*(getattr(self, name).copy() for name in self.__slots__))
        for name in self.__slots__:
            getattr(made, name)[rows] = getattr(others, name)
        return made

    def moved(self, shift_px: Array) -> BoxMotion:
        """All of them shifted by the same (2,), as when the camera turns."""
        place = self.place.copy()
        place[:, :2] += shift_px
        return BoxMotion(place, self.speed, self.covariance)

    def after(self, seconds: float | Array, noise: Noise) -> BoxMotion:
        """Where they are expected then: constant velocity, white noise acceleration (Bar-Shalom 2001, 6.2.2)."""
        t = np.broadcast_to(np.asarray(seconds, float), (len(self),))[:, None]
        place = self.place + self.speed * t
        place[:, 2:] = place[:, 2:].clip(LEAST_PX)
        speed = self.speed.copy()
        speed[:, 2:] *= np.exp(-t / FORGETS_S)
        change = _squared(self.place, noise.middle_change, noise.size_change)
        value, both, rate = (self.covariance[..., i, j] for i, j in ((0, 0), (0, 1), (1, 1)))
        covariance = np.empty_like(self.covariance)
        covariance[..., 0, 0] = value + 2 * t * both + t**2 * rate + change * t**3 / 3
        covariance[..., 0, 1] = covariance[..., 1, 0] = both + t * rate + change * t**2 / 2
        covariance[..., 1, 1] = rate + change * t
        return BoxMotion(place, speed, covariance)

    def given(self, places: Array, noise: Noise) -> BoxMotion:
        """After measuring each of them: the standard update."""
        variance = self.variance + _squared(places, noise.middle, noise.size)
        gain = self.covariance[..., 0] / variance[..., None]  # (n, middle or size, value or speed)
        each = np.repeat(gain, 2, axis=1)
        off = places - self.place
        covariance = self.covariance - gain[..., None] * self.covariance[..., :1, :]
        return BoxMotion(self.place + each[..., 0] * off, self.speed + each[..., 1] * off, covariance)

    def distances2(self, places: Array, noise: Noise) -> Array:
        """Squared Mahalanobis distance (n, m) of each box to each of m measurements, 4 degrees of freedom."""
        errors = _squared(places, noise.middle, noise.size)
        distances2: Array = np.zeros((len(self), len(places)))
        for part in (0, 1):  # the middle and the size
            off2 = sum(
                (self.place[:, axis, None] - places[:, axis]) ** 2 for axis in (2 * part, 2 * part + 1)
            )
            distances2 += off2 / (self.variance[:, part, None] + errors[:, part])
        return distances2


def places_of(boxes: NDArray[Any]) -> Array:
    """Middles and sizes of boxes (n, 4) given as left, top, right, bottom."""
    corners = boxes.astype(np.float64)
    return np.hstack([(corners[:, :2] + corners[:, 2:]) / 2, corners[:, 2:] - corners[:, :2]])


def corners_of(places: Array) -> Array:
    """Left, top, right, bottom of middles and sizes (n, 4)."""
    halves = places[:, 2:] / 2
    return np.hstack([places[:, :2] - halves, places[:, :2] + halves])


def _squared(places: Array, middle: float, size: float) -> Array:
    """Shares of the heights of boxes as variances in square pixels (n, 2)."""
    heights = places[:, 3:].clip(LEAST_PX)
    return np.asarray((heights * np.array([middle, size])) ** 2, np.float64)
