"""A recording gives what the camera showed: every frame, its pixels, units, lenses and its own time stamp."""

import hashlib
import logging
from dataclasses import replace

import numpy as np
import pyrealsense2 as rs
import pytest
from recording_files import COUNT, edited, noise, shown, topic_of, write_bag
from scipy.spatial.transform import Rotation
from sdk_files import START_MS, write

from calibration.camera import Intrinsics, Mount, Pose, Registration, View
from calibration.manifest import Manifest, RecordedCamera
from calibration.manifest import write as write_manifest
from calibration.site import Site, SiteCamera
from pipeline.messages import Encoded, Frame, Heartbeat, Reset, SystemEvent
from pipeline.stage import InputError
from stages._recorder import Recorder
from stages.source._facts import Facts
from stages.source.recording import Recording

BAG = "realsense_bag/single_depth_color_640x480.bag"
START_NS = int(START_MS) * 1_000_000


def opened(path, **settings):
    recording = Recording(camera_id="flat", path=str(path), **settings)
    recording.open()
    return recording


def replayed(path, from_ns=0, **settings):
    return list(opened(path, **settings).produce(from_ns))


def frames(path, **settings):
    return [message for message in replayed(path, **settings) if isinstance(message, Frame)]


def pixels(picture):
    return picture.pixels() if isinstance(picture, Encoded) else picture


def told(message):
    """All of a message but its pixels, to be compared."""
    if not isinstance(message, Frame):
        return message
    here = (message.camera_id, message.index, message.captured_ns, message.clock, message.depth_scale_m)
    return (
        *here,
        message.view.intrinsics,
        *((p is not None) for p in (message.color, message.depth, message.infrared)),
    )


def unpacked(path):
    """Written by our own recorder, pictures as they are; the colour camera is turned against depth."""
    view = View(
        Intrinsics(64, 48, 50.0, 51.0, 32.0, 24.0, (0.1, 0.0, 0.0, 0.0, 0.2), "inverse_brown_conrady")
    )
    turned = Pose(Rotation.from_rotvec([0.02, -0.01, 0.03]).as_matrix(), np.array([0.059, 0.001, -0.002]))
    beside = Registration(Intrinsics(64, 48, 60.0, 61.0, 30.0, 20.0), turned)
    given = [
        Frame(
            "flat",
            n,
            START_NS + 33_000_000 * n,
            view,
            noise("color", n),
            noise("depth", n),
            clock="global_time",
            registration=beside,
        )
        for n in range(6)
    ]
    recorder = Recorder(path, given, "Recorded", "1001", is_packed=False)
    assert all([recorder.write(frame) for frame in given])
    recorder.close()
    return path


MADE = {
    "db3": lambda path: write(path, shown(12, ("depth", "color", "infrared"), first=7), pace_s=0.002),
    "db3 with bgr": lambda path: write(path, shown(5), formats={"color": rs.format.bgr8}, pace_s=0.002),
    "db3 of a hardware clock": lambda path: write(path, shown(5, clock="hardware_clock"), pace_s=0.002),
    "db3 of colour alone": lambda path: write(path, shown(5, ("color",)), pace_s=0.002),
    "db3 unpacked": unpacked,
    "bag": lambda path: write_bag(
        path.with_suffix(".bag"), shown(12, ("depth", "color", "infrared"), ms=33.3671, first=7)
    ),
    "bag with bgr": lambda path: write_bag(path.with_suffix(".bag"), shown(5), encodings={"color": "bgr8"}),
}


@pytest.mark.parametrize("kind", MADE)
def test_the_direct_reader_and_the_sdk_give_the_same(kind, tmp_path):
    path = MADE[kind](tmp_path / "flat.db3")
    assert_same(frames(path), frames(path, reader="sdk"))


@pytest.mark.parametrize("compression", ["LZ4", "BZ2"])
def test_a_compressed_bag_gives_the_same_as_one_that_is_not(compression, tmp_path, day_bag):
    packed = write_bag(tmp_path / "packed.bag", shown(first=100), compression=compression)
    assert_same(frames(packed), frames(day_bag))


