"""Bodies have the measures of people, and move as people do."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.people.body import BAG, BOTTOM, HAIR, HAT, SHOE, SKIN, TOP, Outfit, surface_of
from engines.people.measures import measures_of
from engines.people.raster import move
from engines.people.skeleton import (
    ARM_L,
    ARM_R,
    FOOT_L,
    FOOT_R,
    HEAD,
    PELVIS,
    SHANK_L,
    SWING,
    THIGH_L,
    Moment,
    Style,
    bones_of,
    skeleton_of,
)
from engines.people.walk import stride_m

STYLE = Style(1.0, 20.0, 3.0, 8.0, 15.0, 4.0, 20.0, 7.0, SWING, SWING, 0.0, 7)
MAN = measures_of(1.756, "man")
bodies = st.builds(measures_of, st.floats(1.5, 1.95), st.sampled_from(["man", "woman"]), st.floats(-1.0, 1.0))


def moment(speed=1.3, strides=0.0, heading=0.0, x=0.0, y=0.0):
    return Moment(x, y, heading, speed, strides, 0.0, 1.0)


def points_of(body, outfit, style, now):
    shape = surface_of(body, outfit)
    points, normals = np.empty_like(shape.points), np.empty_like(shape.normals)
    move(shape, bones_of(skeleton_of(body), style, now), points, normals)
    return shape, points


def of(shape, points, material):
    return points[np.unique(shape.triangles[shape.materials == material])]


@given(bodies)
@settings(max_examples=20, deadline=None)
def test_someone_is_as_tall_and_as_broad_as_their_measures_say(body):
    shape = surface_of(body, Outfit(top="shirt", hair="bald"))
    top = of(shape, shape.points, TOP)
    assert shape.points[:, 2].max() == pytest.approx(body.stature, abs=0.005)
    assert shape.points[:, 2].min() == pytest.approx(0.0, abs=1e-6)
    assert np.ptp(top[:, 1]) == pytest.approx(body.bideltoid, abs=0.035)


def test_men_women_and_children_have_the_means_of_the_surveys():
    woman, child = measures_of(1.629, "woman"), measures_of(1.27, "child")
    assert [round(b.bideltoid, 2) for b in (MAN, woman, child)] == [0.51, 0.45, 0.33]
    assert [round(b.head_breadth, 3) for b in (MAN, woman, child)] == [0.154, 0.148, 0.144]
    assert round(MAN.shoulder_height, 2) == 1.44 and round(woman.hip_breadth, 3) == 0.345


def test_weight_changes_the_trunk_and_not_the_bones():
    thin, heavy = measures_of(1.75, "man", -1.0), measures_of(1.75, "man", 1.0)
    assert heavy.waist_depth > 1.5 * thin.waist_depth
    assert (heavy.biacromial, heavy.head_length, heavy.knee_height) == (
        thin.biacromial,
        thin.head_length,
        thin.knee_height,
    )


def test_from_above_a_head_stands_out_clearly_above_shoulders():
    shape = surface_of(MAN, Outfit(hair="short"))
    head = (shape.bones == HEAD).all(axis=1)
    level = shape.points[:, 2]
    neck = shape.points[(level > MAN.shoulder_height + 0.06) & (level < MAN.chin_height + 0.01)]
    shoulders = shape.points[~head & (np.abs(shape.points[:, 1]) > 0.13)]
    assert np.ptp(neck[:, 1]) < 0.15 < np.ptp(shape.points[head][:, 1]) < 0.20
    assert MAN.stature - shoulders[:, 2].max() > 0.24


@pytest.mark.parametrize("bag", ["backpack", "shoulder", "hand", "shopping", "phone"])
@pytest.mark.parametrize("hair", ["bald", "short", "full", "long", "bun", "tail"])
@pytest.mark.parametrize("hat", ["none", "cap", "brim", "beanie", "scarf"])
def test_what_is_worn_is_there_and_nothing_else(bag, hair, hat):
    shape = surface_of(MAN, Outfit(hair=hair, hat=hat, bag=bag))
    materials = set(shape.materials.tolist())
    assert (BAG in materials, HAIR in materials, HAT in materials) == (True, hair != "bald", hat != "none")
    assert np.isfinite(shape.points).all() and np.isfinite(shape.normals).all()


def test_a_coat_hangs_lower_than_a_shirt_and_a_skirt_shows_the_legs():
    low = {
        top: of(shape, shape.points, TOP)[:, 2].min()
        for top in ("shirt", "coat")
        for shape in [surface_of(MAN, Outfit(top=top))]
    }
    skin = of(shape := surface_of(MAN, Outfit(bottom="skirt")), shape.points, SKIN)
    assert low["coat"] < MAN.knee_height + 0.15 < low["shirt"]
    assert skin[:, 2].min() < 0.2


def test_a_skirt_and_a_coat_go_with_the_legs():
    woman = measures_of(1.63, "woman")
    for outfit, material in ((Outfit(bottom="skirt"), BOTTOM), (Outfit(top="coat"), TOP)):
        deep = {}
        for speed in (0.0, 1.3):
            shape, points = points_of(woman, outfit, STYLE._replace(swing=0.0), moment(speed))
            cloth = np.unique(shape.triangles[shape.materials == material])
            hem = cloth[shape.points[cloth, 2] < woman.knee_height + 0.12]
            deep[speed] = np.ptp(points[hem, 0])
        assert deep[1.3] > deep[0.0] + 0.1


@given(st.floats(0.0, 1.0), st.floats(0.0, 1.8), bodies)
@settings(max_examples=40, deadline=None)
def test_the_lower_foot_touches_the_floor_and_none_goes_through_it(strides, speed, body):
    shape, points = points_of(body, Outfit(), STYLE, moment(speed, strides))
    assert of(shape, points, SHOE)[:, 2].min() == pytest.approx(0.0, abs=0.025)


def test_arms_swing_against_the_legs():
    forward = {}
    for strides in (0.0, 0.5):
        bones = bones_of(skeleton_of(MAN), STYLE, moment(1.3, strides))
        joints = skeleton_of(MAN).joints
        for bone, end in ((THIGH_L, SHANK_L), (ARM_L, ARM_L + 1), (ARM_R, ARM_R + 1)):
            forward[bone, strides] = (bones[bone, :, :3] @ (joints[end] - joints[bone]))[0]
    assert forward[THIGH_L, 0.0] < 0 < forward[THIGH_L, 0.5]
    assert forward[ARM_L, 0.0] > 0 > forward[ARM_L, 0.5]
    assert forward[ARM_R, 0.0] < 0 < forward[ARM_R, 0.5]


def test_a_step_is_as_long_as_the_way_that_half_a_stride_is_counted_for():
    bones = bones_of(skeleton_of(MAN), STYLE, moment(1.3, 0.0))
    feet = [
        bones[foot, :, :3] @ skeleton_of(MAN).joints[foot] + bones[foot, :, 3] for foot in (FOOT_L, FOOT_R)
    ]
    assert feet[1][0] - feet[0][0] == pytest.approx(stride_m(1.756, 1.3) / 2, rel=0.15)


def test_who_stands_has_both_feet_on_the_floor_side_by_side():
    bones = bones_of(skeleton_of(MAN), STYLE, moment(0.0, 0.3))
    feet = [
        bones[foot, :, :3] @ skeleton_of(MAN).joints[foot] + bones[foot, :, 3] for foot in (FOOT_L, FOOT_R)
    ]
    assert abs(feet[0][0] - feet[1][0]) < 0.01 and abs(feet[0][2] - feet[1][2]) < 0.02


def test_bones_turn_and_never_stretch():
    bones = bones_of(skeleton_of(MAN), STYLE, moment(1.1, 0.37, 2.0, 3.0, -4.0))
    for bone in bones:
        assert bone[:, :3] @ bone[:, :3].T == pytest.approx(np.eye(3), abs=1e-5)


def test_who_sits_has_their_hips_at_the_height_of_the_chair_and_a_lower_head():
    seated = STYLE._replace(seat_m=0.57)
    _, points = points_of(MAN, Outfit(hair="bald"), seated, moment(0.8))
    bones = bones_of(skeleton_of(MAN), seated, moment(0.8))
    hips = bones[PELVIS, :, :3] @ skeleton_of(MAN).joints[PELVIS] + bones[PELVIS, :, 3]
    assert hips[2] == pytest.approx(0.57, abs=1e-5)
    assert 1.30 < points[:, 2].max() < 1.48


def test_who_turns_looks_the_other_way():
    shape, there = points_of(MAN, Outfit(hat="cap"), STYLE, moment(0.0, 0.0, 0.0))
    _, back = points_of(MAN, Outfit(hat="cap"), STYLE, moment(0.0, 0.0, np.pi))
    assert back[:, :2] == pytest.approx(-there[:, :2], abs=1e-4)
    assert of(shape, there, HAT)[:, 0].max() > 0.15
