"""Whose each place is that several cameras measured at one moment: nobody is in one camera's picture twice. Knows
places and how sure they are, and no messages.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

Array = NDArray[np.float64]
Rows = NDArray[np.intp]

GATE = 13.8  # of chi squared with 2 degrees of freedom, 0.999
NEW_M2 = 0.02  # somebody new, or nobody at all, is measured so often on a square metre
NEVER = 0.0  # as bad as somebody new
MARGINS = (6.0, 3.0, 0.0, 0.0, 0.0)  # over the next best, each time that all cameras are gone over
NOBODY = -1
NOTHING = 1e-9  # of information: of somebody of whom nothing is known


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """Places that cameras measured, as parallel arrays."""

    cameras: Rows  # (m,), numbers
    places_m: Array  # (m, 2)
    covariance_m2: Array  # (m, 2, 2)

    def __len__(self) -> int:
        return len(self.cameras)

    def __getitem__(self, rows: NDArray[Any]) -> Measured:
        return Measured(self.cameras[rows], self.places_m[rows], self.covariance_m2[rows])

    @property
    def in_order(self) -> list[int]:
        """Its cameras, the one that is surest on the whole first."""
        spread = np.trace(self.covariance_m2, axis1=1, axis2=2)
        return sorted(
            set(self.cameras.tolist()), key=lambda one: (float(np.median(spread[self.cameras == one])), one)
        )


class Sum:
    """What is known of n people: information, and information times place, which add up over measurements."""

    def __init__(self, places_m: Array, covariance_m2: Array) -> None:
        self.information = np.linalg.inv(covariance_m2)
        self.weighted = (self.information @ places_m[:, :, None])[..., 0]

    @classmethod
    def of_nothing(cls, people: int) -> Sum:
        """Of people of whom nothing is known."""
        return cls(np.zeros((people, 2)), np.tile(np.eye(2) / NOTHING, (people, 1, 1)))

    def with_measured(self, measured: Measured, whose: Rows) -> Sum:
        """After adding each measurement to the person whose it is."""
        rows = np.flatnonzero(whose != NOBODY)
        made, more = Sum.__new__(Sum), Sum(measured.places_m[rows], measured.covariance_m2[rows])
        made.information, made.weighted = self.information.copy(), self.weighted.copy()
        np.add.at(made.information, whose[rows], more.information)
        np.add.at(made.weighted, whose[rows], more.weighted)
        return made

    @property
    def covariance_m2(self) -> Array:
        return np.linalg.inv(self.information)

    @property
    def places_m(self) -> Array:
        return np.asarray((self.covariance_m2 @ self.weighted[:, :, None])[..., 0])


def unlikeness(places_m: Array, covariance_m2: Array, measured: Measured) -> Array:
    """How badly each measurement fits each person (n, m): minus twice the log likelihood of it over that of somebody
    new, `NEVER` where that cannot be. Of whom little is known expects everything, and so nothing much.
    """
    off_m = places_m[:, None] - measured.places_m[None]
    total = covariance_m2[:, None] + measured.covariance_m2[None]
    a, b, c = total[..., 0, 0], total[..., 0, 1], total[..., 1, 1]
    x, y = off_m[..., 0], off_m[..., 1]
    area = a * c - b * b
    distance2 = (c * x * x - 2 * b * x * y + a * y * y) / area
    fit = distance2 + np.log(area) + 2 * np.log(2 * np.pi * NEW_M2)
    return np.where(distance2 > GATE, NEVER, np.minimum(fit, NEVER))


def assigned(cost: Array) -> tuple[Rows, Rows]:
    """Rows and columns that go together, at most one to one, so that cost is least."""
    rows, columns = linear_sum_assignment(cost)
    good = cost[rows, columns] < NEVER
    return rows[good], columns[good]


def joined(known: Sum, measured: Measured, allowed: NDArray[np.bool_]) -> Rows:
    """Whose each measurement is (m,), of people of whom something is known; `allowed` (n, m) says who may be whose.
    Camera after camera is given to people by where the other cameras and the past have them, some times over: first
    what can hardly be anybody else's, since what one camera has wrong takes the others with it.
    """
    whose = np.full(len(measured), NOBODY, np.intp)
    cameras = measured.in_order
    for margin in MARGINS:
        before = whose.copy()
        for camera in cameras:
            here = np.flatnonzero(measured.cameras == camera)
            others = np.where(measured.cameras == camera, NOBODY, whose)
            by_others = known.with_measured(measured, others)
            cost = unlikeness(by_others.places_m, by_others.covariance_m2, measured[here])
            cost[~allowed[:, here]] = NEVER
            rows, columns = _clear(cost, *assigned(cost), margin)
            whose[here] = NOBODY
            whose[here[columns]] = rows
        if margin == 0 and (whose == before).all():
            break
    return whose


def _clear(cost: Array, rows: Rows, columns: Rows, margin: float) -> tuple[Rows, Rows]:
    """Those that go together whose measurement fits nobody else nearly as well."""
    if not margin or not len(rows):
        return rows, columns
    others = cost[:, columns].copy()
    others[rows, np.arange(len(rows))] = np.inf
    clear = others.min(axis=0) - cost[rows, columns] > margin
    return rows[clear], columns[clear]


def clustered(measured: Measured, most_m: float) -> Rows:
    """The cluster of each measurement of people of whom nothing was known (m,): who is near each other, and not in one
    camera. Begins with the surest camera; each one then goes to the clusters that are there, or makes new ones.
    """
    whose = np.full(len(measured), NOBODY, np.intp)
    count = 0
    for camera in measured.in_order:
        here = np.flatnonzero(measured.cameras == camera)
        if count:
            known = Sum.of_nothing(count).with_measured(measured, whose)
            cost = unlikeness(known.places_m, known.covariance_m2, measured[here])
            far = np.linalg.norm(known.places_m[:, None] - measured.places_m[here][None], axis=2) > most_m
            cost[far] = NEVER
            rows, columns = assigned(cost)
            whose[here[columns]] = rows
        new = here[whose[here] == NOBODY]
        whose[new] = count + np.arange(len(new))
        count += len(new)
    return whose
