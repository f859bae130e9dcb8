"""What somebody looks like from above: alike in two cameras, unlike another, with colour and without."""

from itertools import permutations

import numpy as np
import pytest
from clothed import ABOVE, ASIDE, BLACK, BLUE, GREEN, RED, WHITE, Clothed, points_of, seen_by

from engines.overhead_descriptor import OverheadDescriptor

describe = OverheadDescriptor()
WARDROBE = [
    Clothed(RED, BLUE),
    Clothed(WHITE, BLACK, 1.68),
    Clothed(GREEN, BLACK, 1.82),
    Clothed(BLUE, WHITE),
]
SIZES = [Clothed(height_m=1.25), Clothed(), Clothed(height_m=1.9, broad=1.35)]


def crops(who, camera=ABOVE, at=(0.0, 0.0), **given):
    depth, color, box = seen_by(who, camera, at, **given)
    left, top, right, bottom = box.astype(int)
    points = points_of(depth, camera) - [*at, 0.0]
    points[depth == 0] = np.nan
    return color[top:bottom, left:right], points[top:bottom, left:right].astype(np.float32)


def vector(who, *seen, with_color=True, **given):
    color, points = crops(who, *seen, **given)
    return describe([color if with_color else None], [points], np.array([who.height_m], np.float32))[0]


@pytest.mark.parametrize(
    ("people", "with_color"),
    [(WARDROBE, True), (SIZES, True), (SIZES, False)],
    ids=["clothes", "sizes", "sizes by depth alone"],
)
def test_a_person_in_two_cameras_is_closer_than_two_people(people, with_color):
    one = [vector(who, ABOVE, (0.3, 0.2), with_color=with_color) for who in people]
    other = [
        vector(who, ASIDE, (0.1, 1.2), with_color=with_color, turn_deg=35, light=0.85, seed=1)
        for who in people
    ]
    same = [float(a @ b) for a, b in zip(one, other, strict=True)]
    different = [float(one[i] @ other[j]) for i, j in permutations(range(len(people)), 2)]
    assert min(same) > max(different) + 0.03


def test_every_vector_has_length_1_and_the_same_number_of_codes():
    both, alone = (
        np.stack([vector(who, with_color=with_color) for who in WARDROBE + SIZES])
        for with_color in (True, False)
    )
    for vectors in (both, alone):
        assert np.linalg.norm(vectors, axis=1) == pytest.approx(1.0, abs=1e-5)
        assert vectors.dtype == np.float32
    assert alone.shape[1] < both.shape[1]


def test_the_white_balance_and_the_exposure_of_a_camera_make_nobody_somebody_else():
    def tinted(who):
        color, points = crops(who, ASIDE, (0.1, 1.2), seed=1)
        color = (color * [0.85, 0.7, 0.6]).astype(np.uint8)
        return describe([color], [points], np.array([who.height_m], np.float32))[0]

    one, other = [vector(who, ABOVE, (0.3, 0.2)) for who in WARDROBE], [tinted(who) for who in WARDROBE]
    same = [float(a @ b) for a, b in zip(one, other, strict=True)]
    different = [float(one[i] @ other[j]) for i, j in permutations(range(len(WARDROBE)), 2)]
    assert min(same) > max(different) + 0.10


def test_depth_sees_no_clothes():
    one, other = (vector(who, with_color=False) for who in (Clothed(RED, BLUE), Clothed(WHITE, BLACK)))
    assert np.array_equal(one, other)
    assert vector(Clothed(RED, BLUE)) @ vector(Clothed(WHITE, BLACK)) < 0.8


def test_a_crop_does_not_change_what_others_give():
    seen = [crops(who) for who in WARDROBE]
    colors, points = zip(*seen, strict=True)
    heights_m = np.array([who.height_m for who in WARDROBE], np.float32)
    together = describe(colors, points, heights_m)
    alone = [describe([c], [p], heights_m[i : i + 1])[0] for i, (c, p) in enumerate(seen)]
    assert np.array_equal(together, np.stack(alone))


def test_what_is_hardly_seen_is_a_bit_like_everybody_and_no_error():
    depth, color, _ = seen_by(Clothed())
    points = points_of(depth, ABOVE)[:4, :5].astype(np.float32)
    hardly = describe([color[:4, :5]], [points], np.array([1.75], np.float32))[0]
    assert np.isfinite(hardly).all()
    likeness = [float(hardly @ vector(who)) for who in WARDROBE]
    assert 0.2 < min(likeness) < max(likeness) < 0.9


def test_without_depth_it_says_what_to_do():
    with pytest.raises(ValueError, match="overhead_descriptor needs depth; choose another embedder"):
        describe([np.zeros((4, 4, 3), np.uint8)], [None], np.array([1.7], np.float32))
