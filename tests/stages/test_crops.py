"""People are cut out of a picture as far as they are in it."""

import numpy as np
import pytest
from builders import detections, frame, tracklet, tracks
from scenes import view

from engines.embedder import Embedder
from stages._crops import crops_of
from stages.embed import Embed

pytest_plugins = ["known_models"]
COLOR = np.random.default_rng(1).integers(0, 256, (480, 640, 3), np.uint8)


def cut(*boxes):
    rows = tracks(detections(frame(view=view(3.0), color=COLOR), boxes), range(len(boxes)))
    return [crop.color for crop in crops_of(rows, COLOR, None, np.arange(len(boxes)))]


@pytest.mark.parametrize(
    ("box", "inside"),
    [
        ((10, 20, 30, 60), COLOR[20:60, 10:30]),
        ((9.5, 19.2, 29.1, 60.4), COLOR[19:61, 9:30]),
        ((-20, -30, 5, 8), COLOR[:8, :5]),
        ((630, 470, 700, 900), COLOR[470:, 630:]),
        ((7, 9, 8, 10), COLOR[9:10, 7:8]),
    ],
)
def test_a_crop_is_what_of_a_box_is_in_the_picture(box, inside):
    assert np.array_equal(cut(box)[0], inside)


@pytest.mark.parametrize("box", [(700, 0, 800, 50), (-80, -90, -10, -20), (0, 480, 9, 500), (5, 5, 5, 5)])
def test_of_a_box_outside_the_picture_nothing_is_left(box):
    assert cut(box)[0].size == 0


def test_who_is_outside_the_picture_has_no_vector_and_changes_nobody_else_s(models):
    stage = Embed(Embedder("person_reidentification_retail_0248"), max_batch=4)
    stage.embedder.open()
    rows = tracks(
        detections(frame(view=view(3.0), color=COLOR), [(10, 20, 60, 160), (700, 0, 800, 50), (7, 9, 8, 10)]),
        range(3),
    )
    inside, outside, pixel = (tracklet(crops=[one]) for one in crops_of(rows, COLOR, None, np.arange(3)))
    (alone,) = stage.process(inside)
    found, nothing, small = (next(iter(one)) for one in stage.process_many([inside, outside, pixel]))
    stage.embedder.close()
    assert np.array_equal(found.vector, alone.vector)
    assert [len(found.vector), len(nothing.vector), len(small.vector)] == [256, 0, 256]
