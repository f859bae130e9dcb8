"""What a device shows, how it is filtered and aligned, and what it cannot do."""

import logging
import threading
import time

import numpy as np
import pyrealsense2 as rs
import pytest
from sdk_files import (
    BASELINE_M,
    HEIGHT,
    WIDTH,
    device,
    events,
    frames,
    number_of,
    opened,
    picture,
    plugged,
    shots,
)

from calibration.camera import Mount
from calibration.site import Site, SiteCamera
from pipeline.stage import InputError
from stages.source._camera import Camera, Wanted
from stages.source._devices import DEVICES
from stages.source._filters import Decimation, Filters, HoleFilling, Spatial, Temporal, Threshold
from stages.source.realsense import RealSense

pytest_plugins = ["live_sources"]
BAG = "realsense_bag/single_depth_color_640x480.bag"


def test_colour_lies_where_the_frame_says(source, long_file):
    with plugged(long_file):
        frame = frames(opened(source(), 8))[-1]
    assert np.array_equal(frame.depth, picture("depth", number_of(frame)))
    assert np.array_equal(frame.color, picture("color", number_of(frame)))
    assert frame.registration.intrinsics.fx_px == 60.0
    assert frame.registration.color_from_depth.translation_m == pytest.approx([BASELINE_M, 0, 0], abs=1e-7)
    assert (frame.depth_scale_m, frame.clock) == (0.001, "global_time")


def test_infrared_comes_on_the_pixels_of_depth_where_it_is_asked_for(source, tmp_path):
    path = device(tmp_path / "infrared.db3", shots(10, streams=("depth", "infrared")))
    with plugged(path):
        frame = frames(opened(source(streams=("depth", "infrared")), 2))[0]
    assert np.array_equal(frame.infrared, picture("infrared", number_of(frame)))
    assert frame.color is None
    assert frame.registration is None


def test_depth_alone_is_enough(source, tmp_path):
    with plugged(device(tmp_path / "depth.db3", shots(10, streams=("depth",)))):
        frame = frames(opened(source(streams=("depth",)), 2))[0]
    assert frame.color is None


def test_the_site_says_where_the_camera_hangs_and_what_its_clock_is_off(source, long_file):
    site = Site(
        "hall",
        {
            "flat": SiteCamera(
                x_m=2.0,
                y_m=0.0,
                yaw_deg=0.0,
                height_m=3.0,
                pitch_deg=0.0,
                roll_deg=0.0,
                clock_offset_ms=-1500.0,
            )
        },
    )
    with plugged(long_file):
        first = frames(opened(source(site=site), 2))[0]
        frame = frames(opened(source(), 2))[0]
    assert frame.captured_ns - first.captured_ns == 1_500_000_000
    frame = first
    assert frame.view.mount.x_m == 2.0
    assert frame.view.pose.translation_m == pytest.approx([2.0, 0.0, 3.0])


def test_a_camera_the_site_does_not_place_has_no_pose(source, long_file):
    with plugged(long_file):
        frame = frames(opened(source(), 2))[0]
    assert frame.view.mount == Mount()
    assert frame.view.world_from_camera is None


