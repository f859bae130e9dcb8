"""Pictures lie in the network's input whole and undistorted, and boxes come back to where they were."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines._letterbox import Placed, letterboxed, stretched_over

SIDES = st.integers(1, 900)


def painted(height, width, box, value=255):
    picture = np.zeros((height, width, 3), np.uint8)
    left, top, right, bottom = box
    picture[top:bottom, left:right] = value
    return picture


def bounds(page, value=128):
    rows, columns = np.nonzero(page[..., 0] > value)
    return np.array([[columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]], np.float32)


@pytest.mark.parametrize("place", ["corner", "middle"])
@pytest.mark.parametrize("size", [(300, 800), (800, 300), (200, 200), (75, 60)])
def test_a_box_painted_in_the_picture_comes_back_from_the_input(size, place):
    box = (size[1] // 4, size[0] // 3, size[1] // 2, size[0] // 2)
    batch, (placed,) = letterboxed([painted(*size, box)], (416, 416), 0, place)
    back = placed.back(bounds(batch[0]))[0]
    assert back == pytest.approx(np.array(box), abs=1 / placed.scale[0] + 1e-3)


def test_the_rest_is_filled_at_the_right_and_the_bottom_or_on_both_sides():
    white = np.full((100, 200, 3), 255, np.uint8)
    corner, _ = letterboxed([white], (200, 200), 114, "corner")
    middle, _ = letterboxed([white], (200, 200), 114, "middle")
    assert (corner[0, :100] == 255).all()
    assert (corner[0, 100:] == 114).all()
    assert (middle[0, 50:150] == 255).all()
    assert (middle[0, :50] == 114).all()
    assert (middle[0, 150:] == 114).all()


def test_of_an_odd_rest_the_larger_half_is_at_the_bottom():
    _, (placed,) = letterboxed([np.zeros((99, 200, 3), np.uint8)], (200, 200), 114, "middle")
    assert (placed.left_px, placed.top_px) == (0, 50)


@given(SIDES, SIDES, SIDES, SIDES, st.sampled_from(["corner", "middle"]))
def test_a_picture_of_any_size_fits_into_an_input_of_any_size(height, width, high, wide, place):
    batch, (placed,) = letterboxed([np.zeros((height, width), np.uint8)], (high, wide), 255, place)
    assert batch.shape == (1, high, wide, 3)
    whole = np.array([[-1e6, -1e6, 1e6, 1e6]], np.float32)
    assert placed.back(whole)[0].tolist() == [0, 0, width, height]
    assert 0 <= placed.left_px < wide
    assert 0 <= placed.top_px < high


def test_pictures_of_several_sizes_and_kinds_lie_in_one_batch_as_each_would_alone():
    random = np.random.default_rng(2)
    pictures = [
        random.integers(0, 256, (90, 120, 3), np.uint8),
        random.integers(0, 256, (200, 50), np.uint8),
        random.integers(0, 4000, (64, 64), np.uint16),
        np.empty((0, 5, 3), np.uint8),
    ]
    together, placed = letterboxed(pictures, (64, 96), 7, "corner")
    for picture, page, where in zip(pictures, together, placed, strict=True):
        alone, (alone_where,) = letterboxed([picture], (64, 96), 7, "corner")
        assert np.array_equal(page, alone[0])
        assert where == alone_where
    assert (together[3] == 7).all()
    assert letterboxed([], (64, 96), 7, "corner")[0].shape == (0, 64, 96, 3)


def test_stretching_takes_boxes_back_along_each_axis():
    batch, (placed,) = stretched_over([painted(100, 400, (100, 50, 300, 100))], (200, 200))
    assert placed.back(bounds(batch[0]))[0] == pytest.approx([100, 50, 300, 100], abs=1.1)


def test_boxes_end_at_the_edge_of_the_picture():
    placed = Placed(10, 20, (2.0, 2.0), 4, 0)
    assert placed.back(np.array([[0, -5, 100, 10]], np.float32)).tolist() == [[0, 0, 10, 5]]
