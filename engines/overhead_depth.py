"""Finds people from above by depth alone: heads that stand out above shoulders. Needs no network and no colour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from engines._overhead_heads import at_the_edge, boxes_of, heads_of, kept_of, on_furniture
from engines._overhead_holes import points_in_holes
from engines._overhead_ledges import with_ledges
from engines._overhead_plan import (
    Labels,
    edges_of,
    peaks_of,
    plan_of,
    points_above_floor,
    smoothed,
    without_spikes,
)

Array = NDArray[np.float32]
HEAD_SIDE_M = 0.02  # of a head seen under 45 degrees, the middle of what is seen is this far from its own


@dataclass
class OverheadDepth:
    """Heights above the floor seen from straight above (after the water filling of Zhang et al. 2012): a peak is
    a person if what stands out is the size of a head, has nothing as high around it, and shoulders below it.
    """

    reads: ClassVar[str] = "depth"
    min_height_m: float = 0.70
    max_height_m: float = 2.40
    cell_m: float = 0.04
    min_drop_m: float = 0.08  # between two heads, or a head and a hand
    min_apart_m: float = 0.22  # between the middles of two heads
    min_score: float = 0.3
    max_range_m: float = 10.0
    step_px: int = 2  # every second pixel, and every second row

    def __post_init__(self) -> None:
        for name in ("min_height_m", "cell_m", "min_drop_m", "min_apart_m", "max_range_m", "step_px"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")
        if self.max_height_m <= self.min_height_m:
            raise ValueError(f"max_height_m must be above min_height_m, got {self.max_height_m}")

    def __call__(
        self,
        depth: NDArray[np.uint16],
        depth_scale_m: float,
        world_from_pixel: NDArray[np.float64],
        origin_m: NDArray[np.float64],
        standing: tuple[Array, NDArray[np.float64], float] | None = None,
    ) -> tuple[Array, Array, Array, Array]:
        """Boxes (n, 4) in pixels, scores (n,) 0 to 1, floor points (n, 2) and heights (n,) in metres, in depth (h, w);
        heights are NaN of those who are cut by the edge of the picture.

        A pixel (u, v) of depth d is at `origin_m + d * world_from_pixel @ (u, v, 1)`, z up from the floor.
        `standing` is what always stands there: heights (rows, columns), their lower corner (x, y), their cell in m.
        """
        low_m = 0.25 * self.min_height_m
        points = points_above_floor(
            depth, depth_scale_m, world_from_pixel, origin_m, self.step_px, low_m, self.max_range_m
        )
        if not len(points):
            return _nobody()
        points = np.concatenate([points, points_in_holes(depth, depth_scale_m, world_from_pixel, origin_m)])
        x_min, y_min, plan, cells = plan_of(points, self.cell_m, self.max_height_m)
        plan = without_spikes(smoothed(plan))
        row, column = (origin_m[1] - y_min) / self.cell_m, (origin_m[0] - x_min) / self.cell_m
        eye = np.array([row, column, origin_m[2]], np.float32)
        heads, slopes = self._heads(plan, eye)
        if not len(heads):
            return _nobody()
        heads = at_the_edge(heads, points, cells, slopes, edges_of(depth), self.cell_m)
        if standing is not None:
            heights_m, corner_m, wide_m = standing
            first = ((corner_m[1] - y_min) / self.cell_m, (corner_m[0] - x_min) / self.cell_m)
            heads = on_furniture(heads, heights_m, *first, self.cell_m / wide_m)
        kept = kept_of(heads, self.min_score, self.min_apart_m, self.cell_m)
        boxes = boxes_of(points, cells, slopes, heads, kept, self.cell_m, self.step_px)
        found = heads[kept]
        places_m = np.array([x_min, y_min]) + (found[:, 1::-1] + 0.5) * self.cell_m
        heights_m = np.where(found[:, 5] > 0, np.float32(np.nan), found[:, 2])
        return boxes, found[:, 3].copy(), _middles(places_m, found[:, 2], origin_m), heights_m

    def _heads(self, plan: Array, eye: Array) -> tuple[Array, Labels]:
        """What stands out of a plan or lies beside it on a ledge, and whose slope each cell is."""
        water = (0.5 * self.min_height_m, self.min_drop_m, self.min_apart_m / self.cell_m)
        peaks, slopes, sloping = peaks_of(plan, *water, np.inf)
        if not len(peaks):
            return np.empty((0, 6), np.float32), slopes
        heads = heads_of(plan, peaks, slopes, sloping, eye, self.cell_m)
        return with_ledges(plan, heads, slopes, water, eye, self.cell_m)


def _middles(places_m: Array, heights_m: Array, origin_m: NDArray[np.float64]) -> Array:
    """Of heads of which the camera sees the side that is towards it: the further from straight below, the more."""
    way_m = places_m - origin_m[:2]
    steepness = 1.0 / np.maximum(origin_m[2] - heights_m, 0.3)
    off = np.linalg.norm(way_m, axis=1) * steepness  # the tangent of the angle from straight below
    unseen = HEAD_SIDE_M * np.minimum(off, 2.5) / np.maximum(np.linalg.norm(way_m, axis=1), 1e-6)
    return np.asarray(places_m + unseen[:, None] * way_m, np.float32)


def _nobody() -> tuple[Array, Array, Array, Array]:
    empty = np.empty(0, np.float32)
    return np.empty((0, 4), np.float32), empty, np.empty((0, 2), np.float32), empty
