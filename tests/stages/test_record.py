"""Recordings through the SDK's recorder: what goes in is in the file, and what is not is counted and said."""

import logging
import sqlite3
import sys
import time

import cv2
import numpy as np
import pytest
from recorded import BEGAN_NS, BESIDE, HEIGHT, PERIOD_NS, TURN, VIEW, WIDTH, frame, noise, played, record
from rosbags.highlevel import AnyReader
from rosbags.typesys import Stores, get_typestore

from pipeline.messages import Encoded, Frame
from pipeline.stage import InputError
from stages._recorder import IN_FLIGHT, NEARLY, Recorder, pictures_in
from stages.record import Record


@pytest.mark.parametrize("packed", [True, False])
def test_a_recording_plays_as_what_was_recorded(tmp_path, packed):
    given = [frame(n, infrared=True) for n in range(3, 23)]
    assert record(tmp_path, given, packed=packed) == []
    playback, found = played(tmp_path / "flat.db3")
    for stream, shots in found.items():
        assert [shot.number for shot in shots] == [one.index for one in given]
        assert [shot.stamp_ms for shot in shots] == [one.captured_ns / 1e6 for one in given]
        assert {shot.clock for shot in shots} == {"global_time"}
        assert all(
            np.array_equal(s.picture, getattr(one, stream)) for s, one in zip(shots, given, strict=True)
        )
    assert playback.rates_hz == {"depth": 10, "color": 10, "infrared": 10}
    assert playback.optics.depth_scale_m == 0.001


def test_lenses_and_the_place_of_colour_are_in_the_recording(tmp_path):
    record(tmp_path, [frame(n) for n in range(3)])
    optics = played(tmp_path / "flat.db3")[0].optics
    assert optics.intrinsics.matrix == pytest.approx(VIEW.intrinsics.matrix)
    assert optics.intrinsics.distortion == pytest.approx(VIEW.intrinsics.distortion)
    assert optics.registration.intrinsics == BESIDE.intrinsics
    assert optics.registration.color_from_depth.rotation == pytest.approx(TURN, abs=1e-6)
    assert optics.registration.color_from_depth.translation_m == pytest.approx(
        [0.059, 0.01, -0.002], abs=1e-6
    )


def test_colour_on_the_pixels_of_depth_stays_there(tmp_path):
    record(tmp_path, [frame(n, registration=None) for n in range(3)])
    assert played(tmp_path / "flat.db3")[0].optics.registration is None


def test_the_unit_of_depth_is_in_the_recording(tmp_path):
    record(tmp_path, [frame(n, depth_scale_m=0.00025) for n in range(3)])
    assert played(tmp_path / "flat.db3")[0].optics.depth_scale_m == 0.00025


