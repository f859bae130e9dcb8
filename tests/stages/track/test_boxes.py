"""People keep their numbers by their boxes alone: through misses, crossings and a camera that turns, at any frame rate."""

from itertools import count

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.camera import Intrinsics, Mount, View, pose_of
from pipeline.messages import Detections, Frame
from pipeline.wire import decode, encode
from stages.track._box_camera import BoxCamera
from stages.track.boxes import BoxTracker

SIZE = (1280, 720)
LENS = Intrinsics(*SIZE, 900.0, 900.0, 639.5, 359.5)
HIGH = 200.0  # of a person, in pixels


def person(x, y=400.0, high=HIGH):
    """The box of somebody whose middle is there."""
    wide = 0.4 * high
    return x - wide / 2, y - high / 2, x + wide / 2, y + high / 2


class Scene:
    """Feeds a tracker with boxes, so many frames a second."""

    def __init__(self, fps=10.0, tracker=None, view=None):
        self.fps, self.tracker, self.view, self._index = fps, tracker or BoxTracker(), view, count()

    def tracks(self, *boxes, scores=None):
        scores = [0.9] * len(boxes) if scores is None else scores
        found = Detections.alone(boxes, scores, next(self._index) / self.fps, SIZE)
        if self.view is not None:
            frame = Frame("yard", found.frame.index, found.frame.captured_ns, self.view)
            found = Detections(frame, found.boxes, found.scores, found.floor_m, found.heights_m)
        return self.tracker.update(found)

    def ids(self, *boxes, scores=None):
        """The number of each of them, in their order."""
        tracks = self.tracks(*boxes, scores=scores)
        seen = tracks[tracks.scores > 0]
        left = {round(float(box[0]), 2): id for box, id in zip(seen.boxes, seen.track_ids, strict=True)}
        return [left.get(round(float(np.float32(box[0])), 2)) for box in boxes]


def test_a_person_has_a_number_from_the_first_frame_on():
    scene = Scene()
    assert scene.ids(person(100)) == scene.ids(person(110)) == [0]


@pytest.mark.parametrize("fps", [5, 15, 30])
@pytest.mark.parametrize("missed_s", [0.4, 1.0, 1.8])
def test_a_person_who_is_hidden_for_less_than_two_seconds_is_the_same(fps, missed_s):
    scene, step = Scene(fps), 160.0 / fps
    walked = [scene.ids(person(100 + step * i)) for i in range(2 * fps)]
    for _ in range(int(missed_s * fps)):
        scene.ids()
    later = 2 * fps + int(missed_s * fps)
    assert [walked[0], walked[-1], scene.ids(person(100 + step * later))] == [[0], [0], [0]]


def test_a_person_who_is_hidden_for_longer_is_new():
    scene = Scene()
    for i in range(10):
        scene.ids(person(100 + 10 * i))
    for _ in range(21):
        scene.ids()
    assert scene.ids(person(420)) == [1]


def test_somebody_seen_only_once_is_not_expected_for_long():
    scene = Scene()
    assert [scene.ids(person(100)), *[scene.ids() for _ in range(4)], scene.ids(person(100))][-1] == [1]


@pytest.mark.parametrize("fps", [5, 15, 30])
def test_two_who_cross_and_hide_each_other_keep_their_numbers(fps):
    scene, step, seen = Scene(fps), 200.0 / fps, []
    for i in range(4 * fps):
        one, other = 200 + step * i, 1000 - step * i
        hidden = abs(one - other) < 40
        ids = scene.ids(person(one, 420), *([] if hidden else [person(other, 380)]))
        seen.append(ids if len(ids) == 2 else [*ids, None])
    assert {tuple(ids) for ids in seen} <= {(0, 1), (0, None)}
    assert seen[0] == seen[-1] == [0, 1]


def crowd(fps, seconds=12.0, seed=3):
    """Where twelve people are, who walk to and fro, with noise and misses that last: the same scene at every rate."""
    random = np.random.default_rng(seed)
    start, speed, high = (
        random.uniform(100, 1180, 12),
        random.uniform(-150, 150, 12),
        random.uniform(120, 260, 12),
    )
    rows = 150 + 40 * np.arange(12)
    misses = random.uniform(0, seconds, (12, 3)), random.uniform(0.1, 0.8, (12, 3))
    wobble = np.random.default_rng(seed + 1)
    for i in range(int(seconds * fps)):
        now = i / fps
        x = 640 - 540 * np.cos(np.arccos((640 - start) / 540) + speed / 540 * now)
        there = ~((misses[0] <= now) & (now < misses[0] + misses[1])).any(axis=1)
        boxes = np.array([person(*one) for one in zip(x, rows, high, strict=True)])
        yield np.flatnonzero(there), (boxes + wobble.normal(0, 3, boxes.shape))[there]


