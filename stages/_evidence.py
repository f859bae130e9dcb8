"""How likely a tracklet is to be somebody: log likelihood ratios of what they look like, how tall they are, and
whether they could have walked there. Positive speaks for the same person. Knows no identities and no events.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.messages import Sighting

NEVER = -50.0
HEIGHT_SPREAD_M = 0.13  # among people
SAME_PLACE_M = 0.8  # two cameras that see someone this near each other see one person
AGAIN_S, AGAIN_M = 2.0, 0.8  # a track that breaks off goes on here


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is taken for how likely. `midpoint` is the similarity at which appearance says nothing, `slope` how
    much it says per unit beyond.
    """

    midpoint: float
    slope: float
    height_m: float  # standard deviation between two measurements of one person
    max_speed_m_s: float

    def between(self, new: Sighting, known: Sequence[Sighting]) -> float:
        """For the tracklet of `new` being of the person of `known`, their sightings in the order of time."""
        moved = min((self._walk(new, one) for one in known), default=0.0)
        if moved <= NEVER:
            return NEVER
        return self._looks(new, known) + self._height(new, known) + moved

    def _looks(self, new: Sighting, known: Sequence[Sighting]) -> float:
        scores = similarities(new, known)
        if not len(scores):
            return 0.0
        best = np.sort(scores)[-3:]
        return float(np.clip(self.slope * (best.mean() - self.midpoint), -8.0, 8.0))

    def _height(self, new: Sighting, known: Sequence[Sighting]) -> float:
        heights = np.array([one.tracklet.height_m for one in known])
        off_m = new.tracklet.height_m - (np.median(heights) if len(heights) else np.nan)
        if np.isnan(off_m):
            return 0.0
        gain = np.log(HEIGHT_SPREAD_M * np.sqrt(2) / self.height_m)
        return float(max(gain - 0.5 * (off_m / self.height_m) ** 2, -6.0))

    def _walk(self, new: Sighting, old: Sighting) -> float:
        """Whether someone can have been both, and whether the one goes on where the other broke off."""
        a, b = (
            (old.tracklet, new.tracklet)
            if old.tracklet.opened_ns <= new.tracklet.opened_ns
            else (new.tracklet, old.tracklet)
        )
        placed = a.floor_frame == b.floor_frame
        passed_s = (b.opened_ns - a.seen_ns) / 1e9
        if passed_s < 0:  # at the same time
            if a.camera_id == b.camera_id or not placed:
                return NEVER if a.camera_id == b.camera_id else -2.0
            return 4.0 if np.linalg.norm(a.floor_m - b.floor_m) < SAME_PLACE_M else NEVER
        if not placed:
            return 0.0
        way_m = float(np.linalg.norm(b.entered_floor_m - a.floor_m))
        if way_m > 0.5 + self.max_speed_m_s * passed_s:
            return NEVER
        goes_on = a.camera_id == b.camera_id and passed_s < AGAIN_S and way_m < AGAIN_M
        return 4.0 if goes_on else 0.0


def similarities(new: Sighting, known: Sequence[Sighting]) -> NDArray[np.float64]:
    """Cosines of the mean vector of `new` with those of the comparable sightings."""
    vectors = [mean_vector(one) for one in known if one.kind == new.kind and len(one.vectors)]
    if not vectors or not len(new.vectors):
        return np.empty(0)
    return np.array([float(vector @ mean_vector(new)) for vector in vectors])


def mean_vector(sighting: Sighting) -> NDArray[np.float32]:
    """What a tracklet looks like: its crops together."""
    total = sighting.vectors.sum(axis=0)
    unit: NDArray[np.float32] = total / max(float(np.linalg.norm(total)), 1e-9)
    return unit
