import numpy as np
import pytest

from engines.evaluate.similarity import box_similarity, floor_similarity


def boxes(*rows):
    return np.array(rows, float).reshape(-1, 4)


def test_boxes_that_share_a_third_of_what_they_cover():
    assert box_similarity(boxes((0, 0, 2, 1)), boxes((1, 0, 3, 1))).tolist() == [[1 / 3]]


def test_boxes_apart_or_without_an_area_share_nothing():
    others = boxes((5, 5, 6, 6), (1, 1, 1, 1), (1, 1, 1, 1))
    assert box_similarity(boxes((0, 0, 2, 2)), others).tolist() == [[0, 0, 0]]
    assert box_similarity(others[1:2], others[2:]).tolist() == [[0]]


def test_places_are_alike_by_how_near_they_are():
    here, there = np.zeros((1, 2)), np.array([[0.0, 0.0], [0.3, 0.4], [0.0, 2.0], [np.nan, np.nan]])
    assert floor_similarity(here, there).tolist() == [[1.0, 0.5, 0.0, 0.0]]
    assert floor_similarity(here, there, zero_m=2.0)[0, 1] == 0.75


@pytest.mark.parametrize("alike", [box_similarity, floor_similarity])
def test_nobody_is_like_nobody(alike):
    width = 4 if alike is box_similarity else 2
    assert alike(np.empty((0, width)), np.ones((3, width))).shape == (0, 3)