def test_the_direct_reader_and_the_sdk_give_the_same_of_a_real_camera(recordings):
    direct = frames(recordings / BAG)
    assert_same(direct, frames(recordings / BAG, reader="sdk"))
    assert [(f.index, f.captured_ns, f.clock) for f in direct] == [
        (0, 360_815_089_000, "hardware_clock"),
        (1, 360_981_765_000, "hardware_clock"),
    ]
    assert direct[0].depth_scale_m == 0.001
    assert direct[0].depth.pixels().shape == (480, 640)


def assert_same(direct, sdk):
    assert [told(frame) for frame in direct] == [told(frame) for frame in sdk]
    assert len(direct) > 0
    for ours, theirs in zip(direct, sdk, strict=True):
        for stream in ("color", "depth", "infrared"):
            assert np.array_equal(pixels(getattr(ours, stream)), pixels(getattr(theirs, stream)))
        assert (ours.registration is None) == (theirs.registration is None)
        if ours.registration:
            assert ours.registration.intrinsics == theirs.registration.intrinsics
            a, b = ours.registration.color_from_depth, theirs.registration.color_from_depth
            np.testing.assert_allclose(a.rotation, b.rotation, atol=1e-6)
            np.testing.assert_allclose(a.translation_m, b.translation_m, atol=1e-6)


def test_a_frame_has_the_device_s_own_stamp_and_the_pixels_of_its_number(day):
    given = frames(day)
    assert [f.index for f in given] == list(range(COUNT))
    assert [f.captured_ns for f in given] == pytest.approx(
        [START_NS + (100 + n) * 1e9 / 30 for n in range(COUNT)], abs=1e3
    )
    for n, frame in enumerate(given):
        assert np.array_equal(pixels(frame.depth), noise("depth", 100 + n))
        assert np.array_equal(pixels(frame.color), noise("color", 100 + n))


def test_pictures_stay_encoded_until_somebody_asks(day, day_bag):
    for path, codecs in ((day, {"png"}), (day_bag, {"mono16/64x48", "rgb8/64x48"})):
        assert {p.codec for f in frames(path) for p in (f.depth, f.color)} == codecs


def test_of_two_infrared_cameras_the_left_one_is_read():
    lens, keys = Intrinsics(64, 48, 50.0, 50.0, 32.0, 24.0), [("infrared", 2), ("infrared", 1)]
    facts = Facts(dict.fromkeys(keys, "Y8"), dict.fromkeys(keys, 30.0), dict.fromkeys(keys, lens))
    assert facts.streams(keys).keys == {"infrared": ("infrared", 1)}


def test_a_stream_in_a_format_that_nobody_reads_is_left_out():
    lens, keys = Intrinsics(64, 48, 50.0, 50.0, 32.0, 24.0), [("depth", 0), ("color", 0)]
    place = dict.fromkeys(keys, Pose(np.eye(3), np.zeros(3)))
    said = {("depth", 0): "Z16", ("color", 0): "RAW16"}
    facts = Facts(said, dict.fromkeys(keys, 30.0), dict.fromkeys(keys, lens), place)
    assert list(facts.streams(keys).keys) == ["depth"]


@pytest.mark.parametrize("late_ms", [-12.0, 0.0, 9.0, 20.0])
def test_colour_joins_the_depth_that_the_sdk_s_frame_sets_join_it_to(tmp_path, late_ms):
    given = sorted(shown(60, color_late_ms=late_ms), key=lambda shot: shot.stamp_ms)
    del given[40], given[61]  # a picture of each stream is missing
    path = write(tmp_path / "flat.db3", given, pace_s=0.002)
    depth = {noise("depth", n).tobytes(): n for n in range(60)}
    color = {noise("color", n).tobytes(): n for n in range(60)}
    ours = {
        (depth[pixels(f.depth).tobytes()], color[pixels(f.color).tobytes()])
        for f in frames(path)
        if f.color is not None
    }
    theirs = set()
    for _ in range(10):  # on a busy machine the SDK joins only some of them
        theirs |= {
            pair for pair in frame_sets(path) if pair[0] > 3
        }  # at first it does not know all streams yet
        if len(theirs) > 20:
            break
    assert theirs
    assert theirs <= ours


