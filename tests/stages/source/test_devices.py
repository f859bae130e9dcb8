"""Which device a camera gets: recordings plugged into the SDK's own context are opened as cameras are."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from sdk_files import device, events, frames, opened, plugged, shots, up_to

from pipeline.stage import InputError, NoCameraError
from stages.source._sdk import Playback
from stages.source.realsense import RealSense

pytest_plugins = ["live_sources"]
ROOT = Path(__file__).parents[3]
BAG = "realsense_bag/single_depth_color_640x480.bag"


def test_auto_takes_the_only_device_and_gives_its_frames(recordings):
    playback = Playback(recordings / BAG)
    playback.open()
    wanted = [shot for shot in playback.shots() if shot.stream == "depth"]
    playback.close()
    with plugged(recordings / BAG):
        camera = RealSense(camera_id="flat", fps=6)
        found = frames(opened(camera, 3))
    assert [frame.captured_ns for frame in found] == [360_815_089_000, 360_981_765_000]
    assert [frame.index for frame in found] == [0, 1]
    assert {frame.clock for frame in found} == {"hardware_clock"}
    assert all(np.array_equal(f.depth, shot.picture) for f, shot in zip(found, wanted, strict=True))
    assert all(frame.view.intrinsics == playback.optics.intrinsics for frame in found)


def test_a_serial_number_takes_that_device(source, recordings, long_file):
    with plugged(recordings / BAG, long_file):
        found = opened(source(serial="1001"), 3)
    assert events(found, "source_up")[0].detail == "Recorded 1001"


def test_auto_between_two_devices_asks_for_a_name(source, recordings, long_file):
    with plugged(recordings / BAG, long_file), pytest.raises(InputError) as caught:
        source().open()
    text = "several RealSense devices are free: 1001, 728612070259; name one, like serial: '1001'"
    assert str(caught.value) == f"cameras.flat.serial: {text}"


def test_a_serial_number_that_is_not_there_says_which_are(source, long_file):
    with (
        plugged(long_file),
        pytest.raises(InputError, match="no RealSense device 99 is connected, there is 1001"),
    ):
        source(serial="99").open()


def test_without_a_device_the_error_says_what_was_looked_for(source):
    with pytest.raises(NoCameraError, match=r"looked for any RealSense device.*none is there; connect one$"):
        source().open()


def test_auto_leaves_a_device_that_another_camera_names(source, recordings, long_file):
    named = source(camera_id="other", serial="1001")
    with plugged(recordings / BAG, long_file):
        taker = RealSense(camera_id="flat", fps=6)
        taker.open()
        assert taker._claim.serial == "728612070259"
        taker.close()
    assert named.serial == "1001"


def test_auto_leaves_a_device_that_another_camera_has(source, long_file):
    with plugged(long_file):
        source(camera_id="first").open()
        with pytest.raises(InputError, match="looked for any RealSense device that no other camera has"):
            source(camera_id="second").open()


def test_two_cameras_cannot_have_one_device(source, long_file):
    with plugged(long_file):
        source(camera_id="first", serial="1001").open()
        with pytest.raises(InputError, match="device 1001 is camera 'first' already"):
            source(camera_id="second", serial="1001").open()


def test_a_device_is_free_again_once_its_camera_is_closed(source, long_file):
    with plugged(long_file):
        first = source(camera_id="first")
        first.open()
        first.close()
        second = source(camera_id="second")
        second.open()
        assert len(frames(up_to(second.produce(0), lambda m: len(frames([m])) > 0))) == 1


def test_two_cameras_of_one_process_stream_at_once(source, tmp_path, long_file):
    other = device(tmp_path / "other.db3", shots(60), serial="1002")
    with plugged(long_file, other):
        cameras = [source(camera_id=serial, serial=serial) for serial in ("1001", "1002")]
        for camera in cameras:
            camera.open()
        found = [[], []]
        threads = [
            threading.Thread(
                target=lambda c=c, f=f: f.extend(
                    up_to(c.produce(0), lambda m: len(frames([m])) and m.index == 9)
                )
            )
            for c, f in zip(cameras, found, strict=True)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [len(frames(some)) for some in found] == [10, 10]
    assert [frames(some)[0].camera_id for some in found] == ["1001", "1002"]


@pytest.fixture
def taken_elsewhere():
    """Another process that has device 1001 for a camera of its own."""
    code = (
        "import sys; from stages.source import _devices as devices\n"
        "lock = devices._locked('1001', ''); print('taken', flush=True); sys.stdin.read()\n"
    )
    command, pipe = [sys.executable, "-c", code], subprocess.PIPE
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, env=environment, text=True) as process:
        assert process.stdout.readline() == "taken\n"
        yield process
        process.kill()


def test_a_device_that_another_process_has_is_refused_until_that_is_gone(source, long_file, taken_elsewhere):
    with plugged(long_file):
        with pytest.raises(InputError, match="device 1001 is used by another camera, or by another run"):
            source(serial="1001").open()
        with pytest.raises(NoCameraError, match="looked for any RealSense device that no other camera has"):
            source().open()
        taken_elsewhere.kill()
        taken_elsewhere.wait()
        source(serial="1001").open()


def test_what_other_cameras_name_is_left_to_them_by_a_camera_in_a_process_of_its_own(
    source, recordings, long_file
):
    named, alone = source(camera_id="other", serial="1001"), source()
    assert alone.reserved() == ("1001",)
    assert named.reserved() == ()
    with plugged(recordings / BAG, long_file):
        alone.reserve(["728612070259"])
        with pytest.raises(NoCameraError):
            alone.open()
