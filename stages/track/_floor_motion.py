"""A Kalman filter of people on a floor who are measured as well as their cameras can: position and velocity, many at
once, with whole covariances, since a camera that looks across a place knows little of how far away somebody is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class FloorMotion:
    """The states of n people: x, y, and their speeds."""

    state: Array  # (n, 4), metres and metres a second
    covariance: Array  # (n, 4, 4)

    def __len__(self) -> int:
        return len(self.state)

    def __getitem__(self, rows: NDArray[Any]) -> FloorMotion:
        return FloorMotion(self.state[rows], self.covariance[rows])

    @classmethod
    def none(cls) -> Self:
        """Nobody."""
        return cls(np.empty((0, 4)), np.empty((0, 4, 4)))

    @classmethod
    def begun(cls, place: tuple[Array, Array], velocity: tuple[Array, Array]) -> Self:
        """People seen for the first time, by where they are and how they may walk, each with its covariance."""
        places_m, covariance_m2 = place
        state, covariance = np.zeros((len(places_m), 4)), np.zeros((len(places_m), 4, 4))
        state[:, :2], covariance[:, :2, :2] = places_m, covariance_m2
        state[:, 2:], covariance[:, 2:, 2:] = velocity
        return cls(state, covariance)

    @property
    def places_m(self) -> Array:
        return self.state[:, :2]

    @property
    def covariance_m2(self) -> Array:
        """Of places (n, 2, 2)."""
        return self.covariance[:, :2, :2]

    def with_more(self, others: FloorMotion) -> FloorMotion:
        """These people, then the others."""
        return FloorMotion(*(np.concatenate([getattr(self, n), getattr(others, n)]) for n in self.__slots__))

    def after(self, seconds: float, change_m2_s3: float) -> FloorMotion:
        """Where they are expected then: constant velocity, white noise acceleration (Bar-Shalom 2001, 6.2.2)."""
        step, drift, both = np.eye(4), np.zeros((4, 4)), np.eye(2)
        step[:2, 2:] = seconds * both
        drift[:2, :2], drift[2:, 2:] = seconds**3 / 3 * both, seconds * both
        drift[:2, 2:] = drift[2:, :2] = seconds**2 / 2 * both
        return FloorMotion(self.state @ step.T, step @ self.covariance @ step.T + change_m2_s3 * drift)

    def given(self, rows: NDArray[np.intp], places_m: Array, covariance_m2: Array) -> FloorMotion:
        """After measuring the people in `rows`: the standard update."""
        state, covariance = self.state.copy(), self.covariance.copy()
        known = covariance[rows]
        gain = known[:, :, :2] @ np.linalg.inv(known[:, :2, :2] + covariance_m2)
        state[rows] += (gain @ (places_m - state[rows, :2])[:, :, None])[..., 0]
        covariance[rows] = known - gain @ known[:, :2, :]
        return FloorMotion(state, (covariance + covariance.transpose(0, 2, 1)) / 2)
