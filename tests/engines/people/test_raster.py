"""Triangles land in the pixels they should, the nearest one seen."""

import numpy as np
import pytest

from engines.people.raster import Pinhole, Seen, Window, draw, see, window_of
from engines.people.shapes import box

EYE = Pinhole(np.eye(3), np.zeros(3), 100.0, 100.0, 50.0, 40.0)


def blank(w=101, h=81):
    return Seen(np.full((h, w), 1e-4, np.float32), np.full((h, w), -1, np.int32))


def drawn(shape, seen, first=0, eye=EYE):
    screen = np.empty_like(shape.points)
    see(shape.points, eye, screen)
    draw(screen, shape.triangles, first, seen)
    return screen


def wall(z, half=1.0):
    return box((-half, -half, z), (half, half, z + 0.5), 0)


def test_a_wall_covers_the_pixels_that_a_pinhole_says_at_its_depth():
    seen = blank()
    drawn(wall(4.0), seen)
    rows, columns = np.nonzero(seen.ids >= 0)
    assert (columns.min(), columns.max(), rows.min(), rows.max()) == (25, 75, 15, 65)
    assert len(rows) == 51 * 51  # no hole where triangles meet
    assert seen.nearness[40, 50] == pytest.approx(1 / 4.0, rel=1e-5)


def test_nearness_is_exact_across_a_slanted_surface():
    slope = np.array([[-1, -1, 3], [1, -1, 5], [1, 1, 5], [-1, 1, 3]], np.float32)
    screen, seen = np.empty_like(slope), blank()
    see(slope, EYE, screen)
    draw(screen, np.array([[0, 2, 1], [0, 3, 2]], np.int32), 0, seen)
    x = (45 - 50) / 100  # z = 4 + X and X = x z
    assert seen.nearness[40, 45] == pytest.approx((1 - x) / 4, rel=1e-4)


def test_the_nearer_of_two_is_seen_in_either_order():
    for order in ((3.0, 5.0), (5.0, 3.0)):
        seen = blank()
        for number, z in enumerate(order):
            drawn(wall(z), seen, 100 * number)
        assert seen.ids[40, 50] // 100 == order.index(3.0)


def test_what_is_behind_the_camera_or_turns_its_back_is_not_drawn():
    seen = blank()
    drawn(wall(-4.0), seen)
    drawn(box((-9, -9, -9), (9, 9, 9), 0), seen)  # from inside, all of it turns its back
    assert (seen.ids == -1).all()


def test_what_reaches_over_the_edge_of_the_picture_is_cut():
    seen = blank()
    drawn(wall(1.0, 5.0), seen)
    assert (seen.ids >= 0).all()


def test_a_window_holds_what_is_drawn_and_is_empty_for_what_is_outside():
    screen = drawn(wall(4.0), blank())
    assert window_of(screen, 0, Window(0, 0, 101, 81)) == Window(25, 15, 77, 67)
    far = screen + np.array([500, 0, 0], np.float32)
    assert window_of(far, 0, Window(0, 0, 101, 81)) == Window(0, 0, 0, 0)
