"""The floor is found from the first frame that shows enough of it, kept, and found again where a camera was moved."""

import numpy as np
from builders import frame
from scenes import LENS, Box, depth_of, view

from calibration.camera import Mount, View
from pipeline.codecs import decode_picture
from pipeline.messages import Encoded, Frame
from stages.floor import Floor

UNKNOWN = View(LENS, Mount(1.0, 2.0, 0.0, is_placed=True))
LEVEL, LOWER = depth_of([], view(3.0)), depth_of([], view(2.8))
NOTHING = np.zeros((480, 640), np.uint16)


def feed(stage, *depths, every_s=0.25, start=0):
    frames, said = [], []
    for i, depth in enumerate(depths, start):
        for given in stage.process(frame("east", i, int(i * every_s * 1e9), view=UNKNOWN, depth=depth)):
            (frames if isinstance(given, Frame) else said).append(given)
    return frames, said


def test_gives_the_pose_from_the_first_frame_on_and_says_it():
    frames, said = feed(Floor(), LEVEL, LEVEL)
    assert [round(float(f.view.pose.translation_m[2]), 2) for f in frames] == [3.0, 3.0]
    assert frames[0].view.pose.translation_m[:2].tolist() == [1.0, 2.0]
    assert [event.kind for event in said] == ["floor_found"]
    assert "3.000 m below the camera, which is tilted by 0.0 degrees" in said[0].detail
    assert frames[0].view.calibration_id


def test_a_frame_without_a_floor_goes_on_without_a_pose_and_it_is_said_once():
    frames, said = feed(Floor(), NOTHING, NOTHING, LEVEL)
    assert [f.view.world_from_camera is None for f in frames] == [True, True, False]
    assert [event.kind for event in said] == ["floor_lost", "floor_found"]


def test_a_camera_that_was_moved_has_its_floor_found_again():
    frames, said = feed(Floor(again_s=0.2), *[LEVEL] * 8, *[LOWER] * 8)
    assert [event.kind for event in said if event.kind != "floor_lost"] == ["floor_found", "floor_moved"]
    assert round(float(frames[-1].view.pose.translation_m[2]), 2) == 2.8
    assert frames[0].view.calibration_id != frames[-1].view.calibration_id


def test_a_pose_that_is_known_is_left_alone():
    given = frame("east", view=view(3.0), depth=NOTHING)
    assert list(Floor().process(given)) == [given]


def test_decodes_only_the_frames_that_it_looks_at(monkeypatch):
    import cv2

    decoded = []
    monkeypatch.setattr(
        "pipeline.messages.decode_picture", lambda *a: decoded.append(1) or decode_picture(*a)
    )
    png = Encoded("png", cv2.imencode(".png", LEVEL)[1].tobytes())
    frames, _ = feed(Floor(), *[png] * 30, every_s=1 / 30)
    assert len(frames) == 30
    assert len(decoded) == 5


def test_learns_what_stands_there_for_long():
    table = depth_of([Box((0.5, -0.4, 0.70), (1.5, 0.4, 0.75))], view(3.0))
    frames, _ = feed(Floor(), *[table] * 20)
    stands = frames[-1].view.standing
    row, column = np.floor((np.array([2.0, 2.0]) - stands.corner_m) / 0.12).astype(int)[::-1]
    assert abs(stands.known_m[row, column] - 0.75) < 0.05


def test_knows_at_once_that_no_furniture_stands_where_the_floor_was_seen():
    table = depth_of([Box((0.5, -0.4, 0.70), (1.5, 0.4, 0.75))], view(3.0))
    frames, _ = feed(Floor(), table, table)
    stands = frames[-1].view.standing
    bare, hidden = (
        tuple(np.floor((np.array(place) - stands.corner_m) / 0.12).astype(int)[::-1])
        for place in ([0.5, 2.0], [2.0, 2.0])
    )
    assert stands.known_m[bare] == 0
    assert np.isnan(stands.known_m[hidden])


def test_carries_on_from_a_snapshot():
    stage, other = Floor(), Floor()
    feed(stage, LEVEL, LEVEL, LEVEL)
    other.restore(stage.snapshot())
    (one,), _ = feed(stage, LEVEL, start=3)
    (two,), said = feed(other, LEVEL, start=3)
    assert said == []
    assert one.view.calibration_id == two.view.calibration_id
    assert np.array_equal(one.view.standing.heights_m, two.view.standing.heights_m)


def test_of_live_cameras_the_map_is_written_when_the_floor_was_looked_for_again():
    stage, live = Floor(), Floor(is_live=True)
    for one in (stage, live):
        feed(one, *[LEVEL] * 8)
        assert one.snapshot()
        feed(one, *[LEVEL] * 4, start=8)
    assert (bool(stage.snapshot()), live.snapshot()) == (True, {})
    feed(live, *[LEVEL] * 20, start=12)
    other = Floor(is_live=True)
    other.restore(live.snapshot())
    (one,), _ = feed(other, LEVEL, start=32)
    assert one.view.world_from_camera is not None and one.view.standing is not None
