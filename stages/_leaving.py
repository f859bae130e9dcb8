"""Tells whether a track goes on as somebody else, who comes in where the one that it followed went out of the picture.
People who go out do not come back at once, and while only a part of somebody is seen nothing else tells the two apart.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.messages import Tracks

OUT_M, EDGE_M, BACK_M = 0.3, 0.1, 0.3  # so far towards the edge of the picture, to it, and back from there


class Way(NamedTuple):
    """Of a head: how far inside the picture it was at most, and at least since; and how high it was then."""

    most_m: float
    least_m: float
    height_m: float

    def on(self, inside_m: float, height_m: float) -> Way:
        """As it is now."""
        if inside_m >= self.most_m:
            return Way(inside_m, inside_m, height_m)
        return Way(self.most_m, inside_m, height_m) if inside_m < self.least_m else self

    def leads_back(self, inside_m: float) -> bool:
        """Whether it had gone out, and comes in again."""
        went_out = self.most_m - self.least_m > OUT_M and self.least_m < EDGE_M
        return went_out and inside_m - self.least_m > BACK_M


def inside_m(tracks: Tracks) -> NDArray[np.float64]:
    """How far heads are inside the picture, in metres across, less than 0 outside; NaN where no height is known: (n,).
    Cameras that follow people together go on with who has left one of them, so that nobody has left.
    """
    known = ~np.isnan(tracks.heights_m)
    inside = np.full(len(tracks), np.nan)
    if known.any() and not tracks.frame.zone and tracks.frame.view.world_from_camera is not None:
        lens = tracks.frame.view.intrinsics
        heads_m = np.column_stack([tracks.floor_m, tracks.heights_m])[known].astype(float)
        u, v, ahead_m = tracks.frame.view.project(heads_m).T
        nearest_px = np.min([u, lens.width_px - u, v, lens.height_px - v], axis=0)
        inside[known] = np.where(ahead_m > 0, nearest_px * ahead_m / lens.fx_px, np.nan)
    return inside