def test_decimated_depth_comes_with_the_intrinsics_of_its_size(source, long_file):
    with plugged(long_file):
        frame = frames(opened(source(filters=Filters(decimation=Decimation(magnitude=2))), 8))[-1]
    lens = frame.view.intrinsics
    assert frame.depth.shape == (HEIGHT // 2, WIDTH // 2)
    assert (lens.width_px, lens.height_px, lens.fx_px, lens.cx_px) == (WIDTH // 2, HEIGHT // 2, 25.0, 16.0)
    assert frame.color.shape == (HEIGHT, WIDTH, 3)


def test_infrared_is_decimated_with_depth(source, tmp_path):
    path = device(tmp_path / "infrared.db3", shots(10, streams=("depth", "infrared")))
    with plugged(path):
        camera = source(streams=("depth", "infrared"), filters=Filters(decimation=Decimation()))
        frame = frames(opened(camera, 2))[0]
    assert frame.infrared.shape == frame.depth.shape == (HEIGHT // 2, WIDTH // 2)


def test_what_lies_outside_the_threshold_is_no_measurement(source, long_file):
    with plugged(long_file):
        frame = frames(opened(source(filters=Filters(threshold=Threshold(min_m=1.1, max_m=1.2))), 2))[0]
    raw = picture("depth", number_of(frame))
    kept = (raw >= 1100) & (raw <= 1200)
    assert kept.any()
    assert not kept.all()
    assert np.array_equal(frame.depth, np.where(kept, raw, 0))


def test_all_filters_together_are_the_sdk_s_own_in_its_order(source, recordings):
    filters = Filters(Decimation(), Threshold(0.2, 6.0), Spatial(), Temporal(), HoleFilling("nearest"))
    with plugged(recordings / BAG):
        found = frames(opened(RealSense(camera_id="flat", fps=6, filters=filters), 3))
    wanted = filtered_by_hand(recordings / BAG)
    assert [frame.depth.shape for frame in found] == [(240, 320)] * 2
    assert all(np.array_equal(frame.depth, depth) for frame, depth in zip(found, wanted, strict=True))


def filtered_by_hand(path):
    option = rs.option
    threshold, holes = rs.threshold_filter(0.2, 6.0), rs.hole_filling_filter(2)
    decimation = rs.decimation_filter()
    decimation.set_option(option.filter_magnitude, 2)
    chain = [decimation, threshold, rs.disparity_transform(True), rs.spatial_filter(), rs.temporal_filter()]
    chain += [rs.disparity_transform(False), holes]
    made, arrived = [], threading.Semaphore(0)

    def take(frame):
        for one in chain:
            frame = one.process(frame)
        made.append(np.asanyarray(frame.get_data()).copy())
        arrived.release()

    playback = rs.context().load_device(str(path)).as_playback()
    playback.set_real_time(False)
    depth = playback.first_depth_sensor()
    depth.open(depth.profiles)
    depth.start(take)
    assert all(arrived.acquire(timeout=5.0) for _ in range(2))
    depth.stop()
    depth.close()
    return made


def test_aligned_colour_lies_on_the_pixels_of_depth(source, tmp_path):
    flat = [type(s)(s.stream, s.stamp_ms, s.clock, s.number, flattened(s)) for s in shots(10)]
    with plugged(device(tmp_path / "flat.db3", flat)):
        frame = frames(opened(source(align="depth"), 8))[-1]
    assert frame.registration is None
    assert frame.color.shape == (HEIGHT, WIDTH, 3)
    # at 1 m, a point 0.2 m to the right is at column 32 + 50 * 0.2 = 42 of depth, 32 + 60 * 0.215 = 44.9 of colour
    assert abs(int(frame.color[24, 42, 0]) - 45) <= 1


def flattened(shot):
    """Depth of 1 m everywhere, colour whose red is its column."""
    if shot.stream == "depth":
        return np.full((HEIGHT, WIDTH), 1000, np.uint16)
    return np.stack([np.tile(np.arange(WIDTH), (HEIGHT, 1))] * 3, axis=-1).astype(np.uint8)


def test_of_pictures_that_nobody_takes_the_last_second_is_held(long_file):
    """Of two streams of 30 a second 60; the device shows twice as many."""
    with plugged(long_file):
        camera = Camera(DEVICES.connected()["1001"], Wanted(("depth", "color"), WIDTH, HEIGHT, 30), "here")
        camera.open()
        camera.start(grace_s=5.0)
        until_s = time.monotonic() + 20.0
        while not camera.silent(0.5) and time.monotonic() < until_s:
            time.sleep(0.05)
        camera.stop()
        held = list(iter(lambda: camera.wait(0.0), None))
    assert len(held) == 60
    assert held[-1].number > held[0].number > 0  # the oldest have gone


def test_an_option_that_the_device_lacks_is_named(source, long_file):
    with plugged(long_file), pytest.raises(InputError) as caught:
        source(emitter=True).open()
    assert (
        str(caught.value)
        == "cameras.flat.emitter: Recorded 1001 has no option 'emitter_enabled'; leave 'emitter' out"
    )


def test_an_option_that_the_device_refuses_is_named(recordings):
    camera = RealSense(camera_id="flat", fps=6, emitter=False)
    with (
        plugged(recordings / BAG),
        pytest.raises(InputError, match=r"cameras\.flat\.emitter: .* does not take False"),
    ):
        camera.open()
    camera.close()


def test_a_sync_mode_that_the_device_lacks_is_named(source, long_file):
    with (
        plugged(long_file),
        pytest.raises(InputError, match=r"cameras\.flat\.sync_mode: .*'inter_cam_sync_mode'"),
    ):
        source(sync_mode=1).open()


def test_a_size_that_the_device_lacks_says_which_it_has(source, long_file):
    with (
        plugged(long_file),
        pytest.raises(InputError, match=r"no depth of 640x480 at 30 fps; choose from 64x48 at 30"),
    ):
        source(width=640, height=480).open()


def test_a_stream_that_the_device_lacks_is_named(source, long_file):
    with (
        plugged(long_file),
        pytest.raises(InputError, match=r"no infrared of .* nor any other; leave 'infrared' out"),
    ):
        source(streams=("depth", "infrared")).open()


def test_a_preset_that_is_not_there_is_named(source, long_file, tmp_path):
    with plugged(long_file), pytest.raises(InputError, match=r"cameras\.flat\.preset: .*"):
        source(preset=str(tmp_path / "none.json")).open()


def test_a_preset_that_the_device_does_not_take_is_named(source, long_file, tmp_path):
    path = tmp_path / "preset.json"
    path.write_text("{}")
    with plugged(long_file), pytest.raises(InputError, match=r"Recorded 1001 does not take .*preset\.json"):
        source(preset=str(path)).open()


def test_a_preset_needs_the_advanced_mode(source, tmp_path):
    path = device(tmp_path / "basic.db3", shots(3), infos={"advanced_mode": "NO"})
    with plugged(path), pytest.raises(InputError, match="has its advanced mode off"):
        source(preset="preset.json").open()


def test_old_firmware_and_usb_2_are_warned_of_and_in_the_event(source, tmp_path, caplog):
    infos = {
        "firmware_version": "5.9.14.0",
        "recommended_firmware_version": "5.17.0.10",
        "usb_type_descriptor": "2.1",
    }
    path = device(tmp_path / "old.db3", shots(5), infos=infos)
    with plugged(path), caplog.at_level(logging.WARNING):
        found = opened(source(), 2)
    (up,) = events(found, "source_up")
    for text in ("firmware 5.9.14.0 is older than 5.17.0.10", "connected by USB 2"):
        assert text in caplog.text
        assert text in up.detail


def test_newer_firmware_on_usb_3_is_no_warning(source, tmp_path, caplog):
    infos = {
        "firmware_version": "5.17.0.10",
        "recommended_firmware_version": "5.9.14.0",
        "usb_type_descriptor": "3.2",
    }
    with plugged(device(tmp_path / "new.db3", shots(5), infos=infos)):
        opened(source(), 2)
    assert caplog.text == ""
