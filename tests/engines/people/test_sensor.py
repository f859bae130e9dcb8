"""Depth as a D455 gives it: its noise, its steps, its holes."""

import numpy as np
import pytest

from engines.people.raster import Seen, Window
from engines.people.sensor import BASELINE_M, MIN_DEPTH_M, STEPS, depth_of, exposed, stereo_of, tiles_of

F, SIZE = 385.0, (480, 640)
REACH = F * BASELINE_M
WHOLE = Window(0, 0, SIZE[1], SIZE[0])
NO_HOLES = np.zeros(4, np.float32)


def flat(metres):
    return Seen(np.full(SIZE, 1 / metres, np.float32), np.full(SIZE, -1, np.int32))


def depth(seen, key=1, holes=NO_HOLES, still=None):
    return depth_of(stereo_of(F, still or flat(8.0), holes, "s"), seen, holes, WHOLE, key)


def error_of(metres):
    return depth(flat(metres))[:, 60:].astype(float) / 1000 - metres


@pytest.mark.parametrize(
    ("metres", "low", "high"), [(1.0, 0.0018, 0.0032), (2.0, 0.0036, 0.0064), (4.0, 0.0075, 0.02)]
)
def test_its_relative_error_grows_with_depth_as_the_data_sheet_says(metres, low, high):
    assert low < np.sqrt((error_of(metres) ** 2).mean()) / metres < high


def test_its_error_grows_with_depth_squared_and_has_no_bias():
    one, four = error_of(1.0), error_of(4.0)
    assert four.std() / one.std() == pytest.approx(16.0, rel=0.15)
    assert abs(four.mean()) < 0.1 * four.std()


def test_neighbours_err_together_and_far_ones_do_not():
    error = error_of(3.0)

    def together(shift):
        return np.corrcoef(error[:, :-shift].ravel(), error[:, shift:].ravel())[0, 1]

    assert together(1) > 0.6 > 0.2 > abs(together(25))


def test_part_of_the_error_stays_and_part_changes_with_each_frame():
    stereo = stereo_of(F, flat(3.0), NO_HOLES, "s")
    frames = np.array(
        [depth_of(stereo, flat(3.0), NO_HOLES, Window(0, 0, 0, 0), key) for key in range(12)], float
    )
    frames = frames[:, :, 60:] - 3000.0
    stays, changes = frames.mean(axis=0).std(), frames.std(axis=0).mean()
    assert 0.5 < stays / changes < 2.0


def test_depth_comes_in_steps_of_disparity():
    disparities = REACH / (depth(flat(2.0))[:, 60:].astype(float) / 1000)
    steps = np.unique(np.rint(disparities * STEPS))
    assert len(np.unique(depth(flat(2.0))[:, 60:])) == len(steps) < 60


def test_a_strip_at_the_left_has_no_depth_as_wide_as_disparity():
    missing = (depth(flat(2.0)) == 0).mean(axis=0)
    assert (missing[: int(REACH / 2.0) - 1] == 1).all() and (missing[int(REACH / 2.0) + 2 :] == 0).all()


def near_square():
    seen = flat(3.0)
    seen.nearness[150:350, 250:400] = 1 / 1.2
    return seen


def test_beside_something_near_depth_is_missing_on_its_left_and_hardly_on_its_right():
    missing = (depth(near_square(), still=flat(3.0)) == 0)[160:340]
    width = int(REACH / 1.2 - REACH / 3.0)
    assert missing[:, 250 - width + 2 : 248].mean() > 0.95
    assert missing[:, 402:440].mean() < 0.1
    assert missing[:, 260:390].mean() == 0


def test_few_pixels_fly_between_near_and_far():
    got = depth(near_square(), still=flat(3.0))[150:350, 200:460]
    assert 0 < ((got > 1350) & (got < 2600)).mean() < 0.004


def test_what_is_too_near_has_no_depth():
    assert (depth(flat(MIN_DEPTH_M - 0.03)) == 0).all()
    assert (depth(flat(MIN_DEPTH_M + 0.03))[:, 120:] > 0).mean() > 0.99


def test_what_swallows_light_has_holes_in_patches():
    seen = flat(2.0)
    seen.ids[:, 320:] = 1
    missing = depth(seen, holes=np.array([0.0, 0.1, 0.0, 0.0], np.float32))[:, 60:] == 0
    assert missing[:, :250].mean() == 0
    assert missing[:, 260:].mean() == pytest.approx(0.1, abs=0.03)
    beside = missing[:, 260:-1] & missing[:, 261:]
    assert beside.mean() > 5 * 0.1**2


def test_the_same_key_gives_the_same_noise_and_another_key_other_noise():
    color = np.full((*SIZE, 3), 120, np.uint8)
    grains = tiles_of("s").grains
    assert (depth(flat(2.0), 5) == depth(flat(2.0), 5)).all()
    assert (depth(flat(2.0), 5) != depth(flat(2.0), 6)).mean() > 0.5
    assert (exposed(color, grains, 5) == exposed(color, grains, 5)).all()
    assert (exposed(color, grains, 5) != exposed(color, grains, 6)).mean() > 0.5


@pytest.mark.parametrize("level", [20, 120, 230])
def test_colour_has_noise_without_bias_and_is_a_little_soft(level):
    color = np.full((*SIZE, 3), level, np.uint8)
    color[:, 320:] = min(255, level + 20)
    got = exposed(color, tiles_of("s").grains, 3).astype(float)
    assert got[:, :300].mean() == pytest.approx(level, abs=0.6)
    assert 2.5 < got[:, :300].std() < 4.8
    edge = got.mean(axis=(0, 2))[318:322] - level
    assert 1.0 < edge[1] < edge[2] < 19.0 and edge[0] == pytest.approx(0, abs=1)
