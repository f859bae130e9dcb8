"""Finds people where there is a floor to stand on, and says what it cannot do without."""

import pytest
from builders import frame
from scenes import depth_of, person, view

from engines.overhead_depth import OverheadDepth
from pipeline.stage import InputError
from stages.detect import Detect

DEPTH = depth_of(person(0.2, 0.1), view(3.0))


def test_gives_the_people_of_a_frame_with_their_places():
    (found,) = Detect(OverheadDepth()).process(frame(view=view(3.0), depth=DEPTH))
    assert len(found) == 1
    assert found.floor_m[0] == pytest.approx([0.2, 0.1], abs=0.05)


def test_a_frame_whose_floor_is_not_known_shows_nobody():
    (found,) = Detect(OverheadDepth()).process(frame(depth=DEPTH))
    assert len(found) == 0


def test_a_camera_without_depth_is_said_in_one_line():
    with pytest.raises(InputError, match="^east: frame 7 has no depth; give this camera a depth stream$"):
        list(Detect(OverheadDepth()).process(frame("east", 7, view=view(3.0))))
