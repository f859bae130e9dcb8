"""Cameras that look across: who is there whatever hides them, and what they look like with nothing before them."""

from functools import cache

import numpy as np
import pytest
from simulation import camera_at

from calibration.camera import Mount
from engines.people.across import SightAcross
from engines.people.hiding import LEVELS, with_hiding
from engines.people.sight import Sight
from engines.people.staging import scene_of

SEED, TIMES_S = 3, (2.0, 4.0, 6.0, 8.0)


@cache
def scene():
    mounts = (Mount(0, y_m, yaw_deg, 2.2, 72.0, 0.0, True) for y_m, yaw_deg in ((8, 0), (-8, 180)))
    return scene_of([camera_at(mount) for mount in mounts], 12, 10.0, SEED)


@cache
def sight(level, camera=0):
    return SightAcross(with_hiding(scene(), level, SEED), camera, SEED)


def shows(level):
    """How much of each person shows in each picture of either camera."""
    return {
        (camera, time_s, body.person): body.shows
        for camera in (0, 1)
        for time_s in TIMES_S
        for body in sight(level, camera).bodies(time_s)
    }


def test_the_same_people_are_there_at_each_level_and_show_less_of_themselves():
    bare, counter, pillars = (shows(level) for level in LEVELS)
    assert len(bare) > 10
    assert bare.keys() == counter.keys() == pillars.keys()
    assert all(pillars[key] <= counter[key] <= bare[key] for key in bare)
    means = [np.mean(list(level.values())) for level in (bare, counter, pillars)]
    assert means[0] - means[1] > 0.05
    assert means[1] - means[2] > 0.05


def test_boxes_are_of_the_whole_person_whatever_hides_them():
    for time_s in TIMES_S:
        bodies = [sight(level).bodies(time_s) for level in LEVELS]
        for same in zip(*bodies, strict=True):
            assert all((one.box == same[0].box).all() for one in same)
        seen = {one.person: one for one in sight(2).presences(time_s)}
        for body in bodies[2]:
            if body.person in seen:
                left, top, right, bottom = seen[body.person].box
                assert body.box[:2] == pytest.approx(np.minimum(body.box[:2], (left, top)), abs=1)
                assert body.box[2:] == pytest.approx(np.maximum(body.box[2:], (right, bottom)), abs=1)
                assert body.shows == seen[body.person].visibility


def test_its_colour_is_that_of_any_camera_of_the_scene():
    color, _ = Sight(scene(), 0, SEED).frame(20, 4.0)
    assert (sight(0).color(20, 4.0) == color).all()
    assert (sight(2).color(20, 4.0) != color).any()


def test_somebody_alone_is_there_whole_and_nobody_else_is():
    time_s, whole, hidden = 4.0, sight(0), sight(2)
    body = max(
        hidden.bodies(time_s), key=lambda one: (0.1 < one.shows < 0.6) * np.prod(one.box[2:] - one.box[:2])
    )
    left, top, right, bottom = body.box.round().astype(int).clip(0, [639, 479] * 2)
    alone = whole.color(20, time_s, body.person).astype(int)
    empty = whole.color(20, time_s, 99).astype(int)
    changed = np.abs(alone - empty).max(axis=2) > 60
    assert changed[top:bottom, left:right].mean() > 0.2
    changed[max(0, top - 4) : bottom + 4, max(0, left - 4) : right + 4] = False
    assert changed.mean() < 0.03  # but for a shadow
    assert (whole.color(20, time_s, 99) == whole.color(20, time_s, 98)).all()


def test_there_are_no_other_levels():
    with pytest.raises(ValueError, match="level must be from 0 to 2, got 3"):
        with_hiding(scene(), 3, SEED)
