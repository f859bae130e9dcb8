"""People keep their numbers: through misses and crossings, at any frame rate; things never get one."""

from itertools import count

import numpy as np
import pytest
from builders import VIEW, detections, frame

from pipeline.stage import InputError
from stages.track.floor import Floor

BOX = (30, 15, 60, 35)


class Scene:
    """Feeds a tracker with people given as (x, y, height)."""

    def __init__(self, fps=10.0, tracker=None):
        self.fps, self.tracker, self._index = fps, tracker or Floor(), count()

    def see(self, *people, scores=None):
        index = next(self._index)
        seen = frame("east", index, int(index / self.fps * 1e9), view=VIEW)
        floor_m = [person[:2] for person in people]
        heights_m = [person[2] if len(person) > 2 else 1.75 for person in people]
        found = detections(seen, [BOX] * len(people), floor_m, heights_m, scores)
        tracks = self.tracker.update(found)
        places = [tuple(round(value, 1) for value in place) for place in tracks.floor_m.tolist()]
        return dict(zip(places, tracks.track_ids.tolist(), strict=True))

    def ids(self, *people, **given):
        return sorted(self.see(*people, **given).values())


def test_a_person_has_a_number_from_the_first_frame_on():
    scene = Scene()
    assert scene.ids((0, 0)) == scene.ids((0.1, 0)) == [0]


@pytest.mark.parametrize("fps", [5, 15, 30])
@pytest.mark.parametrize("missed_s", [0.4, 0.9])
def test_a_person_who_is_missed_for_less_than_a_second_is_the_same(fps, missed_s):
    scene = Scene(fps)
    step_m = 1.2 / fps
    walked = [scene.ids((i * step_m, 0)) for i in range(int(fps))]
    for _ in range(int(missed_s * fps)):
        scene.ids()
    later = int(fps) + int(missed_s * fps)
    assert [walked[0], scene.ids((later * step_m, 0.05))] == [[0], [0]]


def test_a_person_who_is_missed_for_longer_is_new():
    scene = Scene()
    for i in range(10):
        scene.ids((i * 0.1, 0))
    for _ in range(12):
        scene.ids()
    assert scene.ids((2.2, 0)) == [1]


@pytest.mark.parametrize("apart_m", [0.0, 0.3])
def test_no_number_is_stolen_at_a_crossing(apart_m):
    scene = Scene()
    for i in range(30):
        x = -1.5 + 0.1 * i
        ids = scene.see((x, apart_m / 2, 1.80), (-x, -apart_m / 2, 1.62))
    assert {x: id for (x, _), id in ids.items()} == {1.4: 0, -1.4: 1}


def test_two_who_pass_at_the_same_height_keep_their_numbers():
    scene = Scene(fps=15)
    for i in range(46):
        x = -1.8 + 0.08 * i
        ids = scene.see((x, 0.25), (-x, -0.25))
    assert {x: id for (x, _), id in ids.items()} == {1.8: 0, -1.8: 1}


def test_a_filter_smooths_position_and_knows_the_speed():
    random, scene = np.random.default_rng(0), Scene(fps=30)
    off = []
    for i in range(90):
        true = np.array([0.04 * i, 0.0])
        noisy = true + random.normal(0, 0.04, 2)
        found = detections(frame("east", i, int(i / 30 * 1e9), view=VIEW), [BOX], [noisy], [1.75])
        tracks = scene.tracker.update(found)
        off.append([np.linalg.norm(noisy - true), np.linalg.norm(tracks.floor_m[0] - true)])
    assert np.mean(off[30:], axis=0)[1] < 0.75 * np.mean(off[30:], axis=0)[0]
    assert tracks.velocity_m_s[0] == pytest.approx([1.2, 0.0], abs=0.15)
    assert 0 < tracks.covariance_m2[0, 0, 0] < 0.04**2


def test_weak_detections_continue_a_track_and_begin_none():
    scene = Scene()
    assert scene.ids((0, 0), scores=[0.4]) == []
    walked = [scene.ids((0.1 * i, 0), scores=[0.9]) for i in range(25)]
    assert [walked[-1], scene.ids((2.5, 0), scores=[0.4])] == [[0], [0]]


def test_a_weak_detection_where_nobody_has_walked_is_nobody():
    scene = Scene()
    assert [scene.ids((0, 0), scores=[0.9]), scene.ids((0, 0), scores=[0.4])] == [[0], []]


def test_what_is_low_and_flickers_is_nobody_and_a_child_is_somebody():
    scene = Scene()
    flickering = [scene.ids(*([(1.0, 1.0, 0.9)] if i % 3 == 0 else [])) for i in range(60)]
    assert sum(flickering[3:], []) == []
    scene = Scene()
    assert [scene.ids((-1 + 0.1 * i, 0, 1.1)) for i in range(20)] == [[0]] * 20


def test_what_is_left_of_somebody_whose_head_has_left_the_picture_is_nobody_new():
    scene = Scene()
    for i in range(10):
        scene.ids((0.1 * i, 0, 1.75))
    assert scene.ids((1.1, 0, 1.2)) == []
    assert scene.ids((3.0, 0, 1.2)) == [1]


