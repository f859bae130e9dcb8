"""AP50 by hand."""

import numpy as np
import pytest

from engines._average_precision import Truth, ap50, overlaps

HERE, THERE, FAR = (0, 0, 10, 20), (100, 0, 110, 20), (500, 0, 510, 20)
NEARLY = (0, 0, 10, 10)  # half of HERE: an overlap of exactly 0.5
TOO_SMALL = (0, 0, 10, 9)


def boxes(*rows):
    return np.array(rows, np.float32).reshape(-1, 4)


def found(*rows):
    """Boxes with a score each."""
    return boxes(*(row[0] for row in rows)), np.array([row[1] for row in rows], np.float32)


def truth(*people, unsure=()):
    return Truth(boxes(*people), boxes(*unsure))


@pytest.mark.parametrize(
    ("rows", "points"),
    [
        ([(HERE, 0.9), (THERE, 0.8)], 100.0),
        ([(HERE, 0.9)], 50.0),
        ([], 0.0),
        ([(FAR, 0.9)], 0.0),
        ([(HERE, 0.9), (THERE, 0.8), (FAR, 0.7)], 100.0),  # what comes behind the last person costs nothing
        (
            [(FAR, 0.95), (HERE, 0.9), (THERE, 0.8)],
            100 * 2 / 3,
        ),  # precision 1/2, then 2/3, the best from there on
        ([(HERE, 0.9), (FAR, 0.85), (THERE, 0.8)], 100 * (1 + 2 / 3) / 2),
        ([(HERE, 0.9), (HERE, 0.85), (THERE, 0.8)], 100 * (1 + 2 / 3) / 2),  # nobody is found twice
        ([(NEARLY, 0.9), (THERE, 0.8)], 100.0),
        ([(TOO_SMALL, 0.9), (THERE, 0.8)], 25.0),
    ],
)
def test_is_the_area_under_precision_by_recall(rows, points):
    assert ap50([found(*rows)], [truth(HERE, THERE)]) == pytest.approx(points)


def test_scores_are_compared_over_all_pictures():
    two = [found((HERE, 0.5)), found((FAR, 0.9))]
    assert ap50(two, [truth(HERE), truth()]) == pytest.approx(50.0)


def test_whom_it_is_neither_right_nor_wrong_to_find_does_not_count():
    rows = [found((FAR, 0.95), (HERE, 0.9))]
    assert ap50(rows, [truth(HERE, unsure=[FAR])]) == pytest.approx(100.0)
    assert ap50(rows, [truth(HERE)]) == pytest.approx(50.0)


def test_a_box_takes_the_person_whom_it_overlaps_most():
    near = (2, 0, 12, 20)
    assert ap50([found((near, 0.9), (HERE, 0.8))], [truth(HERE, near)]) == pytest.approx(100.0)


def test_overlaps_are_shares_of_the_area_that_either_covers():
    assert overlaps(boxes(HERE), boxes(HERE, NEARLY, FAR)).tolist() == [[1.0, 0.5, 0.0]]
    assert overlaps(boxes(), boxes(HERE)).shape == (0, 1)
