"""Finds the people in each frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from calibration.camera import Matrix, Point
from calibration.standing import CELL_M
from pipeline.messages import Boxes, DepthMap, Detections, FloorPoints, Frame, Metres, Scores, decoded
from pipeline.stage import InputError, Stage

Standing = tuple[Metres, Point, float]  # a map of heights, its lower corner and its cell, in metres
Found = tuple[Boxes, Scores, FloorPoints, Metres]


@dataclass
class Detect(Stage[Frame, Detections]):
    """Runs the detector on each frame's depth. A frame whose floor has not been found shows nobody."""

    detector: Callable[[DepthMap, float, Matrix, Point, Standing | None], Found]

    def process(self, frame: Frame) -> Iterator[Detections]:
        if frame.depth is None:
            raise InputError(
                f"{frame.camera_id}: frame {frame.index} has no depth; give this camera a depth stream"
            )
        view = frame.view
        if view.world_from_camera is None:
            yield Detections(frame, *_nobody())
            return
        depth = decoded(frame.depth)
        stands = view.standing
        standing = None if stands is None else (stands.known_m, stands.corner_m, CELL_M)
        geometry = (frame.depth_scale_m, view.world_from_pixel, view.pose.translation_m)
        yield Detections(replace(frame, depth=depth), *self.detector(depth, *geometry, standing))


def _nobody() -> Found:
    none = np.empty(0, np.float32)
    return np.empty((0, 4), np.float32), none, np.empty((0, 2), np.float32), none
