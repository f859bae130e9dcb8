"""Finds the people in each frame, in whichever of its pictures the detector reads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from calibration.standing import CELL_M
from pipeline.messages import Boxes, Detections, FloorPoints, Frame, Metres, Scores
from pipeline.stage import Stage
from stages._feet import feet_of
from stages._shown import require, shown

Found = tuple[Boxes, Scores, FloorPoints, Metres]


@dataclass
class Detect(Stage[Frame, Detections]):
    """Runs the detector. One that reads depth takes a frame's geometry too, and shows nobody until the floor has been
    found; one that reads `color` or `infrared` takes the pictures of up to `max_batch` frames of one time at once, and
    whom it finds stands where the lower edge of their box is, if the camera is calibrated.
    """

    detector: Callable[..., Any]
    max_batch: int = 1

    def __post_init__(self) -> None:
        if self.max_batch < 1:
            raise ValueError(f"max_batch must be at least 1, got {self.max_batch}")

    def process(self, frame: Frame) -> Iterator[Detections]:
        yield from self.process_many([frame])[0]

    def process_many(self, frames: Sequence[Frame]) -> Sequence[Iterable[Detections]]:
        reads = getattr(self.detector, "reads", "depth")
        if reads == "depth":
            return [self._by_depth(frame) for frame in frames]
        seen = [shown(frame, reads) for frame in frames]
        found = self.detector([getattr(frame, reads) for frame in seen])
        return [[_standing(frame, *one)] for frame, one in zip(seen, found, strict=True)]

    def _by_depth(self, frame: Frame) -> Iterator[Detections]:
        require(frame, "depth")
        view = frame.view
        if view.world_from_camera is None:
            yield Detections(frame, *_nobody())
            return
        seen = shown(frame, "depth")
        stands = view.standing
        standing = None if stands is None else (stands.known_m, stands.corner_m, CELL_M)
        geometry = (frame.depth_scale_m, view.world_from_pixel, view.pose.translation_m)
        yield Detections(seen, *self.detector(seen.depth, *geometry, standing))


def _standing(frame: Frame, boxes: Boxes, scores: Scores) -> Detections:
    """People of whom only boxes are known: how tall they are is not."""
    heights_m = np.full(len(boxes), np.nan, np.float32)
    return Detections(frame, boxes, scores, feet_of(frame, boxes), heights_m)


def _nobody() -> Found:
    none = np.empty(0, np.float32)
    return np.empty((0, 4), np.float32), none, np.empty((0, 2), np.float32), none
