"""Of boxes that show one person the best is kept, and nobody else is lost."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines._suppression import kept_of
from engines.evaluate.similarity import box_similarity

# the second covers 0.8 of the first, the third is elsewhere
BOXES = np.array([[0, 0, 10, 10], [0, 0, 10, 8], [30, 30, 40, 40]], np.float32)


def kept(scores, max_overlap=0.5, min_score=0.1, boxes=BOXES):
    return kept_of(boxes, np.array(scores, np.float32), min_score, max_overlap).tolist()


def test_the_better_of_two_that_overlap_is_kept_and_the_best_is_first():
    assert kept([0.6, 0.9, 0.7]) == [1, 2]


@pytest.mark.parametrize(("max_overlap", "rows"), [(0.79, [0, 2]), (0.81, [0, 2, 1])])
def test_overlap_is_the_intersection_over_the_union(max_overlap, rows):
    assert kept([0.9, 0.5, 0.6], max_overlap) == rows


def test_what_scores_too_little_is_left_out_and_hides_nobody():
    assert kept([0.3, 0.5, 0.6], min_score=0.5) == [2, 1]


def test_a_score_of_0_is_nobody():
    assert kept([0.0, 0.5, 0.6], min_score=0.0) == [2, 1]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_no_number_is_left_out_and_spoils_nothing(bad):
    boxes = BOXES.copy()
    boxes[0, 2] = bad
    assert kept([0.9, 0.5, 0.6], boxes=boxes) == [2, 1]
    assert kept([np.nan, 0.5, 0.6]) == [2, 1]


def test_of_no_boxes_none_is_kept():
    assert kept([], boxes=np.empty((0, 4), np.float32)) == []


@given(st.integers(0, 2**32 - 1), st.integers(1, 40))
def test_no_two_that_are_kept_overlap_and_who_is_left_out_overlaps_a_better_one(seed, n):
    random = np.random.default_rng(seed)
    corners = random.uniform(0, 50, (n, 2))
    boxes = np.concatenate([corners, corners + random.uniform(1, 30, (n, 2))], axis=1).astype(np.float32)
    scores = (1 + random.permutation(n)).astype(np.float32) / n
    rows = kept_of(boxes, scores, 0.0, 0.4)
    alike = box_similarity(boxes.astype(float), boxes.astype(float))
    assert (np.triu(alike[np.ix_(rows, rows)], 1) <= 0.4 + 1e-6).all()
    for row in set(range(n)) - set(rows.tolist()):
        assert max(alike[row, better] for better in rows if scores[better] > scores[row]) > 0.4 - 1e-6