def frame_sets(path):
    """Numbers of depth and colour of each frame set that has both, from the SDK's syncer."""
    playback = rs.context().load_device(str(path)).as_playback()
    playback.set_real_time(False)
    syncer, found = rs.syncer(100), set()
    sensors = playback.query_sensors()
    for sensor in sensors:
        sensor.open(sensor.profiles)
    for sensor in sensors:
        sensor.start(syncer)
    for _ in range(60):
        is_there, together = syncer.try_wait_for_frames(100)
        if is_there and together.size() == 2:
            found.add((together.get_depth_frame().frame_number, together.get_color_frame().frame_number))
        elif not is_there and found:
            break
    for sensor in sensors:
        sensor.stop()
        sensor.close()
    return found


@pytest.mark.parametrize("name", ["day", "day_bag"])
def test_a_replay_that_starts_at_any_time_gives_what_the_whole_one_gives_from_there(name, request):
    path = request.getfixturevalue(name)
    whole = replayed(path)
    for n, message in enumerate(whole):
        for from_ns, first in ((message.captured_ns, n), (message.captured_ns + 1, n + 1)):
            assert [told(m) for m in replayed(path, from_ns)] == [told(m) for m in whole[first:]]


def test_pictures_of_colour_without_depth_are_counted_and_said(tmp_path, caplog):
    given = [shot for shot in shown(8) if (shot.stream, shot.number) not in {("depth", 2), ("depth", 5)}]
    path = write(tmp_path / "flat.db3", given, pace_s=0.002)
    with caplog.at_level(logging.WARNING):
        assert sum(f.color is not None for f in frames(path)) == 6
    assert "pictures of color that lie at the time of no frame: 2" in caplog.text


def test_numbers_that_the_device_skipped_are_one_gap_and_leave_a_gap_in_the_indices(tmp_path):
    path = write(tmp_path / "flat.db3", shown(3) + shown(3, first=7), pace_s=0.002)
    given = replayed(path)
    assert [m.index for m in given if isinstance(m, Frame)] == [0, 1, 2, 7, 8, 9]
    (gap,) = [m for m in given if isinstance(m, SystemEvent)]
    assert (gap.kind, gap.dropped, gap.counts) == ("gap", 4, {"device": 4})
    assert "lost before or while it was recorded" in gap.detail
    assert gap.captured_ns == given[given.index(gap) + 1].captured_ns


def test_a_clock_that_jumps_back_resets_and_time_goes_on_rising(tmp_path):
    jumped = [replace(shot, stamp_ms=shot.stamp_ms - 5000.0) for shot in shown(4, first=6)]
    path = write(tmp_path / "flat.db3", shown(6) + jumped, pace_s=0.002)
    given = replayed(path)
    kinds = [type(message) for message in given]
    assert kinds == [Frame] * 6 + [SystemEvent, Reset] + [Frame] * 4
    assert given[6].kind == "clock_changed"
    times = [message.captured_ns for message in given]
    assert times[6] == times[7] == times[8] == times[5] + 1
    assert np.diff(times[8:]).tolist() == pytest.approx([1e9 / 30] * 3, abs=1e3)
    assert all(message.color is not None for message in given if isinstance(message, Frame))
    assert [told(m) for m in replayed(path, times[8])] == [told(m) for m in given[6:]]