@pytest.mark.parametrize("fps", [5, 15, 30])
def test_the_same_scene_has_the_same_numbers_at_any_frame_rate(fps):
    scene, number_of = Scene(fps), {}
    for people, boxes in crowd(fps):
        for one, id in zip(people.tolist(), scene.ids(*boxes), strict=True):
            number_of.setdefault(one, set()).add(id)
    assert [len(ids) for ids in number_of.values()] == [1] * 12


def test_weak_detections_go_on_with_a_track_and_begin_none():
    scene = Scene()
    assert scene.ids(person(100), scores=[0.59]) == [None]
    walked = [scene.ids(person(100 + 10 * i)) for i in range(10)]
    assert [walked[-1], scene.ids(person(200), scores=[0.2])] == [[0], [0]]
    assert scene.ids(person(210), scores=[0.05]) == [None]


def test_a_weak_detection_does_not_take_the_track_of_a_sure_one():
    scene = Scene()
    for i in range(5):
        scene.ids(person(100 + 10 * i))
    assert scene.ids(person(150), person(152), scores=[0.59, 0.9]) == [None, 0]


def test_all_keep_their_numbers_when_the_camera_turns():
    scene = Scene()
    places = [(150 + 150 * n, 300 + 20 * (n % 3)) for n in range(9)]
    for _ in range(8):
        first = scene.ids(*(person(x, y) for x, y in places))
    turned = [scene.ids(*(person(x + 62 * i, y) for x, y in places)) for i in (1, 2, 2, 3)]
    assert turned == [first] * 4


@pytest.mark.parametrize("fps", [5, 15, 30])
def test_a_camera_that_goes_on_turning_costs_nobody_their_number(fps):
    scene, seen = Scene(fps), set()
    places = [(300 + 130 * n, 300 + 25 * (n % 4)) for n in range(7)]
    for i in range(4 * fps):
        turned = 90 * np.sin(2 * np.pi * i / fps / 4) * 2
        seen.add(tuple(scene.ids(*(person(x + turned, y) for x, y in places))))
    assert seen == {tuple(range(7))}


def test_somebody_hidden_while_the_camera_turns_is_expected_where_it_shows_them():
    scene = Scene()
    places = [(100 + 120 * n, 300 + 20 * (n % 3)) for n in range(6)]
    for i in range(25):
        hidden = 15 <= i < 24
        boxes = [person(x + 12 * i, y) for x, y in places]
        ids = scene.ids(*boxes[: 5 if hidden else 6])
    assert ids == list(range(6))


def test_only_what_all_are_off_by_is_the_camera_s():
    random, n, still = np.random.default_rng(0), 9, BoxCamera.still()
    unsure = np.full(n, 10.0**2)
    all_turn = np.tile([30.0, -8.0], (n, 1)) + random.normal(0, 1, (n, 2))
    one_runs = np.zeros((n, 2))
    one_runs[3, 0] = 40
    assert still.given(one_runs, unsure, 0.1)[0].tolist() == [0.0, 0.0]
    assert still.given(all_turn, unsure, 0.1)[0] == pytest.approx([30.0, -8.0], abs=3)
    assert still.given(all_turn[:2], unsure[:2], 0.1)[0].tolist() == [0.0, 0.0]  # too few to know


def test_a_camera_that_stands_still_is_taken_to_stand_still():
    random, camera, moved = np.random.default_rng(1), BoxCamera.still(), np.zeros(2)
    for _ in range(100):
        shift, camera = camera.given(random.normal(0, 6, (9, 2)), np.full(9, 6.0**2), 0.1)
        moved = moved + np.abs(shift)
    assert (moved < 15).all()  # of 200 pixels that the medians of nine would add up to


