"""The SDK's files in our words: nothing is lost, nothing is changed, and no wait is without end."""

import sys
import threading
import time

import numpy as np
import pyrealsense2 as rs
import pytest
from sdk_files import BASELINE_M, START_MS, WIDTH, shots, write

from calibration.camera import Intrinsics
from pipeline.stage import InputError
from stages.source._sdk import HELD, Playback, metres_of, registration_of, sdk, within

BAG = "realsense_bag/single_depth_color_640x480.bag"


def played(path, pause_s=0.0):
    """Everything in a file, by stream; the reader sleeps before each picture."""
    playback = Playback(path)
    playback.open()
    try:
        found = {}
        for shot in playback.shots():
            time.sleep(pause_s)
            found.setdefault(shot.stream, []).append(shot)
    finally:
        playback.close()
    return found


def by_stream(given):
    return {
        stream: [shot for shot in given if shot.stream == stream] for stream in ("depth", "color", "infrared")
    }


def test_what_was_recorded_is_played_pixel_for_pixel_with_its_own_stamps_and_numbers(tmp_path):
    given = shots(40, streams=("depth", "color", "infrared"), first=5)
    found = played(write(tmp_path / "all.db3", given))
    for stream, wanted in by_stream(given).items():
        assert [s.number for s in found[stream]] == [s.number for s in wanted]
        assert [s.stamp_ms for s in found[stream]] == [s.stamp_ms for s in wanted]
        assert {s.clock for s in found[stream]} == {"global_time"}
        assert all(np.array_equal(a.picture, b.picture) for a, b in zip(found[stream], wanted, strict=True))
        assert all(a.picture.dtype == b.picture.dtype for a, b in zip(found[stream], wanted, strict=True))


def test_a_reader_slower_than_the_sdk_gets_every_picture(tmp_path):
    found = played(write(tmp_path / "slow.db3", shots(60)), pause_s=0.005)
    assert [s.number for s in found["depth"]] == list(range(60))
    assert [s.number for s in found["color"]] == list(range(60))


def test_a_reader_that_sleeps_at_the_end_of_the_file_gets_every_picture(tmp_path):
    playback = Playback(write(tmp_path / "end.db3", shots(HELD)))
    playback.open()
    pictures = playback.shots()
    first = next(pictures)
    time.sleep(1.0)  # the SDK has read all there is, and waits for this test
    assert len([first, *pictures]) == 2 * HELD
    playback.close()


def test_a_sensor_that_takes_long_to_start_loses_nothing(tmp_path):
    playback = Playback(write(tmp_path / "late.db3", shots(20)))
    playback.open()
    playback._sensors = [Late(sensor) for sensor in playback._sensors]
    found = [(shot.stream, shot.number) for shot in playback.shots()]
    playback.close()
    assert sorted(found) == [(stream, n) for stream in ("color", "depth") for n in range(20)]


class Late:
    """A sensor that takes long to start."""

    def __init__(self, sensor):
        self.stop, self.close, self._start = sensor.stop, sensor.close, sensor.start

    def start(self, callback):
        self._start(callback)
        time.sleep(0.3)


def test_the_lenses_the_unit_and_the_place_of_colour_are_those_of_the_file(tmp_path):
    playback = Playback(write(tmp_path / "lens.db3", shots(2)))
    playback.open()
    optics = playback.optics
    lens = (0.0,) * 5, "brown_conrady"
    assert optics.intrinsics == Intrinsics(64, 48, 50.0, 50.0, 32.0, 24.0, *lens)
    assert optics.registration.intrinsics == Intrinsics(64, 48, 60.0, 60.0, 32.0, 24.0, *lens)
    assert optics.registration.color_from_depth.translation_m == pytest.approx([BASELINE_M, 0, 0], abs=1e-7)
    assert (optics.depth_scale_m, playback.rates_hz) == (0.001, {"depth": 30, "color": 30})
    playback.close()


