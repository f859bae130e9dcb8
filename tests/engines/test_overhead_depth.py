"""People from above by depth alone: all of them, each once, where they are; and nobody who is not there."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scenes import LENS, Ball, Box, depth_of, person, view

from engines.overhead_depth import OverheadDepth

NOISE = 0.003  # 1/m: a D455 has a disparity noise of about a tenth of a pixel
find = OverheadDepth()


def found(things, seen, **given):
    depth = depth_of(things, seen, **{"noise": NOISE, **given})
    return find(depth, 0.001, seen.world_from_pixel, seen.pose.translation_m)


def places(things, seen, **given):
    floor_m = found(things, seen, **given)[2]
    return sorted(map(tuple, floor_m.tolist()))


def assert_near(got, wanted, within_m=0.06):
    assert len(got) == len(wanted), f"found {got}, wanted {wanted}"
    assert np.abs(np.array(got) - np.array(sorted(wanted))).max() <= within_m


@pytest.mark.parametrize("height_m", [2.3, 2.6, 3.0, 4.0, 5.0, 6.0])
def test_finds_a_person_from_any_height(height_m):
    assert_near(places(person(0.2, 0.1), view(height_m)), [(0.2, 0.1)])


@pytest.mark.parametrize("pitch_deg", [0, 15, 30, 45])
@pytest.mark.parametrize("roll_deg", [-30, 0])
def test_finds_a_person_from_a_tilted_camera(pitch_deg, roll_deg):
    seen = view(3.0, pitch_deg, roll_deg)
    ahead = seen.world_from_pixel @ (LENS.cx_px, LENS.cy_px + 40, 1)
    x, y = (-1.6 * ahead / ahead[2])[:2]
    _, scores, floor_m, heights_m = found(person(x, y), seen)
    assert_near(list(map(tuple, floor_m.tolist())), [(x, y)], within_m=0.08)
    assert heights_m == pytest.approx([1.72], abs=0.05)
    assert scores[0] > 0.8


@pytest.mark.parametrize("apart_m", [0.4, 0.45, 0.5, 0.7])
@pytest.mark.parametrize("turn_deg", [0, 90])
def test_two_people_shoulder_to_shoulder_are_two(apart_m, turn_deg):
    pair = person(-apart_m / 2, 0.0, 1.75, turn_deg) + person(apart_m / 2, 0.0, 1.66, turn_deg)
    assert_near(places(pair, view(3.0)), [(-apart_m / 2, 0.0), (apart_m / 2, 0.0)])


def test_three_abreast_are_three_and_a_child_beside_an_adult_is_found():
    abreast = person(-0.45, 0) + person(0.0, 0, 1.6) + person(0.45, 0, 1.8)
    assert_near(places(abreast, view(3.0)), [(-0.45, 0), (0.0, 0), (0.45, 0)])
    assert_near(places(person(0, 0, 1.05) + person(0.4, 0, 1.75), view(3.0)), [(0, 0), (0.4, 0)])


@pytest.mark.parametrize(("x", "y"), [(0.36, 0.0), (0.0, 0.36), (-0.38, 0.0), (0.26, 0.26)])
def test_a_child_at_somebodys_shoulder_is_somebody(x, y):
    pair = person(0, 0, 1.75) + person(x, y, 1.15)
    _, scores, floor_m, _ = found(pair, view(3.0))
    assert_near(sorted(map(tuple, floor_m[scores >= 0.5].tolist())), [(0, 0), (x, y)])


@pytest.mark.parametrize(
    ("pitch_deg", "height_m", "ahead_m", "apart_m", "aside_m"),
    [(20, 1.3, 1.0, 0.4, 0.0), (30, 1.2, 0.8, 0.4, 0.0), (40, 1.1, 0.8, 0.45, 0.15)],
)
def test_a_head_whose_shoulders_somebody_hides_may_be_somebody(
    pitch_deg, height_m, ahead_m, apart_m, aside_m
):
    seen = view(3.0, pitch_deg, 0)
    ray = (seen.world_from_pixel @ (LENS.cx_px, LENS.cy_px, 1))[:2]
    ahead = ray / np.linalg.norm(ray)
    child = (ahead_m + apart_m) * ahead + aside_m * np.array([-ahead[1], ahead[0]])
    _, _, floor_m, heights_m = found(person(*(ahead_m * ahead)) + person(*child, height_m), seen)
    assert_near(sorted(map(tuple, floor_m[heights_m < 1.5].tolist())), [tuple(child)], within_m=0.12)


@pytest.mark.parametrize("x", [1.56, 1.60, 1.66])
def test_what_is_cut_by_the_edge_and_no_higher_than_hips_begins_nobody(x):
    trolley = [Box((x, -0.2, 0.0), (x + 0.4, 0.2, 0.75)), Box((x, -0.08, 0.75), (x + 0.2, 0.08, 0.95))]
    scores = found(trolley, view(3.0))[1]
    assert (scores < 0.5).all()


@pytest.mark.parametrize("height_m", [1.0, 1.2, 1.5, 1.75, 2.0])
def test_measures_how_tall_people_are(height_m):
    heights_m = found(person(0.3, 0, height_m), view(3.0))[3]
    assert heights_m == pytest.approx([height_m], abs=0.04)


@pytest.mark.parametrize("x", [0.5, 0.6, 0.7, 0.74])
def test_finds_a_person_at_the_edge_of_the_picture(x):
    assert_near(places(person(x, 0), view(2.6)), [(x, 0)])


@pytest.mark.parametrize(("height_m", "under_m"), [(1.8, 2.3), (1.9, 2.4), (2.0, 2.4)])
@pytest.mark.parametrize("x", [0.0, 0.15, 0.25])
def test_finds_a_head_nearer_than_the_sensor_can_measure(height_m, under_m, x):
    assert_near(places(person(x, 0.1, height_m), view(under_m), nearest_m=0.45), [(x, 0.1)], within_m=0.1)


def test_finds_hair_that_gives_no_depth():
    seen = view(3.0)
    depth = depth_of(person(0.1, 0.0), seen, noise=NOISE)
    u, v = seen.project(np.array([[0.1, 0.0, 1.7]]))[0, :2].round().astype(int)
    depth[v - 22 : v + 22, u - 18 : u + 18] = 0
    _, _, floor_m, _ = find(depth, 0.001, seen.world_from_pixel, seen.pose.translation_m)
    assert_near(list(map(tuple, floor_m.tolist())), [(0.1, 0.0)], within_m=0.1)


TABLE = Box((-0.6, -0.4, 0.70), (0.6, 0.4, 0.75))
THINGS = {
    "an empty floor": [],
    "a table": [TABLE],
    "a table with a vase": [TABLE, Ball((0, 0, 0.9), (0.08, 0.08, 0.2))],
    "a trolley": [Box((-0.25, -0.4, 0.2), (0.25, 0.4, 0.9)), Box((-0.25, 0.4, 0.98), (0.25, 0.43, 1.02))],
    "a suitcase": [Box((-0.22, -0.13, 0.0), (0.22, 0.13, 0.70)), Box((-0.1, -0.01, 0.9), (0.1, 0.01, 1.0))],
    "a shelf": [Box((-0.5, -0.2, 0.0), (0.5, 0.2, 1.8))],
    "a pillar": [Box((-0.25, -0.25, 0.0), (0.25, 0.25, 2.2))],
    "a ball in the air": [Ball((0, 0, 1.6), (0.1, 0.1, 0.1))],
}


@pytest.mark.parametrize("thing", THINGS)
@pytest.mark.parametrize("pitch_deg", [0, 30])
def test_finds_nobody_in(thing, pitch_deg):
    scores = found(THINGS[thing], view(3.0, pitch_deg), noise=0.004)[1]
    assert scores[scores >= 0.5].tolist() == []


def test_a_shadow_is_no_person_and_a_blind_camera_sees_nobody():
    seen = view(3.0)
    for blind in (np.zeros((480, 640), np.uint16), np.full((480, 640), 65535, np.uint16)):
        assert len(find(blind, 0.001, seen.world_from_pixel, seen.pose.translation_m)[1]) == 0


def test_the_box_holds_the_person():
    seen = view(3.0)
    depth = depth_of(person(0.3, -0.2), seen)
    boxes = find(depth, 0.001, seen.world_from_pixel, seen.pose.translation_m)[0]
    rows, columns = np.nonzero(depth < depth_of([], seen) - 200)
    truth = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    assert np.abs(boxes[0] - truth).max() <= 12


def test_what_hardly_rises_above_furniture_is_doubtful():
    seen, thing = view(3.0), person(0.0, 0.0, 1.1)
    depth = depth_of(thing, seen, noise=NOISE)
    geometry = (depth, 0.001, seen.world_from_pixel, seen.pose.translation_m)
    stands = np.full((10, 10), 0.8, np.float32), np.array([-0.6, -0.6]), 0.12
    tall = (depth_of(person(0, 0), seen), *geometry[1:], stands)
    assert [find(*geometry)[1] > 0.9, find(*geometry, stands)[1] < 0.5, find(*tall)[1] > 0.9] == [True] * 3


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_whatever_depth_says_the_answer_is_well_formed(seed, share):
    random, seen = np.random.default_rng(seed), view(3.0)
    depth = depth_of(person(*random.uniform(-1.5, 1.5, 2)), seen)
    rubbish = random.integers(0, 65536, depth.shape, dtype=np.uint16)
    depth = np.where(random.random(depth.shape) < share, rubbish, depth)
    boxes, scores, floor_m, heights_m = find(depth, 0.001, seen.world_from_pixel, seen.pose.translation_m)
    assert len(boxes) == len(scores) == len(floor_m) == len(heights_m)
    assert np.isfinite(boxes).all() and np.isfinite(floor_m).all()
    assert (boxes[:, 2:] > boxes[:, :2]).all()
    assert ((scores >= 0) & (scores <= 1)).all()


@pytest.mark.parametrize("setting", ["cell_m", "min_height_m", "step_px"])
def test_refuses_a_setting_that_makes_no_sense(setting):
    with pytest.raises(ValueError, match=f"{setting} must be above 0, got 0"):
        OverheadDepth(**{setting: 0})
