"""SORT as its authors published it (Bewley et al. 2016), whose figures on MOT17 are known; it is in no package."""

from __future__ import annotations

from typing import Any

import numpy as np
from filterpy.kalman import KalmanFilter
from scipy.optimize import linear_sum_assignment

MAX_AGE, MIN_HITS, MIN_IOU = 1, 3, 0.3  # frames, frames, overlap: the authors' defaults


class Sort:
    """Middle, area, aspect, and the speeds of the first three."""

    def __init__(self) -> None:
        self._tracks: list[_Track] = []
        self._frames = self._next = 0

    def update(self, boxes: Any) -> tuple[Any, Any]:
        """Ids and filtered boxes of those who are seen."""
        self._frames += 1
        expected = [track.expected() for track in self._tracks]
        alive = [not np.isnan(box).any() for box in expected]
        self._tracks = [track for track, there in zip(self._tracks, alive, strict=True) if there]
        places = np.array([box for box, there in zip(expected, alive, strict=True) if there]).reshape(-1, 4)
        overlap = _overlaps(boxes, places)
        pairs = [
            (i, j) for i, j in zip(*linear_sum_assignment(-overlap), strict=True) if overlap[i, j] >= MIN_IOU
        ]
        for i, j in pairs:
            self._tracks[j].see(boxes[i])
        for i in sorted(set(range(len(boxes))) - {i for i, _ in pairs}):
            self._tracks.append(_Track(boxes[i], self._next))
            self._next += 1
        early = self._frames <= MIN_HITS
        told = [t for t in self._tracks if t.missed < 1 and (t.streak >= MIN_HITS or early)]
        self._tracks = [track for track in self._tracks if track.missed <= MAX_AGE]
        return np.array([t.id for t in told], int), np.array([t.box for t in told]).reshape(-1, 4)


class _Track:
    def __init__(self, box: Any, id: int) -> None:
        self.id, self.missed, self.streak = id, 0, 0
        self._filter = KalmanFilter(7, 4)
        self._filter.F += np.eye(7, k=4)
        self._filter.H = np.eye(4, 7)
        self._filter.R[2:, 2:] *= 10
        self._filter.P[4:, 4:] *= 1000  # nothing is known of a speed at first
        self._filter.P *= 10
        self._filter.Q[-1, -1] *= 0.01
        self._filter.Q[4:, 4:] *= 0.01
        self._filter.x[:4] = _measured(box)

    def expected(self) -> Any:
        x = self._filter.x
        if x[6] + x[2] <= 0:
            x[6] = 0
        self._filter.predict()
        if self.missed:
            self.streak = 0
        self.missed += 1
        return self.box

    def see(self, box: Any) -> None:
        self.missed, self.streak = 0, self.streak + 1
        self._filter.update(_measured(box))

    @property
    def box(self) -> Any:
        x, y, area, aspect = self._filter.x[:4, 0]
        with np.errstate(invalid="ignore"):
            wide = np.sqrt(area * aspect)
            high = area / wide
        return np.array([x - wide / 2, y - high / 2, x + wide / 2, y + high / 2])


def _measured(box: Any) -> Any:
    left, top, right, bottom = np.asarray(box, float)
    wide, high = right - left, bottom - top
    return np.array([[left + wide / 2], [top + high / 2], [wide * high], [wide / high]])


def _overlaps(found: Any, expected: Any) -> Any:
    a, b = found[:, None], expected[None]
    shared = (np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])).clip(0).prod(-1)
    areas = [(c[..., 2:] - c[..., :2]).prod(-1) for c in (a, b)]
    return shared / np.maximum(areas[0] + areas[1] - shared, 1e-9)
