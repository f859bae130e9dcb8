"""A Kalman filter of people who walk: position and velocity on the floor and height, many at once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """The states of n people. The two axes of the floor are alike and independent, so that one covariance
    (position, velocity) serves both.
    """

    position_m: Array  # (n, 2)
    velocity_m_s: Array  # (n, 2)
    covariance: Array  # (n, 2, 2), of position and velocity along one axis
    height_m: Array  # (n,)
    height_variance_m2: Array  # (n,)

    def __len__(self) -> int:
        return len(self.position_m)

    def __getitem__(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> Motion:
        return Motion(
            self.position_m[rows],
            self.velocity_m_s[rows],
            self.covariance[rows],
            self.height_m[rows],
            self.height_variance_m2[rows],
        )

    @classmethod
    def none(cls) -> Self:
        """Nobody."""
        return cls(np.empty((0, 2)), np.empty((0, 2)), np.empty((0, 2, 2)), np.empty(0), np.empty(0))

    @classmethod
    def begun(cls, floor_m: Array, heights_m: Array, noise_m: Array, speed_m_s: float) -> Self:
        """People seen for the first time, who may walk anywhere."""
        n = len(floor_m)
        covariance = np.zeros((n, 2, 2))
        covariance[:, 0, 0], covariance[:, 1, 1] = noise_m**2, speed_m_s**2
        return cls(
            floor_m.astype(float),
            np.zeros((n, 2)),
            covariance,
            heights_m.astype(float),
            np.full(n, HEIGHT_M**2),
        )

    def with_more(self, others: Motion) -> Motion:
        """These people, then the others."""
        names = self.__slots__
        return Motion(*(np.concatenate([getattr(self, name), getattr(others, name)]) for name in names))

    def after(self, seconds: float, acceleration_m_s2: float) -> Motion:
        """Where they are expected then: constant velocity, white noise acceleration (Bar-Shalom 2001, 6.3.2)."""
        step = np.array([[1.0, seconds], [0.0, 1.0]])
        drift = (
            np.array([[seconds**4 / 4, seconds**3 / 2], [seconds**3 / 2, seconds**2]]) * acceleration_m_s2**2
        )
        return replace(
            self,
            position_m=self.position_m + seconds * self.velocity_m_s,
            covariance=step @ self.covariance @ step.T + drift,
            height_variance_m2=self.height_variance_m2 + seconds * HEIGHT_DRIFT_M2_S,
        )

    def distances2(self, floor_m: Array, heights_m: Array, noise_m: Array) -> Array:
        """Squared Mahalanobis distance (n, m) of each person to each of m measurements; an unknown height fits."""
        off_m = self.position_m[:, None] - floor_m[None]
        variance = self.covariance[:, None, 0, 0] + noise_m[None] ** 2
        taller_m = self.height_m[:, None] - heights_m[None]
        taller_m[np.isnan(taller_m)] = 0.0
        height_variance = self.height_variance_m2 + HEIGHT_M**2
        distances2: Array = (off_m**2).sum(axis=2) / variance + taller_m**2 / height_variance[:, None]
        return distances2

    def given(self, rows: NDArray[np.intp], floor_m: Array, heights_m: Array, noise_m: Array) -> Motion:
        """After measuring the people in `rows`: the standard update, height apart."""
        made = Motion(*(getattr(self, name).copy() for name in self.__slots__))
        covariance = self.covariance[rows]
        gain = covariance[:, :, 0] / (covariance[:, 0, 0] + noise_m**2)[:, None]
        off_m = floor_m - self.position_m[rows]
        made.position_m[rows] += gain[:, :1] * off_m
        made.velocity_m_s[rows] += gain[:, 1:] * off_m
        made.covariance[rows] = covariance - gain[:, :, None] * covariance[:, :1, :]
        before_m = np.where(np.isnan(self.height_m[rows]), heights_m, self.height_m[rows])
        taller_m = heights_m - before_m
        share = self.height_variance_m2[rows] / (self.height_variance_m2[rows] + HEIGHT_M**2)
        unknown = np.isnan(taller_m)
        share, taller_m = np.where(unknown, 0.0, share), np.where(unknown, 0.0, taller_m)
        made.height_m[rows] = before_m + share * taller_m
        made.height_variance_m2[rows] *= 1.0 - share
        return made


HEIGHT_M = 0.06  # a head bobs and nods
HEIGHT_DRIFT_M2_S = 0.02**2  # people bend and straighten up
