"""One person at a time under an overhead camera: the same for the same key, where it is said to be, and both ways."""

from dataclasses import replace

import numpy as np
import pytest

from engines.people.anybody import any_light, anybody, dressed_like
from engines.people.passages import Place, Some, Way, points_of
from engines.reid.overhead_people import SITE, crowd, strangers

PEOPLE = strangers(3, 4)


def place(name="flat", people=PEOPLE, seed=5):
    return Place(SITE[name].camera(), any_light("light"), people, seed)


def shots(at, number=0, frames=3, key=7, **way):
    return list(at.passage(number, Way(**{"is_out": False, **way}), frames, key, 300))


def test_the_same_key_gives_the_same_pictures_whatever_was_drawn_before():
    one, other = place(), place()
    shots(other, 2)
    for a, b in zip(shots(one), shots(other), strict=True):
        assert np.array_equal(a.color, b.color)
        assert np.array_equal(a.depth, b.depth)
    assert not np.array_equal(shots(one)[1].depth, shots(one, key=8)[1].depth)


def test_some_of_the_frames_are_those_of_the_whole_way():
    whole, some = shots(place(), frames=4), shots(place(), frames=Some(4, {2, 1}))
    assert len(some) == 2
    for a, b in zip(whole[1:3], some, strict=True):
        assert np.array_equal(a.color, b.color)
        assert np.array_equal(a.depth, b.depth)


@pytest.mark.parametrize("name", SITE)
def test_depth_says_where_a_head_is_and_how_high(name):
    for shot in shots(place(name)):
        points = points_of(shot, SITE[name].camera(), shot.head_m).reshape(-1, 3)
        near = points[np.linalg.norm(points[:, :2], axis=1) < 0.12]
        assert np.nanpercentile(near[:, 2], 97) == pytest.approx(shot.height_m, abs=0.06)
        assert np.nanmedian(points[np.abs(points[:, 2]) < 0.2, 2]) == pytest.approx(0.0, abs=0.04)


def test_who_goes_out_comes_the_other_way():
    into, out = shots(place()), shots(place(), is_out=True)
    way = [some[-1].head_m - some[0].head_m for some in (into, out)]
    assert way[0] @ way[1] < 0


def test_anybody_is_the_same_person_for_the_same_key():
    assert anybody(1, "a") == anybody(1, "a")
    assert anybody(1, "a") != anybody(1, "b")


def test_who_is_dressed_like_another_keeps_their_own_body():
    one, other = anybody(1, "a"), anybody(2, "b")
    like = dressed_like(one, other, "c")
    assert like.body == one.body
    assert like.outfit.top == other.outfit.top
    assert like.materials[5] == other.materials[5]


def test_a_crowd_on_its_feet_pushes_nothing():
    people = crowd(40, 3)
    assert [one.number for one in people] == list(range(1, 41))
    assert not {"trolley", "wheelchair"} & {role for one in people for role in one.roles}
    assert replace(people[0]) == crowd(40, 3)[0]