def test_the_unit_of_depth_is_the_recorded_one_unless_a_setting_says_another(day, day_bag, copy, tmp_path):
    path = copy(day)
    with edited(path) as database:
        text = b"0.000250\0"
        units = b"\0\1\0\0" + len(text).to_bytes(4, "little") + text
        topic = topic_of(database, "Depth_Units/value")
        database.execute("UPDATE messages SET data = ? WHERE topic_id = ?", (units, topic))
    assert frames(path)[0].depth_scale_m == 0.00025
    assert frames(path, depth_scale_m=0.001)[0].depth_scale_m == 0.001
    bag = write_bag(tmp_path / "fine.bag", shown(3), units=0.0001)
    assert frames(bag)[0].depth_scale_m == 0.0001
    nonsense = write_bag(tmp_path / "nonsense.bag", shown(3), units=0.0)
    with pytest.raises(InputError, match=r"says that depth is in units of 0\.0 m; set depth_scale_m"):
        frames(nonsense)
    assert frames(nonsense, depth_scale_m=0.001)[0].depth_scale_m == 0.001
    with pytest.raises(ValueError, match="depth_scale_m must lie between 0 and 1"):
        Recording(path=str(day), depth_scale_m=1000.0)


SITE = Site("demo", {"flat": SiteCamera(1.0, 2.0, 30.0, 3.0, 0.0, 0.0, clock_offset_ms=20.0)})


def test_without_a_manifest_the_site_file_says_where_the_camera_hangs(day):
    frame = frames(day, site=SITE)[0]
    assert frame.captured_ns == frames(day)[0].captured_ns + 20_000_000
    assert frame.view.mount == Mount(1.0, 2.0, 30.0, 3.0, 0.0, 0.0, is_placed=True)
    assert frame.view.pose.translation_m.tolist() == [1.0, 2.0, 3.0]
    assert frames(day)[0].view.world_from_camera is None


def test_the_manifest_beside_a_recording_beats_the_site_file_and_the_difference_is_said(day, copy, caplog):
    path = copy(day)
    mount = Mount(1.0, 2.0, 90.0, 3.0, 0.0, 0.0, is_placed=True)
    camera = RecordedCamera(path.name, COUNT, 0, "", -7.5, mount)
    write_manifest(path.parent, Manifest("a test", "recorded", "demo", {"flat": camera}))
    with caplog.at_level(logging.WARNING):
        frame = frames(path, site=SITE)[0]
    assert frame.view.mount == mount
    assert frame.captured_ns == frames(day)[0].captured_ns - 7_500_000
    (line,) = [record.getMessage() for record in caplog.records]
    assert "yaw_deg 30.0 there and 90.0 here, clock_offset_ms 20.0 there and -7.5 here" in line


def test_a_manifest_that_agrees_with_the_site_file_is_not_worth_a_word(day, copy, caplog):
    path = copy(day)
    mount = SITE.cameras["flat"].mount
    write_manifest(
        path.parent,
        Manifest(
            "a test",
            "recorded",
            "demo",
            {"flat": RecordedCamera(path.name, clock_offset_ms=20.0, mount=mount)},
        ),
    )
    frames(path, site=SITE)
    assert caplog.records == []


def test_what_a_manifest_leaves_open_the_site_file_says(day, copy, caplog):
    path = copy(day)
    cameras = {"flat": RecordedCamera(path.name, mount=replace(SITE.cameras["flat"].mount, yaw_deg=90.0))}
    write_manifest(path.parent, Manifest("a test", "recorded", "demo", cameras))
    frame = frames(path, site=SITE)[0]
    assert (frame.view.mount.yaw_deg, frame.captured_ns) == (90.0, frames(day, site=SITE)[0].captured_ns)
    write_manifest(path.parent, Manifest("a test", "recorded", "demo", {"flat": RecordedCamera(path.name)}))
    assert frames(path, site=SITE)[0].view.mount.yaw_deg == 30.0


def test_a_manifest_that_does_not_know_the_camera_is_said_and_left_aside(day, copy, caplog):
    path = copy(day)
    write_manifest(path.parent, Manifest("a test", "recorded", "demo", {"other": RecordedCamera(path.name)}))
    assert frames(path, site=SITE)[0].view.mount.yaw_deg == 30.0
    assert "says nothing of camera 'flat'" in caplog.text


def test_a_broken_manifest_is_the_user_s_to_mend(day, copy):
    path = copy(day)
    (path.parent / "manifest.json").write_text("{")
    with pytest.raises(InputError, match=r"manifest\.json: is not"):
        opened(path)


