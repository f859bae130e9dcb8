"""Puts the feet of people, of whom only boxes are known, on the floor of a calibrated camera."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from calibration.floor_points import metres_per_pixel, on_floor
from pipeline.messages import Boxes, FloorPoints, Frame
from stages._crops import EDGE_PX

Array = NDArray[np.float64]

FOOT = 0.03  # box heights from where a box ends to where somebody stands
CUT_FOOT = 0.15  # and to the side, of a box that the side of the picture cuts


@dataclass(frozen=True, slots=True, eq=False)
class Feet:
    """Where n people stand. NaN where the camera is not calibrated, or a box is cut off below: nobody knows then."""

    floor_m: FloorPoints
    velocity_m_s: FloorPoints
    covariance_m2: NDArray[np.float32]  # (n, 2, 2)

    @classmethod
    def unknown(cls, n: int) -> Self:
        """Of n people, nowhere."""
        places, covariance = np.full((2, n, 2), np.nan, np.float32), np.full((n, 2, 2), np.nan, np.float32)
        return cls(places[0], places[1], covariance)


def feet_of(frame: Frame, boxes: Boxes) -> FloorPoints:
    """The middle of the lower edge of each box, on the floor (n, 2)."""
    places = on_floor(frame.view, _middles(boxes))
    places[_has_no_feet(frame, boxes)] = np.nan
    return places.astype(np.float32)


def moving_feet(frame: Frame, boxes: Array, found: Boxes, variance_px2: Array, speed_px_s: Array) -> Feet:
    """The same of filtered `boxes`. Of the middle of their lower edge the variance of both coordinates (n, 2) is known,
    and the speed (n, 2). Whether they are cut is seen by the boxes that were `found`.
    """
    if frame.view.world_from_camera is None:
        return Feet.unknown(len(boxes))
    feet = _middles(boxes)
    places, slopes = on_floor(frame.view, feet), metres_per_pixel(frame.view, feet)
    heights = boxes[:, 3] - boxes[:, 1]
    beside = np.where(_is_cut_beside(frame, found), CUT_FOOT, FOOT)
    variance = variance_px2 + (np.column_stack([beside, np.full(len(boxes), FOOT)]) * heights[:, None]) ** 2
    covariance = slopes @ (variance[:, :, None] * slopes.transpose(0, 2, 1))
    velocity = (slopes @ speed_px_s[:, :, None])[..., 0]
    unknown = _has_no_feet(frame, found) | np.isnan(slopes).any(axis=(1, 2))
    for column in (places, velocity, covariance):
        column[unknown] = np.nan
    return Feet(places.astype(np.float32), velocity.astype(np.float32), covariance.astype(np.float32))


def _middles(boxes: NDArray[Any]) -> Array:
    return np.column_stack([(boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 3]]).astype(np.float64)


def _has_no_feet(frame: Frame, boxes: Boxes) -> NDArray[np.bool_]:
    return np.asarray(boxes[:, 3] > frame.view.intrinsics.height_px - EDGE_PX)


def _is_cut_beside(frame: Frame, boxes: Boxes) -> NDArray[np.bool_]:
    width_px = frame.view.intrinsics.width_px
    return np.asarray((boxes[:, 0] < EDGE_PX) | (boxes[:, 2] > width_px - EDGE_PX))