@pytest.mark.parametrize("fps", [5, 15, 30])
def test_who_was_seen_all_the_time_is_said_to_be_hidden_for_a_moment(fps):
    scene, step = Scene(fps), 100.0 / fps
    for i in range(6 * fps):
        scene.tracks(person(100 + step * i))
    told = [scene.tracks() for _ in range(fps)]
    hidden_s = sum(len(one) for one in told) / fps
    assert hidden_s == pytest.approx(0.6, abs=1 / fps)
    assert [told[0].track_ids.tolist(), told[0].scores.tolist()] == [[0], [0.0]]
    assert told[0].boxes[0] == pytest.approx(person(100 + step * 6 * fps), abs=3)
    assert told[1].box_error_px > told[0].box_error_px  # and it is the less sure the longer it lasts


def test_who_has_only_just_come_or_has_left_the_picture_is_not_said_to_be_hidden():
    scene = Scene()
    for i in range(3):
        scene.tracks(person(100 + 10 * i))
    assert len(scene.tracks()) == 0
    scene = Scene()
    for i in range(30):
        scene.tracks(person(1000 + 9.2 * i))
    assert [len(scene.tracks()) for _ in range(3)] == [1, 0, 0]


def test_nobody_is_said_to_be_hidden_where_none_is_asked_for():
    scene = Scene(tracker=BoxTracker(hidden_s=0.0))
    for i in range(30):
        scene.tracks(person(100 + 10 * i))
    assert len(scene.tracks()) == 0


def test_frames_that_never_came_leave_time_as_it_was():
    scene = Scene(fps=30)
    for i in range(30):
        scene.ids(person(100 + 10 * i))
    for _ in range(29):
        next(scene._index)
    assert scene.ids(person(690), person(420)) == [
        0,
        1,
    ]  # a second later, and somebody who stands near the way


def test_two_trackers_do_not_share_numbers():
    one, other = Scene(), Scene()
    assert one.ids(person(100), person(500)) == [0, 1]
    assert other.ids(person(100)) == [0]


def test_a_track_is_surer_the_longer_it_is_seen_and_less_sure_after_a_gap():
    scene = Scene()
    first = scene.tracks(person(100)).box_error_px[0]
    for i in range(1, 20):
        steady = scene.tracks(person(100 + 10 * i)).box_error_px[0]
    for _ in range(10):
        scene.tracks()
    assert steady < scene.tracks(person(400)).box_error_px[0] < first < 0.1 * HIGH


def test_who_comes_back_has_walked_straight_from_where_they_were_last_seen(monkeypatch):
    def speed_px_s():
        scene = Scene(10)
        for i in range(20):
            scene.ids(person(100 + 15 * i))  # 150 pixels a second
        for _ in range(4):
            scene.ids()
        assert scene.ids(person(385 + 0.5 * 45)) == [0]  # 45, as it turns out
        return scene.tracker._people.motion.speed[0, 0]

    anew = speed_px_s()
    monkeypatch.setattr("stages.track.boxes.SLICES", 1)
    assert 45 < anew < speed_px_s() - 2


def test_without_calibration_nobody_has_a_place_on_the_floor():
    tracks = Scene().tracks(person(100), person(300))
    for unknown in (tracks.floor_m, tracks.velocity_m_s, tracks.covariance_m2, tracks.heights_m):
        assert len(unknown) == 2
        assert np.isnan(unknown).all()


MOUNT = Mount(2.0, 3.0, 0.0, 4.0, 60.0, 0.0, is_placed=True)  # 4 m up, 30 degrees below the horizon
YARD = View(LENS, MOUNT, pose_of(MOUNT))


def box_of(x_m, y_m, height_m=1.75):
    """The box of a person who stands there."""
    foot, head = YARD.project(np.array([[x_m, y_m, 0.0], [x_m, y_m, height_m]]))[:, :2]
    wide = 0.4 * (foot[1] - head[1])
    return foot[0] - wide / 2, head[1], foot[0] + wide / 2, foot[1]


def test_a_calibrated_camera_says_where_they_stand_how_fast_they_go_and_how_sure_that_is():
    scene, off, sure = Scene(10, view=YARD), [], []
    random = np.random.default_rng(0)
    for i in range(40):
        at = np.array([1.0 + 0.1 * i, 12.0])
        box = box_of(*at)
        tracks = scene.tracks(np.array(box) + random.normal(0, 0.03 * (box[3] - box[1]), 4))
        off.append(np.linalg.norm(tracks.floor_m[0] - at))
        sure.append(np.sqrt(np.linalg.eigvalsh(tracks.covariance_m2[0]).max()))
    assert max(off[10:]) < 1.2
    assert np.mean(np.array(off[10:]) < 2 * np.array(sure[10:])) > 0.9
    assert np.mean(off[10:]) > 0.2 * np.mean(sure[10:])
    assert tracks.velocity_m_s[0] == pytest.approx([1.0, 0.0], abs=0.6)