@pytest.mark.parametrize("beside", ["", "-wal", "-journal", "-shm"])
def test_a_recording_and_what_lies_beside_it_are_never_written_to(day, copy, beside):
    path = copy(day)
    if beside:
        path.with_name(path.name + beside).write_bytes(b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7" + b"\1" * 1000)
    before = {file.name: hashlib.sha256(file.read_bytes()).digest() for file in path.parent.iterdir()}
    assert len(frames(path)) == COUNT
    after = {file.name: hashlib.sha256(file.read_bytes()).digest() for file in path.parent.iterdir()}
    assert after == before


def test_a_recording_that_its_writer_did_not_end_says_so(day, copy):
    path = copy(day)
    path.with_name(path.name + "-journal").write_bytes(b"something")
    *_, last = replayed(path)
    assert (last.kind, last.dropped) == ("gap", None)
    assert "was not closed, flat.db3-journal is there" in last.detail


def test_every_row_of_the_file_is_a_frame_or_counted(day, copy):
    path = copy(day)
    with edited(path) as database:
        depth, metadata = (
            topic_of(database, "Depth_0", "compressedDepth"),
            topic_of(database, "Depth_0", "metadata"),
        )
        ids = [
            id
            for (id,) in database.execute("SELECT id FROM messages WHERE topic_id = ? ORDER BY id", (depth,))
        ]
        database.execute("UPDATE messages SET data = substr(data, 1, 4000) WHERE id IN (?, ?)", ids[3:5])
        database.execute(
            "UPDATE messages SET data = x'00' WHERE topic_id = ? AND id IN (?, ?)",
            (metadata, ids[8] + 1, ids[9] + 1),
        )
    given = replayed(path)
    lost = sum(m.counts.get("damaged", 0) for m in given if isinstance(m, SystemEvent))
    assert (len([m for m in given if isinstance(m, Frame)]), lost) == (COUNT - 4, 4)


def test_a_damaged_depth_picture_is_a_gap_with_the_reason_at_its_time(day, copy):
    path = copy(day)
    with edited(path) as database:
        depth = topic_of(database, "Depth_0", "compressedDepth")
        (id,) = database.execute(
            "SELECT id FROM messages WHERE topic_id = ? LIMIT 1 OFFSET 5", (depth,)
        ).fetchone()
        (data,) = database.execute("SELECT data FROM messages WHERE id = ?", (id,)).fetchone()
        spoilt = bytearray(data)
        spoilt[2000] ^= 1
        database.execute("UPDATE messages SET data = ? WHERE id = ?", (bytes(spoilt), id))
    given, whole = replayed(path), frames(day)
    assert [m.index for m in given if isinstance(m, Frame)] == [n for n in range(COUNT) if n != 5]
    gap, heartbeat = given[5:7]
    assert (gap.kind, gap.dropped, gap.counts, gap.captured_ns) == (
        "gap",
        1,
        {"damaged": 1},
        whole[5].captured_ns,
    )
    assert "the depth of frame 5 has a IDAT chunk with another checksum" in gap.detail
    assert heartbeat == Heartbeat(whole[5].captured_ns)
    for from_ns, first in ((gap.captured_ns, 5), (gap.captured_ns + 1, 7)):
        assert [told(m) for m in replayed(path, from_ns)] == [told(m) for m in given[first:]]


def test_a_damaged_colour_picture_costs_the_frame_its_colour_alone(day, copy):
    path = copy(day)
    with edited(path) as database:
        color = topic_of(database, "Color_0", "compressed")
        database.execute(
            "UPDATE messages SET data = substr(data, 1, 3000) WHERE id = (SELECT max(id) FROM messages WHERE topic_id = ?)",
            (color,),
        )
    *before, gap, last = replayed(path)
    assert all(frame.color is not None for frame in before)
    assert (last.color, last.index) == (None, COUNT - 1)
    assert (gap.kind, gap.dropped, gap.counts) == ("gap", 0, {})
    assert "the color of frame 23 is a PNG cut off" in gap.detail
