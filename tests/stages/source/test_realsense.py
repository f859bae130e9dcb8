"""The life of a live source: unplugged, stalled, with gaps and jumping clocks, and its settings.

What is exact about gaps and clocks is in test_feed.py: the devices here drop pictures where the machine is busy.
"""

import sys
import threading
import time
from itertools import islice

import numpy as np
import pytest
from sdk_files import START_MS, device, events, frames, number_of, opened, plugged, shots, up_to

from configs.build import ConfigError, build
from pipeline.messages import Reset, SystemEvent
from pipeline.stage import InputError, Source
from stages.source._filters import Decimation, Filters, HoleFilling, Threshold
from stages.source.realsense import RealSense

pytest_plugins = ["live_sources"]


def test_unplugged_and_plugged_again_is_said_and_frames_go_on(source, long_file, caplog):
    with plugged(long_file) as plugs:
        camera = source()
        camera.open()
        threading.Timer(0.4, plugs.unplug, [long_file]).start()
        threading.Timer(1.5, plugs.plug, [long_file]).start()
        messages, found = camera.produce(0), []
        found += up_to(messages, lambda m: isinstance(m, SystemEvent) and m.kind == "source_down")
        found += islice(messages, 9)
    kinds = [m.kind for m in found if isinstance(m, SystemEvent) and m.kind.startswith("source")]
    assert kinds == ["source_up", "source_down", "source_up"]
    assert events(found, "source_down")[0].detail == "Recorded 1001: is no longer connected"
    assert "not back yet, next attempt in 1 s" in caplog.text
    times = [frame.captured_ns for frame in frames(found)]
    assert len(times) > 10
    assert all(a < b for a, b in zip(times, times[1:], strict=False))
    assert all(a.index < b.index for a, b in zip(frames(found), frames(found)[1:], strict=False))


def test_a_device_that_stalls_is_said_and_started_again(source, tmp_path):
    short = device(tmp_path / "short.db3", shots(10))
    with plugged(short):
        camera = source(stall_s=0.3)
        camera.open()
        found = up_to(camera.produce(0), lambda m: isinstance(m, SystemEvent) and m.kind == "clock_changed")
    kinds = [m.kind for m in found if isinstance(m, SystemEvent) and m.kind != "gap"]
    assert kinds == ["source_up", "source_stalled", "source_up", "clock_changed"]
    assert events(found, "source_stalled")[0].detail.endswith(
        "gave no depth and color for 0.3 s, and is started again"
    )


def test_one_stream_that_stalls_is_enough(source, tmp_path):
    given = shots(60)
    path = device(tmp_path / "half.db3", [s for s in given if s.stream == "depth" or s.number < 10])
    with plugged(path):
        camera = source(stall_s=0.3)
        camera.open()
        found = up_to(camera.produce(0), lambda m: isinstance(m, SystemEvent) and m.kind == "source_stalled")
    assert "gave no color for 0.3 s" in found[-1].detail
    assert frames(found)[-1].color is None


def test_a_reader_that_is_slow_is_no_stall(source, long_file):
    with plugged(long_file):
        camera = source(stall_s=0.2)
        camera.open()
        messages = camera.produce(0)
        found = up_to(messages, lambda m: len(frames([m])) == 1)
        time.sleep(0.4)
        found += islice(messages, 10)
    assert events(found, "source_stalled") == []


def test_frames_that_the_device_skipped_are_counted(source, tmp_path):
    path = device(tmp_path / "gap.db3", [s for s in shots(20) if s.number not in (5, 6, 7)])
    with plugged(path):
        found = opened(source(), 9)
    numbers, indices = ([f(frame) for frame in frames(found)] for f in (number_of, lambda frame: frame.index))
    skipped = numbers[-1] - numbers[0] + 1 - len(numbers)
    assert skipped >= 3
    assert sum(gap.counts["device"] for gap in events(found, "gap")) == skipped
    assert np.diff(indices).tolist() == np.diff(numbers).tolist()


