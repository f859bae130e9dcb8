"""A Kalman filter of boxes: middle and size, each with its speed, many at once. Lengths are measured in box heights,
so that near and far people are alike; times in seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from stages.track._box_kernels import LEAST_PX, Array, expected, measured, replaced

SPEED, SIZE_SPEED = 0.5, 0.15  # box heights a second, of a box seen for the first time


@dataclass(frozen=True, slots=True)
class Noise:
    """In box heights: of a measured middle and size, and of how speeds change, per second."""

    middle: float
    size: float
    middle_change: float
    size_change: float

    @property
    def errors(self) -> tuple[float, float]:
        """Of what is measured."""
        return self.middle, self.size

    @property
    def changes(self) -> tuple[float, float]:
        """Of speeds, a second."""
        return self.middle_change, self.size_change


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
        return BoxMotion(
            replaced(self.place, rows, others.place),
            replaced(self.speed, rows, others.speed),
            replaced(self.covariance, rows, others.covariance),
        )

    def moved(self, shift_px: Array) -> BoxMotion:
        """All of them shifted by the same (2,), as when the camera turns."""
        place = self.place.copy()
        place[:, :2] += shift_px
        return BoxMotion(place, self.speed, self.covariance)

    def after(self, seconds: float | Array, noise: Noise) -> BoxMotion:
        """Where they are expected then: constant velocity, white noise acceleration (Bar-Shalom 2001, 6.2.2)."""
        each_s = seconds if isinstance(seconds, np.ndarray) else np.full(len(self), float(seconds))
        return BoxMotion(*expected(self.place, self.speed, self.covariance, each_s, noise.changes))

    def given(self, places: Array, noise: Noise) -> BoxMotion:
        """After measuring each of them: the standard update."""
        return BoxMotion(*measured(self.place, self.speed, self.covariance, places, noise.errors))


def places_of(boxes: NDArray[Any]) -> Array:
    """Middles and sizes of boxes (n, 4) given as left, top, right, bottom."""
    places = np.empty(boxes.shape)
    corners = boxes.astype(np.float64)
    places[:, :2] = (corners[:, :2] + corners[:, 2:]) / 2
    places[:, 2:] = corners[:, 2:] - corners[:, :2]
    return places


def corners_of(places: Array) -> Array:
    """Left, top, right, bottom of middles and sizes (n, 4)."""
    corners, halves = np.empty(places.shape), places[:, 2:] / 2
    corners[:, :2] = places[:, :2] - halves
    corners[:, 2:] = places[:, :2] + halves
    return corners


def _squared(places: Array, middle: float, size: float) -> Array:
    """Shares of the heights of boxes as variances in square pixels (n, 2)."""
    heights = places[:, 3:].clip(LEAST_PX)
    return np.asarray((heights * np.array([middle, size])) ** 2, np.float64)