def test_someone_who_stands_still_is_followed():
    scene = Scene()
    assert [scene.ids((1.0, 1.0, 1.7)) for _ in range(60)] == [[0]] * 60


def beside(seconds, child_m=1.2):
    """An adult and a child who walk beside each other, at 10 fps."""
    scene = Scene()
    for i in range(int(seconds * 10)):
        scene.see((0.1 * i, 0, 1.8), (0.1 * i, 0.4, child_m))
    return scene, seconds


def test_somebody_hidden_by_somebody_taller_is_expected_for_a_moment_with_their_box():
    scene, x = beside(2.0)
    for i in range(3):
        floor_m = [(x + 0.1 * i, 0)]
        boxes = [(30 + 5 * i, 15, 60 + 5 * i, 35)]
        seen = frame("east", 20 + i, int((2.0 + 0.1 * i) * 1e9), view=VIEW)
        tracks = scene.tracker.update(detections(seen, boxes, floor_m, [1.8]))
        assert tracks.track_ids.tolist() == [0, 1]
        assert [tracks.scores[0] > 0, tracks.scores[1]] == [True, 0]
        assert tracks.floor_m[1] == pytest.approx([x + 0.1 * i, 0.4], abs=0.03)
    seen = frame("east", 23, int(2.4e9), view=VIEW)
    assert scene.tracker.update(detections(seen, [BOX], [(x + 0.4, 0)], [1.8])).track_ids.tolist() == [0]


def test_the_box_of_the_hidden_goes_on_as_it_went():
    tracker = Floor()
    for i in range(20):
        seen = frame("east", i, int(i * 1e8), view=VIEW)
        boxes = [(30, 15, 60, 35), (10 + 4 * i, 10, 30 + 4 * i, 20)]
        floor_m = [(0.1 * i, 0), (0.1 * i, 0.4)]
        tracker.update(detections(seen, boxes, floor_m, [1.8, 1.2]))
    seen = frame("east", 20, int(2e9), view=VIEW)
    tracks = tracker.update(detections(seen, [(30, 15, 60, 35)], [(2.0, 0)], [1.8]))
    assert tracks.boxes[1] == pytest.approx([90, 10, 110, 20], abs=0.5)


def test_who_is_missed_beside_nobody_is_not_expected():
    scene = Scene()
    for i in range(20):
        scene.see((0.1 * i, 0, 1.8), (0.1 * i, 2.0, 1.2))
    assert scene.ids((2.0, 0, 1.8)) == [0]


def test_what_is_seen_once_beside_somebody_taller_is_nobody_and_seen_again_it_is_somebody():
    scene, both = Scene(), [(0, 0, 1.8), (0.4, 0, 1.3)]
    assert scene.ids(*both, scores=[1.0, 0.8]) == [0]
    for _ in range(10):
        assert scene.ids(both[0]) == [0]
    assert scene.ids(*both, scores=[1.0, 0.8]) == [0]
    assert scene.ids(*both, scores=[1.0, 0.8]) == [0, 2]


def test_what_can_only_be_a_head_is_somebody_at_once():
    assert Scene().ids((0, 0, 1.8), (0.4, 0, 1.3), scores=[1.0, 1.0]) == [0, 1]


@pytest.mark.parametrize(("height_m", "stays"), [(1.25, True), (1.45, False)])
def test_who_stood_there_before_somebody_taller_came_is_not_taken_for_an_arm(height_m, stays):
    scene = Scene()
    for _ in range(15):
        scene.ids((0.4, 0, 1.25))
    for _ in range(30):
        ids = scene.ids((0, 0, 1.8), (0.4, 0, height_m), scores=[0.9, 0.45])
    assert ids == ([0, 1] if stays else [1])


def test_what_was_never_seen_well_is_an_arm_however_long_it_is_there():
    scene = Scene()
    assert [scene.ids((0, 0, 1.8), (0.4, 0, 1.25), scores=[0.9, 0.45]) for _ in range(40)] == [[0]] * 40


def test_two_cameras_do_not_share_numbers():
    one, other = Scene(), Scene()
    one.ids((0, 0))
    assert one.ids((0, 0), (3, 0)) == [0, 1]
    assert other.ids((0, 0)) == [0]


def test_empty_frames_and_twenty_people():
    scene = Scene()
    assert scene.ids() == []
    crowd = [(x, y) for x in range(5) for y in range(4)]
    for i in range(10):
        ids = scene.ids(*((x + 0.05 * i, y) for x, y in crowd))
    assert ids == list(range(20))


def test_who_has_no_place_on_the_floor_cannot_be_followed_there_and_that_is_one_line():
    with pytest.raises(
        InputError, match="^east: people were found who have no place on the floor; follow their boxes"
    ):
        Floor().update(detections(frame("east"), [BOX]))


def test_refuses_a_setting_that_makes_no_sense():
    with pytest.raises(ValueError, match="max_missed_s must be above 0, got 0"):
        Floor(max_missed_s=0)
