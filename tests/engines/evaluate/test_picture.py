"""The picture of a run: readable whoever and whatever there is to show."""

import numpy as np
import pytest

from engines.evaluate.picture import COLORS, CROP_PX, MOST_CARDS, Person, Visit, picture_of

WAY_M = np.array([[0.0, 0.0], [1.0, 0.0], [2.0, 1.0], [3.0, 1.0]])
NOWHERE_M = np.empty((0, 2))
CLOTHES = (255, 0, 255)


def crop(height=40, width=20):
    return np.full((height, width, 3), CLOTHES, np.uint8)


def person(name="P-1", *visits):
    return Person(name, ("1.70 m", "walked 3 m"), visits or [Visit("flat", WAY_M, "0:01", crop())])


def pixels_of(page, color):
    return int((page == np.array(color, np.uint8)).all(axis=2).sum())


def test_each_person_has_a_path_and_a_card_in_a_colour_of_their_own():
    page = picture_of([person("P-1"), person("P-2", Visit("flat", WAY_M + 1.0, "0:02"))], "two")
    assert all(pixels_of(page, color) > 2000 for color in COLORS[:2])
    assert pixels_of(page, COLORS[2]) == 0


@pytest.mark.parametrize(("height", "width"), [(40, 20), (10, 200), (300, 4), (1, 1)])
def test_a_crop_of_any_shape_fills_much_of_its_square(height, width):
    page = picture_of([person("P-1", Visit("flat", WAY_M, "0:00", crop(height, width)))], "one")
    assert pixels_of(page, CLOTHES) >= 0.65 * CROP_PX**2


def test_the_page_grows_with_the_cards_up_to_a_limit():
    heights = [picture_of([person()] * n, "many").shape[0] for n in (0, 6, 7, 9, MOST_CARDS, 100)]
    assert heights == sorted(heights)
    assert heights[0] == heights[1] < heights[2] < heights[3] < heights[4] == heights[5]


def test_whoever_has_no_floor_no_crop_or_one_point_is_drawn_too():
    visits = [Visit("flat", NOWHERE_M, "0:00"), Visit("a-long-name-of-a-camera", WAY_M[:1], "2:00:00")]
    assert picture_of([], "nobody").shape == picture_of([person("P-1", *visits)], "one").shape
    assert picture_of([person("P-1", visits[0])], "one").shape[2] == 3