def test_points_move_to_the_colour_camera_as_the_sdk_moves_them(recordings):
    context = rs.context()
    device = context.load_device(str(recordings / BAG))  # its profiles go with it
    profiles = [profile for sensor in device.query_sensors() for profile in sensor.profiles]
    depth, color = sorted(profiles, key=lambda profile: profile.stream_type() == rs.stream.color)
    found = registration_of(depth, color)
    point_m = [0.3, -0.2, 1.5]
    wanted = rs.rs2_transform_point_to_point(depth.get_extrinsics_to(color), point_m)
    assert found.color_from_depth.apply(np.array(point_m)) == pytest.approx(wanted, abs=1e-6)
    assert found.intrinsics.fx_px == pytest.approx(613.2, abs=0.1)


def test_a_real_recording_gives_all_its_pictures(recordings):
    found = played(recordings / BAG)
    assert [(s.number, s.stamp_ms, s.clock) for s in found["depth"]] == [
        (169, 360815.089, "hardware_clock"),
        (170, 360981.765, "hardware_clock"),
    ]
    assert [s.number for s in found["color"]] == [162]


@pytest.mark.parametrize("kind", ["bgr8", "rgba8", "bgra8"])
def test_colour_is_rgb_whatever_the_order_in_the_file(tmp_path, kind):
    red, green, blue = 10, 20, 30
    values = {"bgr8": (blue, green, red), "rgba8": (red, green, blue, 255), "bgra8": (blue, green, red, 255)}[
        kind
    ]
    given = shots(3, streams=("color",))
    given = [
        type(s)(s.stream, s.stamp_ms, s.clock, s.number, np.full((48, 64, len(values)), values, np.uint8))
        for s in given
    ]
    found = played(write(tmp_path / "order.db3", given, formats={"color": getattr(rs.format, kind)}))
    assert all((shot.picture == (red, green, blue)).all() for shot in found["color"])
    assert found["color"][0].picture.shape == (48, WIDTH, 3)


def test_a_recording_that_the_sdk_cannot_open_is_said_in_one_line(tmp_path):
    path = tmp_path / "notes.db3"
    path.write_text("no recording")
    with pytest.raises(InputError, match=r"notes\.db3: cannot be played by the RealSense SDK") as caught:
        Playback(path).open()
    assert "\n" not in str(caught.value)


def test_a_recording_closed_in_the_middle_ends_at_once(tmp_path):
    playback = Playback(write(tmp_path / "long.db3", shots(60)))
    playback.open()
    next(playback.shots())
    began = time.monotonic()
    playback.close()
    assert time.monotonic() - began < 1.0


def test_a_recording_is_not_among_the_live_devices(tmp_path):
    from stages.source._devices import DEVICES

    playback = Playback(write(tmp_path / "file.db3", shots(2), serial="7777"))
    playback.open()
    assert "7777" not in DEVICES.connected()
    playback.close()


def test_playing_leaves_the_file_as_it_is(tmp_path):
    path = write(tmp_path / "same.db3", shots(5))
    before = path.read_bytes()
    played(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["same.db3"]


def test_a_call_that_never_comes_back_is_given_up():
    never = threading.Event()
    with pytest.raises(TimeoutError, match=r"did not answer within 0\.05 s"):
        within(0.05, never.wait)
    never.set()


def test_what_a_call_raises_is_raised():
    with pytest.raises(ZeroDivisionError):
        within(1.0, lambda: 1 // 0)
    assert within(1.0, lambda: 3) == 3


def test_a_missing_sdk_is_an_error_that_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyrealsense2", None)
    with pytest.raises(InputError, match=r"needs the 'realsense' extra: pip install '\.\[realsense\]'"):
        sdk()


def test_a_depth_unit_is_what_its_user_wrote():
    assert [metres_of(float(np.float32(unit))) for unit in (0.001, 0.0001, 0.00025)] == [
        0.001,
        0.0001,
        0.00025,
    ]


def test_stamps_are_those_of_the_device_not_of_the_writing(tmp_path):
    given = shots(5, start_ms=START_MS, fps=2)
    found = played(write(tmp_path / "stamps.db3", given))
    assert np.diff([s.stamp_ms for s in found["depth"]]) == pytest.approx([500.0] * 4)


def test_colour_whose_place_nobody_knows_is_said_with_the_file(tmp_path):
    path = write(tmp_path / "apart.db3", shots(3), places=False)
    with pytest.raises(
        InputError, match=r"apart\.db3: does not say where its colour camera is; record again"
    ):
        Playback(path).open()
