"""A point of a picture is put on the floor where it is seen, through any lens; where no floor is, nowhere."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from calibration.camera import Intrinsics, Mount, View, pose_of
from calibration.floor_points import metres_per_pixel, on_floor

LENS = Intrinsics(1280, 720, 900.0, 910.0, 630.0, 350.0)
MOUNT = Mount(2.0, 3.0, 25.0, 4.0, 60.0, 3.0, is_placed=True)
YARD = View(LENS, MOUNT, pose_of(MOUNT))
BENT = (-0.23, 0.28, -0.0018, 0.0037, -0.21)
PLACES = np.array([[2.0, 9.0], [0.5, 12.0], [-3.0, 7.0]])


def seen(view, places):
    """Where a camera whose lens bends as OpenCV's model says sees places on the floor."""
    back = view.pose.inverse()
    points = np.column_stack([places, np.zeros(len(places))])
    turn, _ = cv2.Rodrigues(back.rotation)
    bends = np.array(view.intrinsics.distortion or (0.0,) * 5)
    return cv2.projectPoints(points, turn, back.translation_m, view.intrinsics.matrix, bends)[0].reshape(
        -1, 2
    )


@pytest.mark.parametrize("lens", [LENS, replace(LENS, distortion=BENT, distortion_model="brown_conrady")])
def test_a_place_on_the_floor_is_found_again_where_it_is_seen(lens):
    view = replace(YARD, intrinsics=lens)
    assert on_floor(view, seen(view, PLACES)) == pytest.approx(PLACES, abs=0.003)


def test_a_lens_that_bends_shows_places_elsewhere():
    bent = replace(YARD, intrinsics=replace(LENS, distortion=BENT, distortion_model="brown_conrady"))
    assert np.linalg.norm(on_floor(YARD, seen(bent, PLACES)) - PLACES, axis=1).min() > 0.03


def test_the_inverse_model_bends_what_was_seen():
    lens = replace(LENS, distortion=BENT, distortion_model="inverse_brown_conrady")
    x, y = (np.array([400.0, 600.0]) - [LENS.cx_px, LENS.cy_px]) / [LENS.fx_px, LENS.fy_px]
    k1, k2, p1, p2, k3 = BENT
    r2 = x * x + y * y
    radial = 1 + k1 * r2 + k2 * r2**2 + k3 * r2**3
    straight = (
        x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x),
        y * radial + 2 * p2 * x * y + p1 * (r2 + 2 * y * y),
    )
    as_if = straight * np.array([LENS.fx_px, LENS.fy_px]) + [LENS.cx_px, LENS.cy_px]
    found = on_floor(replace(YARD, intrinsics=lens), np.array([[400.0, 600.0]]))
    assert found == pytest.approx(on_floor(YARD, as_if[None]), abs=1e-9)


def test_above_the_horizon_there_is_no_floor():
    horizon = LENS.cy_px - LENS.fy_px * np.tan(np.radians(30))
    places = on_floor(YARD, np.array([[630.0, horizon - 40], [630.0, horizon + 1], [630.0, 600.0]]))
    assert np.isnan(places).any(axis=1).tolist() == [True, True, False]


def test_a_camera_that_is_not_calibrated_shows_no_floor():
    assert np.isnan(on_floor(View(LENS), np.array([[600.0, 700.0]]))).all()


def test_a_pixel_is_more_metres_further_off():
    pixels = seen(YARD, np.array([[2.0, 8.0], [2.0, 16.0]]))
    near, far = metres_per_pixel(YARD, pixels)
    step = np.array([0.3, -0.4])
    assert on_floor(YARD, pixels[:1] + step) - on_floor(YARD, pixels[:1]) == pytest.approx(
        (near @ step)[None], rel=0.05
    )
    assert np.linalg.norm(far[:, 1]) > 3 * np.linalg.norm(near[:, 1])