def test_a_clock_that_goes_back_is_said_and_begins_anew_while_time_rises(source, tmp_path):
    path = device(tmp_path / "back.db3", shots(10) + shots(10, first=10, start_ms=START_MS - 60_000))
    with plugged(path):
        found = opened(source(), 18)
    assert len(events(found, "clock_changed")) == len([m for m in found if isinstance(m, Reset)]) == 1
    times = [frame.captured_ns for frame in frames(found)]
    assert all(a < b for a, b in zip(times, times[1:], strict=False))


def test_frames_before_the_clock_is_tied_to_the_host_are_counted_not_given(source, tmp_path):
    untied = shots(8, start_ms=5000.0, clock="hardware_clock")
    path = device(tmp_path / "tied.db3", untied + shots(10, first=8), options={"global_time_enabled": 1.0})
    with plugged(path):
        found = opened(source(), 4)
    assert events(found, "gap")[0].counts["untied_clock"] > 0
    assert {frame.clock for frame in frames(found)} == {"global_time"}
    assert events(found, "clock_changed") == []


def test_colour_pictures_without_a_frame_are_said_at_the_end(source, tmp_path):
    path = device(
        tmp_path / "lonely.db3", [s for s in shots(20) if s.stream == "color" or s.number not in (5, 6)]
    )
    with plugged(path):
        camera = source(stall_s=0.3)
        camera.open()
        found = up_to(camera.produce(0), lambda m: isinstance(m, SystemEvent) and m.kind == "source_stalled")
    assert any(
        "pictures of color that lie at the time of no frame" in gap.detail for gap in events(found, "gap")
    )


def test_a_source_that_is_closed_while_it_waits_ends_soon(source, tmp_path):
    with plugged(device(tmp_path / "end.db3", shots(3))):
        camera = source(stall_s=30.0)
        camera.open()
        found = []
        reader = threading.Thread(target=lambda: found.extend(camera.produce(0)))
        reader.start()
        time.sleep(0.5)
        began = time.monotonic()
        camera.close()
        reader.join(5.0)
    assert time.monotonic() - began < 4.0
    assert frames(found)
    assert found[-1].detail == "Recorded 1001: was closed"


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"width": 0}, "width must be above 0, got 0"),
        ({"fps": -1}, "fps must be above 0, got -1"),
        ({"stall_s": 0.0}, "stall_s must be above 0"),
        ({"streams": ()}, "streams must name at least one stream"),
        ({"streams": ("depth", "depth")}, "streams must name at least one stream, each once"),
        ({"streams": ("depth",), "align": "depth"}, "align: depth needs the streams depth and color"),
        ({"sync_mode": -1}, "sync_mode must be 0 or more"),
        ({"filters": Filters(threshold=Threshold(2.0, 1.0))}, "min_m must be below max_m"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_before_anything_opens(settings, text):
    with pytest.raises(ValueError, match=text):
        RealSense(**settings)


def test_the_settings_of_a_graph_file_become_filters():
    settings = {
        "filters": {"decimation": {"magnitude": 4}, "hole_filling": {"source": "nearest"}},
        "serial": "1",
    }
    made = build("stages/source/realsense", settings, "cameras.flat", Source, {"camera_id": "flat"})
    assert made.filters == Filters(decimation=Decimation(4), hole_filling=HoleFilling("nearest"))


@pytest.mark.parametrize(
    "filters", [{"decimaton": {}}, {"decimation": {"magnitude": 9}}, {"spatial": {"alfa": 1}}]
)
def test_a_filter_setting_that_there_is_not_is_refused(filters):
    with pytest.raises(ConfigError, match=r"cameras\.flat\.filters"):
        build("stages/source/realsense", {"filters": filters}, "cameras.flat", Source)


def test_a_source_is_checked_without_the_sdk(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyrealsense2", None)
    camera = RealSense(camera_id="flat")
    with pytest.raises(InputError, match=r"pip install '\.\[realsense\]'"):
        camera.open()
    camera.close()
