"""Pictures turned upright: by the camera alone, so that however it hangs a person looks much the same."""

from dataclasses import replace

import numpy as np
import pytest

from engines.people.anybody import any_light
from engines.people.passages import Hung, Place, Way, points_of
from engines.reid.overhead_people import crowd
from engines.reid.upright import (
    CELL_PX,
    CELLS,
    HEAD_PX,
    HIGH_PX,
    NUMBERS,
    PX_PER_M,
    TALLEST_M,
    USUAL_M,
    WIDE_PX,
    Upright,
    crop_from_upright,
    depth_shown,
    head_px,
    mirrored,
    numbers_of,
)

HUNG = [Hung(3.6), Hung(3.2, 28.0), Hung(3.0, -26.0), Hung(2.8, 0.0, 34.0), Hung(3.3, 20.0, -20.0)]


def pixel(eye, place):
    x, y, z = eye.camera_from_world @ np.asarray(place, float) + eye.shift_m
    return np.array([eye.fx * x / z + eye.cx, eye.fy * y / z + eye.cy])


def in_upright(eye, place, head, corner_px=(0, 0)):
    """Where a place in the world is seen in the upright picture."""
    u, v = pixel(eye, place) - corner_px
    x, y, w = np.linalg.inv(crop_from_upright(eye, head, corner_px)) @ np.array([u, v, 1.0])
    return np.array([x / w, y / w])


@pytest.mark.parametrize("hung", HUNG)
def test_the_head_stands_in_its_place_and_the_feet_below_it(hung):
    eye, floor_m = hung.camera().eye, np.array([0.5, 0.9])
    head = head_px(eye, floor_m, 1.7)
    assert in_upright(eye, (*floor_m, 1.6), head, (31, 17)) == pytest.approx(HEAD_PX, abs=1e-6)
    feet = in_upright(eye, (*floor_m, 0.0), head)
    assert feet[0] == pytest.approx(HEAD_PX[0], abs=1e-6)
    assert feet[1] > HEAD_PX[1] + 5


@pytest.mark.parametrize("hung", HUNG)
def test_a_metre_beside_a_head_at_the_usual_height_is_always_as_long(hung):
    eye, floor_m = hung.camera().eye, np.array([0.4, -0.6])
    head = head_px(eye, floor_m, USUAL_M + 0.1)
    away = np.array([*floor_m, USUAL_M]) + eye.camera_from_world.T @ eye.shift_m
    aside = np.cross(away, [0, 0, 1.0])
    beside = np.array([*floor_m, USUAL_M]) + 0.1 * aside / np.linalg.norm(aside)
    assert abs(in_upright(eye, beside, head)[0] - HEAD_PX[0]) == pytest.approx(0.1 * PX_PER_M, rel=1e-6)


def test_how_tall_somebody_is_still_shows():
    eye = HUNG[1].camera().eye
    lengths = []
    for height_m in (1.5, 1.7, 1.9):
        head = head_px(eye, (0.0, 1.2), height_m)
        lengths.append(in_upright(eye, (0.0, 1.2, 0.0), head)[1] - HEAD_PX[1])
    assert lengths[0] + 3 < lengths[1] < lengths[2] - 3


def test_a_camera_that_hangs_turned_about_its_own_axis_gives_the_same_picture():
    camera, quarter = HUNG[1].camera(), np.array([[0, 1, 0], [-1, 0, 0], [0, 0, 1.0]])
    eye = camera.eye
    turned = eye._replace(camera_from_world=quarter @ eye.camera_from_world, shift_m=quarter @ eye.shift_m)
    one, other = (in_upright(each, (0.2, 1.0, 1.3), head_px(each, (0.1, 1.1), 1.7)) for each in (eye, turned))
    assert one == pytest.approx(other, abs=1e-9)
    assert numbers_of(eye, head_px(eye, (0.1, 1.1), 1.7)) == pytest.approx(
        numbers_of(turned, head_px(turned, (0.1, 1.1), 1.7)), abs=1e-6
    )


def test_right_above_somebody_there_is_a_picture_too():
    eye = Hung(3.0).camera().eye
    made = crop_from_upright(eye, head_px(eye, (0.0, 0.0), 1.7), (0, 0))
    assert np.isfinite(made).all()
    assert abs(np.linalg.det(made)) > 0


@pytest.fixture(scope="module")
def shot():
    camera = HUNG[1].camera()
    return camera, list(Place(camera, any_light("x"), crowd(2, 73), 3).passage(0, Way(False), 4, 0, 300))[1]


def test_colours_are_shown_where_they_are_and_nothing_beyond_the_crop(shot):
    camera, one = shot
    head = head_px(camera.eye, one.head_m, one.height_m)
    painted = np.zeros_like(one.color)
    u, v = np.rint(head - one.corner_px).astype(int)
    painted[v - 12 : v + 13, u - 12 : u + 13] = (200, 30, 30)
    made = Upright.of(painted, one.corner_px, camera.eye, head)
    assert made.picture.shape == (HIGH_PX, WIDE_PX, 3)
    x, y = np.rint(HEAD_PX).astype(int)
    assert made.picture[y, x] == pytest.approx([200, 30, 30], abs=3)
    assert made.picture[0, 0].max() == made.picture[-1, -1].max() == 0
    assert made.layers.shape == (4, HIGH_PX, WIDE_PX)
    assert made.layers[3, 0, :NUMBERS] == pytest.approx(numbers_of(camera.eye, head))


def test_depth_is_where_the_person_is_in_the_picture_and_as_high_up(shot):
    camera, one = shot
    head = head_px(camera.eye, one.head_m, one.height_m)
    from_upright = crop_from_upright(camera.eye, head, one.corner_px)
    there, high = depth_shown(points_of(one, camera, one.head_m), 0.6, from_upright)
    assert there.shape == CELLS
    x, y = round(HEAD_PX[0] / CELL_PX), round(HEAD_PX[1] / CELL_PX)
    assert there[y, x - 1 : x + 1].max() == 255
    assert high[y - 1 : y + 1, x - 1 : x + 1].max() * TALLEST_M / 255 == pytest.approx(one.height_m, abs=0.1)
    assert there[:, [0, -1]].max() == 0
    assert not high[there == 0].any()


def test_depth_says_nothing_in_a_picture(shot):
    camera, one = shot
    head = head_px(camera.eye, one.head_m, one.height_m)
    blind = replace(one, depth=np.zeros_like(one.depth))
    made = [Upright.of(each.color, each.corner_px, camera.eye, head).layers for each in (one, blind)]
    assert np.array_equal(*made)


def test_in_a_mirror_the_head_stays_where_it_is_and_so_does_the_camera():
    layers = np.zeros((1, 4, HIGH_PX, WIDE_PX), np.float32)
    layers[0, 0, 40, 10], layers[0, 3, 0, :NUMBERS] = 200.0, (0.9, 0.1, 0.2)
    made = mirrored(layers)
    assert np.array_equal(np.argwhere(made[0, 0]), [[40, round(2 * HEAD_PX[0]) - 10]])
    assert np.array_equal(made[:, 3], layers[:, 3])
    assert np.array_equal(mirrored(made), layers)
