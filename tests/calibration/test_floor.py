"""The floor is found from depth alone: under people, beside tables, through noise; and what is none is refused."""

import numpy as np
import pytest
from scenes import LENS, Box, depth_of, person, view

from calibration.camera import pose_from_plane
from calibration.floor import find_floor, fit_plane, found_again, samples_of


def samples(things, seen, **given):
    return samples_of(depth_of(things, seen, **given), 0.001, LENS)


def angle_deg(plane, seen):
    return np.degrees(np.arccos(np.clip(-seen.pose.rotation[2] @ -plane.normal, -1, 1)))


@pytest.mark.parametrize("height_m", [2.3, 3.0, 6.0])
@pytest.mark.parametrize(("pitch_deg", "roll_deg"), [(0, 0), (30, 0), (45, 0), (-20, 25)])
def test_gives_height_and_tilt(height_m, pitch_deg, roll_deg):
    seen = view(height_m, pitch_deg, roll_deg)
    plane = find_floor([samples(person(0.3, 0.2), seen, noise=0.003)])
    assert plane.height_m == pytest.approx(height_m, abs=0.01 * height_m / 2)
    assert angle_deg(plane, seen) < 0.4
    assert plane.share > 0.5


@pytest.mark.parametrize("noise", [0.001, 0.004, 0.012])
def test_measures_its_own_noise(noise):
    plane = find_floor([samples([], view(2.7), noise=noise)])
    assert plane.noise == pytest.approx(noise, rel=0.25)
    assert plane.height_m == pytest.approx(2.7, abs=0.02)


def test_a_table_under_the_camera_is_not_the_floor():
    table = Box((-0.9, -0.6, 0.70), (0.9, 0.6, 0.75))
    plane = find_floor([samples([table], view(2.6), noise=0.003)])
    assert plane.height_m == pytest.approx(2.6, abs=0.02)


def test_a_crowd_and_several_looks():
    crowd = [person(x, y) for x in (-0.8, -0.3, 0.2, 0.7) for y in (-0.4, 0.1, 0.6)]
    looks = [samples(sum(crowd[i::2], []), view(2.8), noise=0.004, seed=i) for i in range(2)]
    assert find_floor(looks).height_m == pytest.approx(2.8, abs=0.03)


@pytest.mark.parametrize("lower_m", [0.0, 0.1])
def test_is_found_again_from_where_it_was_also_a_little_off(lower_m):
    plane = find_floor([samples([], view(2.7, 30), noise=0.003)])
    seen = view(2.7 - lower_m, 32)
    again = found_again(plane, [samples(person(0.3, 0.2), seen, noise=0.004)])
    assert again.height_m == pytest.approx(2.7 - lower_m, abs=0.01)
    assert angle_deg(again, seen) < 0.4


def test_is_not_found_again_where_it_is_no_more():
    plane = find_floor([samples([], view(2.7), noise=0.003)])
    assert found_again(plane, [samples([], view(5.0, 20), noise=0.003)]) is None
    assert found_again(plane, [samples([], view(2.7), noise=0.003)[:20]]) is None


def test_the_pose_from_the_plane_puts_the_floor_at_zero():
    seen = view(3.0, 20, -10)
    plane = find_floor([samples([], seen)])
    pose = pose_from_plane(plane.normal, plane.height_m, seen.mount)
    assert np.allclose(pose.rotation, seen.pose.rotation, atol=2e-3)
    assert np.allclose(pose.translation_m, seen.pose.translation_m, atol=5e-3)


def test_refuses_a_floor_that_is_too_steep_rubbish_and_nothing():
    with pytest.raises(ValueError, match="no floor: no plane within 30 degrees of straight below holds 10%"):
        find_floor([samples([], view(2.6, 40))], max_tilt_deg=30)
    random = np.random.default_rng(0).integers(1000, 6000, (480, 640)).astype(np.uint16)
    with pytest.raises(ValueError, match="no floor"):
        find_floor([samples_of(random, 0.001, LENS)])
    with pytest.raises(
        ValueError, match="no floor: only 0 points of the depth are measured; check that nothing"
    ):
        find_floor([samples_of(np.zeros((480, 640), np.uint16), 0.001, LENS)])


@pytest.mark.parametrize("scale", [0.0001, 0.01])
def test_a_wrong_unit_is_said(scale):
    depth = depth_of([], view(2.6))
    with pytest.raises(ValueError, match=r"not 1.5 to 10.0 m; check the unit of depth|no floor"):
        find_floor([samples_of(depth, scale, LENS)])


def test_finds_the_dominant_plane_of_a_real_recording_read_by_hand(recordings):
    stores = pytest.importorskip("rosbags.highlevel")
    path = recordings / "realsense_bag" / "single_depth_color_640x480.bag"
    with stores.AnyReader([path], default_typestore=_types()) as bag:
        topics = [c for c in bag.connections if c.topic.endswith("Depth_0/image/data")]
        raw = [bag.deserialize(data, c.msgtype) for c, _, data in bag.messages(topics)]
    depth = np.frombuffer(raw[0].data.tobytes(), np.uint16).reshape(raw[0].height, raw[0].width)
    plane = fit_plane(samples_of(depth, 0.001, LENS))
    assert plane.share > 0.1
    assert 0.2 < plane.height_m < 10


def _types():
    from rosbags.typesys import Stores, get_typestore

    return get_typestore(Stores.ROS1_NOETIC)
