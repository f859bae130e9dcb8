"""Where on the floor the points of a picture lie, and how far that is moved by a pixel. Knows no people."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.camera import Intrinsics, View

Array = NDArray[np.float64]

FARTHEST_M = (
    200.0  # from the camera: beyond, and above the horizon, a picture shows no floor that means anything
)
STEP_PX = 0.5


def on_floor(view: View, pixels: Array) -> Array:
    """The places (n, 2) on the floor, in metres, that are seen at `pixels` (n, 2); NaN where no floor is, and for a
    camera whose lens or pose is not known.
    """
    places = np.full((len(pixels), 2), np.nan)
    if view.world_from_camera is None or not len(pixels):
        return places
    pose = view.world_from_camera
    rays = np.column_stack([undistorted(view.intrinsics, pixels), np.ones(len(pixels))]) @ pose.rotation.T
    down = np.flatnonzero(rays[:, 2] < 0)
    reach = -pose.translation_m[2] / rays[down, 2]
    met = rays[down, :2] * reach[:, None]
    near = np.linalg.norm(met, axis=1) <= FARTHEST_M
    places[down[near]] = pose.translation_m[:2] + met[near]
    return places


def metres_per_pixel(view: View, pixels: Array) -> Array:
    """How a place on the floor moves with its pixel, (n, 2, 2): a column for each axis of the picture."""
    steps = np.eye(2) * STEP_PX
    apart = [on_floor(view, pixels + step) - on_floor(view, pixels - step) for step in steps]
    return np.stack(apart, axis=2) / (2 * STEP_PX)


def undistorted(lens: Intrinsics, pixels: Array) -> Array:
    """What a lens without distortion would show: x and y of camera rays of depth 1 (n, 2)."""
    plain = (pixels - [lens.cx_px, lens.cy_px]) / [lens.fx_px, lens.fy_px]
    if not any(lens.distortion):
        return np.asarray(plain, np.float64)
    coefficients = np.array([*lens.distortion, 0.0, 0.0, 0.0, 0.0, 0.0][:5])
    if lens.distortion_model == "inverse_brown_conrady":
        return _bent(plain, coefficients)
    points = np.ascontiguousarray(pixels, np.float64).reshape(-1, 1, 2)
    if lens.distortion_model == "kannala_brandt4":
        straight = cv2.fisheye.undistortPoints(points, lens.matrix, coefficients[:4])
    else:
        straight = cv2.undistortPoints(points, lens.matrix, coefficients)
    return np.asarray(straight, np.float64).reshape(-1, 2)


def _bent(plain: Array, coefficients: Array) -> Array:
    """Brown's polynomial, which the inverse model applies to what was seen."""
    k1, k2, p1, p2, k3 = coefficients
    x, y = plain.T
    r2 = x * x + y * y
    radial = 1 + k1 * r2 + k2 * r2**2 + k3 * r2**3
    bent_x = x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x)
    bent_y = y * radial + 2 * p2 * x * y + p1 * (r2 + 2 * y * y)
    return np.column_stack([bent_x, bent_y])