def test_the_recording_opens_in_rosbags_too(tmp_path):
    record(tmp_path, [frame(n) for n in range(12)], serials={"flat": "728612070259"})
    with AnyReader([tmp_path / "flat.db3"], default_typestore=get_typestore(Stores.ROS2_HUMBLE)) as reader:
        counts = {c.topic: c.msgcount for c in reader.connections if "/image/data" in c.topic}
        depth = next(c for c in reader.connections if c.topic.endswith("compressedDepth"))
        first = next(reader.messages([depth]))[2]
        told = [
            reader.deserialize(raw, c.msgtype).data
            for c, _, raw in reader.messages()
            if c.topic == "/device_0/info"
        ]
        packed = bytes(reader.deserialize(first, depth.msgtype).data)
    assert sorted(counts.values()) == [12, 12]
    pixels = cv2.imdecode(np.frombuffer(packed[packed.index(b"\x89PNG") :], np.uint8), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(pixels, frame(0).depth)
    assert any("728612070259" in text for text in told)


def test_frames_fed_as_fast_as_they_come_are_all_in_the_file(tmp_path):
    cameras = ("ascent", "flat")
    given = [noise(n, camera) for n in range(60) for camera in cameras]
    assert record(tmp_path, given) == []
    for camera in cameras:
        assert [shot.number for shot in played(tmp_path / f"{camera}.db3")[1]["depth"]] == list(range(60))


def test_rows_are_in_the_order_of_their_times_and_numbers(tmp_path):
    record(tmp_path, [frame(n) for n in range(200)])
    with sqlite3.connect(tmp_path / "flat.db3") as database:
        times = [
            row[0]
            for row in database.execute("SELECT timestamp FROM messages WHERE data IS NOT NULL ORDER BY id")
        ]
    database.close()
    pictures = times[-600:]  # before them are the tables
    assert pictures == sorted(pictures)


def test_a_picture_that_its_owner_changes_afterwards_is_recorded_as_it_was(tmp_path):
    stage = Record(out=str(tmp_path), reserve_mb=0.0)
    stage.open()
    wanted = []
    pixels = np.zeros((HEIGHT, WIDTH), np.uint16)
    for n in range(20):
        pixels += 1
        wanted.append(n + 1)
        list(
            stage.process(
                Frame("flat", n, BEGAN_NS + n * PERIOD_NS, VIEW, depth=pixels if n > 10 else pixels.copy())
            )
        )
    list(stage.finish())
    stage.close()
    assert [int(shot.picture[0, 0]) for shot in played(tmp_path / "flat.db3")[1]["depth"]] == wanted


def test_an_encoded_picture_is_recorded_as_its_pixels(tmp_path):
    raw = frame(0, color=False).depth
    packed = Encoded("png", cv2.imencode(".png", raw)[1].tobytes())
    record(tmp_path, [Frame("flat", n, BEGAN_NS + n * PERIOD_NS, VIEW, depth=packed) for n in range(3)])
    assert np.array_equal(played(tmp_path / "flat.db3")[1]["depth"][2].picture, raw)


def test_a_single_frame_is_a_recording(tmp_path):
    assert record(tmp_path, [frame(0)]) == []
    assert pictures_in(tmp_path / "flat.db3") == {"depth": 1, "color": 1}


def test_colour_that_begins_after_depth_is_recorded_from_there(tmp_path):
    assert record(tmp_path, [frame(n, color=n > 2) for n in range(40)]) == []
    assert pictures_in(tmp_path / "flat.db3") == {"depth": 40, "color": 37}


def test_colour_that_is_missing_now_and_then_is_no_loss(tmp_path):
    assert record(tmp_path, [frame(n, color=n % 3 > 0) for n in range(40)]) == []


def test_a_frame_that_does_not_fit_the_first_ones_is_counted_and_said(tmp_path):
    given = [frame(n, color=False) for n in range(12)] + [frame(n) for n in range(12, 15)]
    first, last = record(tmp_path, given)
    assert "their streams or sizes are not those of the first frames" in first.detail
    assert (first.kind, first.camera_id, first.counts, last.counts) == (
        "gap",
        "flat",
        {"unfit": 1},
        {"unfit": 2},
    )
    assert pictures_in(tmp_path / "flat.db3") == {"depth": 12}


def test_a_file_that_lost_rows_is_said(tmp_path, monkeypatch):
    """The recorder itself is not to blame here: rows are taken from its file before they are counted."""
    from stages import _recorder

    counted = _recorder.pictures_in

    def robbed(path):
        with sqlite3.connect(path) as database:
            rows = "SELECT id FROM messages WHERE topic_id = (SELECT id FROM topics WHERE name LIKE '%compressedDepth')"
            database.execute(f"DELETE FROM messages WHERE id IN ({rows} LIMIT 4)")
        return counted(path)

    monkeypatch.setattr(_recorder, "pictures_in", robbed)
    (gap,) = record(tmp_path, [frame(n) for n in range(20)])
    assert (gap.kind, gap.camera_id, gap.dropped, gap.counts) == ("gap", "flat", 4, {"recorder": 4})
    assert gap.captured_ns == frame(19).captured_ns
    assert gap.detail == "flat.db3: 4 frames are not in it, 4 of them lost by the recorder"


@pytest.mark.parametrize("name", ["flat.db3", "old.bag", "manifest.json"])
def test_a_folder_that_holds_a_recording_is_refused(tmp_path, name):
    (tmp_path / name).touch()
    with pytest.raises(InputError, match=f"holds a recording already, {name}; choose another folder"):
        Record(out=str(tmp_path)).open()


@pytest.mark.parametrize("inside", ["file", "file/inside"])
def test_a_folder_that_cannot_be_made_is_named(tmp_path, inside):
    (tmp_path / "file").touch()
    text = f"{tmp_path / inside}: cannot be made, {tmp_path / 'file'} is not a folder; choose another folder"
    with pytest.raises(InputError, match=text):
        Record(out=str(tmp_path / inside)).open()


def test_no_folder_is_made_before_the_first_frame(tmp_path):
    stage = Record(out=str(tmp_path / "made" / "late"), reserve_mb=0.0)
    stage.open()
    assert list(tmp_path.iterdir()) == []
    list(stage.process(frame(0)))
    stage.close()
    assert (tmp_path / "made" / "late" / "flat.db3").exists()


def test_too_little_room_for_the_reserve_is_refused_before_anything_is_recorded(tmp_path):
    with pytest.raises(InputError, match=r"less than 1e\+12 MB are free; make room"):
        Record(out=str(tmp_path), reserve_mb=1e12).open()


def test_too_little_room_for_the_seconds_asked_for_is_refused_after_the_first_frames(tmp_path):
    with pytest.raises(
        InputError, match=r"1e\+09 s need \d+ MB, and \d+ MB are free beside the reserve of 0 MB"
    ):
        record(tmp_path, [noise(n) for n in range(20)], seconds=1e9)


def test_room_for_the_seconds_asked_for_is_taken(tmp_path):
    assert record(tmp_path, [noise(n) for n in range(20)], seconds=10.0) == []


def test_files_end_whole_when_the_run_fails(tmp_path):
    stage = Record(out=str(tmp_path), reserve_mb=0.0)
    stage.open()
    for n in range(15):
        list(stage.process(frame(n)))
    stage.close()
    assert pictures_in(tmp_path / "flat.db3") == {"depth": 15, "color": 15}


def test_what_a_failed_run_lost_is_logged(tmp_path, caplog):
    stage = Record(out=str(tmp_path), reserve_mb=0.0)
    stage.open()
    for n in range(13):
        list(stage.process(frame(n, color=n > 10, registration=None)))
    with caplog.at_level(logging.WARNING):
        stage.close()
    assert "camera flat: flat.db3: 1 frames are not in it" in caplog.text


def test_a_damaged_file_holds_no_pictures(tmp_path):
    path = tmp_path / "damaged.db3"
    path.write_bytes(b"SQLite format 3\0" + bytes(5000))
    assert pictures_in(path) == {}


def test_without_the_sdk_the_error_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyrealsense2", None)
    with pytest.raises(InputError, match=r"pip install '\.\[realsense\]'"):
        Record(out=str(tmp_path)).open()


@pytest.mark.parametrize("settings", [{"reserve_mb": -1.0}, {"seconds": 0.0}])
def test_a_setting_that_cannot_be_is_refused(settings):
    with pytest.raises(ValueError, match="must be"):
        Record(**settings)


def test_the_recorder_is_never_far_behind_what_it_is_given(tmp_path):
    given = [noise(n) for n in range(80)]
    size_mb = given[0].depth.nbytes / 1e6
    recorder = Recorder(tmp_path / "flat.db3", given[:2], "Sightline", "1001")
    behind_mb = [recorder.unwritten_mb for one in given if recorder.write(one)]
    assert max(behind_mb) <= (IN_FLIGHT + NEARLY + 1) * size_mb
    assert max(behind_mb) > (IN_FLIGHT - NEARLY) * size_mb  # and is kept busy
    until_s = time.monotonic() + 60
    while recorder.unwritten_mb > (NEARLY + 0.5) * size_mb:
        assert time.monotonic() < until_s
        time.sleep(0.05)
    assert recorder.unwritten_mb == pytest.approx(NEARLY * size_mb, abs=size_mb)
    assert recorder.expected_mb == pytest.approx((tmp_path / "flat.db3").stat().st_size / 1e6, rel=0.02)
    assert recorder.close() == 80