def test_who_stands_further_off_is_placed_less_surely():
    tracks = Scene(view=YARD).tracks(box_of(2.0, 8.0), box_of(2.0, 20.0))
    near, far = tracks.covariance_m2[:, 1, 1]
    assert far > 9 * near


def test_whose_feet_are_below_the_picture_has_no_place_on_the_floor():
    left, top, right, _ = box_of(2.0, 7.0)
    tracks = Scene(view=YARD).tracks((left, top, right, SIZE[1]), box_of(2.0, 12.0))
    assert np.isnan(tracks.floor_m).all(axis=1).tolist() == [True, False]
    assert np.isnan(tracks.covariance_m2).all(axis=(1, 2)).tolist() == [True, False]


def test_who_is_cut_by_the_side_of_the_picture_is_placed_less_surely_beside():
    _, top, _, bottom = box_of(2.0, 12.0)
    (_, whole), (_, cut) = (
        (b, Scene(view=YARD).tracks(b).covariance_m2[0, 0, 0])
        for b in ((3, top, 63, bottom), (0, top, 60, bottom))
    )
    assert cut > 2 * whole


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_goes_on_from_a_snapshot_and_no_two_have_one_number(data):
    random = np.random.default_rng(data.draw(st.integers(0, 10**6)))
    fps, cut = data.draw(st.sampled_from([3, 10, 30])), data.draw(st.integers(0, 19))
    frames = [random.uniform(0, 600, (random.integers(0, 8), 4)) for _ in range(20)]
    frames = [np.hstack([f[:, :2], f[:, :2] + f[:, 2:] / 3]) for f in frames]  # some of no size at all
    scores = [random.random(len(f)) for f in frames]
    tracker, again = BoxTracker(), BoxTracker()
    for i, (boxes, score) in enumerate(zip(frames, scores, strict=True)):
        if i == cut:
            again.restore(decode(encode(tracker.snapshot())))
        found = Detections.alone(boxes, score, i / fps)
        tracks = tracker.update(found)
        assert len(set(tracks.track_ids.tolist())) == len(tracks)
        assert np.isfinite(tracks.box_error_px).all()
        if i >= cut:
            assert encode(again.update(found)) == encode(tracks)


@pytest.mark.parametrize("fps", [1, 10])
def test_empty_frames_and_frames_of_the_same_time(fps):
    scene = Scene(fps)
    assert [scene.ids(), scene.ids(person(100)), scene.ids()] == [[], [0], []]
    found = Detections.alone([person(100)], [0.9], 2 / fps, SIZE)
    assert scene.tracker.update(found).track_ids.tolist() == scene.tracker.update(found).track_ids.tolist()


@pytest.mark.parametrize(("setting", "value"), [("max_missed_s", 0), ("min_fit", 1.5), ("noise", -1)])
def test_refuses_a_setting_that_makes_no_sense(setting, value):
    with pytest.raises(ValueError, match=f"{setting} must be"):
        BoxTracker(**{setting: value})


def turning(i):
    """How far a camera has turned that turns ever faster, then at 1200 pixels a second, at 10 frames a second."""
    return sum(min(8.0 * n, 120.0) for n in range(i))


def test_who_comes_while_the_camera_turns_is_expected_to_move_with_all_others():
    scene = Scene()
    for i in range(26):
        places = [(100 + 400 * n + turning(i), 300 + 20 * (n % 3)) for n in range(7 if i >= 22 else 6)]
        ids = scene.ids(*(person(x, y) for x, y in places))
    assert ids == list(range(7))


def test_a_snapshot_knows_how_the_camera_turns():
    scene, other = Scene(), Scene()
    for i in range(20):
        scene.tracks(*(person(100 + 400 * n + turning(i)) for n in range(6)))
    other.tracker.restore(decode(encode(scene.tracker.snapshot())))
    other._index = count(20)
    later = [person(100 + 400 * n + turning(20)) for n in range(6)]
    assert encode(other.tracks(*later)) == encode(scene.tracks(*later))
