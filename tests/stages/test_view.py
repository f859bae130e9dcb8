"""What people looked like, for the picture."""

from dataclasses import replace

import numpy as np
from builders import crop, tracklet

from stages.view import View

SMALL, LARGE = np.zeros((2, 2, 3), np.uint8), np.zeros((6, 4, 3), np.uint8)


def given(stage, *tracklets):
    return [portrait for one in tracklets for portrait in stage.process(one)]


def test_a_tracklet_gives_the_best_of_all_its_crops_when_it_closes():
    good, later = crop(LARGE, 10, quality=0.9), crop(SMALL, 20, quality=0.4)
    stage = View()
    assert given(stage, tracklet(crops=[good]), tracklet(crops=[later])) == []
    (portrait,) = given(stage, tracklet(crops=[crop(SMALL, 30, quality=0.5)], phase="closed"))
    assert (portrait.tracklet_id, portrait.captured_ns) == ("T-1", 10)
    assert portrait.color is LARGE


def test_each_tracklet_has_its_own():
    first, second = (tracklet(tracklet_id=id, crops=[crop(LARGE)]) for id in ("T-1", "T-2"))
    shown = given(View(), first, second, tracklet(tracklet_id="T-2", phase="closed"))
    assert [portrait.tracklet_id for portrait in shown] == ["T-2"]


def test_who_has_no_colour_has_no_portrait():
    dark = replace(crop(LARGE), color=None)
    assert given(View(), tracklet(crops=[dark]), tracklet(phase="closed")) == []
