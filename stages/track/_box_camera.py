"""How a camera turns, by the boxes alone: what all of them are off by the same is not theirs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import numpy as np

from stages.track._box_kernels import Array, median_and_deviation

MEMORY_S = (
    1.0  # for so long it is remembered how far it turned of late, and how far that may have been chance
)
PACE_S = 0.15  # how soon it is believed to go on turning
CHANCE = 2.0  # times what chance would do: a camera that stands still shall stand still
PRIOR = 1.0  # so many boxes' worth, the deviation that is expected counts against the one that is found
LEAST = 3  # boxes
MEDIAN, DEVIATION = (
    1.57,
    1.4826,
)  # variance of a median against that of a mean; of a median deviation to the standard one


@dataclass(frozen=True, slots=True, eq=False)
class BoxCamera:
    """A camera that turns as fast as it did of late."""

    speed_px_s: Array  # (2,)
    turned2: float  # squared pixels a squared second, of late
    chance2: float  # of what may have been chance

    @classmethod
    def still(cls) -> Self:
        """One that has never turned."""
        return cls(np.zeros(2), 0.0, 0.0)

    def after(self, seconds: float) -> Array:
        """Pixels by which everything is expected to move then (2,)."""
        return self.speed_px_s * seconds

    def given(self, off_px: Array, variance_px2: Array, seconds: float) -> tuple[Array, BoxCamera]:
        """Pixels by which everything has moved besides (2,), and the camera that is known now, from those by which
        boxes (n, 2) are off where they are expected, with the variance (n,) that these would have by themselves.
        """
        n = len(off_px)
        if n < LEAST or seconds <= 0:
            return np.zeros(2), self
        shift, deviation = median_and_deviation(off_px)
        found2 = (DEVIATION * deviation) ** 2
        expected2 = n / (1 / variance_px2).sum()
        error2 = MEDIAN * (n * found2 + PRIOR * expected2) / (n + PRIOR) / n
        kept = math.exp(-seconds / MEMORY_S)
        turned2 = kept * self.turned2 + (1 - kept) * float((shift**2).sum()) / seconds**2
        chance2 = kept * self.chance2 + (1 - kept) * float(error2.sum()) / seconds**2
        believed = max(0.0, 1 - CHANCE * chance2 / max(turned2, 1e-9))
        moved = believed * shift
        faster = moved / seconds * (1 - math.exp(-seconds / PACE_S))
        slower = 1.0 if believed else math.exp(-seconds / PACE_S)
        return moved, BoxCamera((self.speed_px_s + faster) * slower, turned2, chance2)
