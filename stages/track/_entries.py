"""Where people come in, and how they go on from there: who comes after them at the same place goes on like them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

KEPT = 256  # of those who came last
NEAR_M = 2.0  # standard deviation of what is the same place
PRIOR = 0.5  # as many people who went anywhere are thought to have come before the first
SPREAD_M_S = 0.4  # between people who go the same way


@dataclass(eq=False)
class Entries:
    """The first places and speeds of people, the last `KEPT` of them."""

    places_m: Array = field(default_factory=lambda: np.empty((0, 2)))
    velocity_m_s: Array = field(default_factory=lambda: np.empty((0, 2)))

    def learn(self, places_m: Array, velocity_m_s: Array) -> None:
        """These began there, and went on so."""
        self.places_m = np.concatenate([self.places_m, places_m])[-KEPT:]
        self.velocity_m_s = np.concatenate([self.velocity_m_s, velocity_m_s])[-KEPT:]

    def expected(self, places_m: Array, speed_m_s: float) -> tuple[Array, Array]:
        """The velocity (n, 2) of people who begin at places, and its covariance (n, 2, 2); `speed_m_s` is the standard
        deviation where nobody has come before.
        """
        away_m = np.linalg.norm(places_m[:, None] - self.places_m[None], axis=2)
        weight = np.exp(-0.5 * (away_m / NEAR_M) ** 2)
        total = (weight.sum(axis=1) + PRIOR)[:, None]
        mean = weight @ self.velocity_m_s / total
        off = self.velocity_m_s[None] - mean[:, None]
        among = np.einsum("nk,nki,nkj->nij", weight, off, off)
        among += (weight.sum(axis=1) * SPREAD_M_S**2)[:, None, None] * np.eye(2)
        nobody = PRIOR * (speed_m_s**2 * np.eye(2) + mean[:, :, None] * mean[:, None])
        return mean, (among + nobody) / total[:, :, None]

    def packed(self) -> tuple[Any, ...]:
        """All that the constructor needs."""
        return self.places_m, self.velocity_m_s
