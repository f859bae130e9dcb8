"""Several cameras of one zone: everybody once, whichever of them see them."""

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from zone_scene import VIEWS, seen

from calibration.camera import Mount
from pipeline.stage import InputError
from stages.track._zone_people import ZonePeople
from stages.track.zone import Zones


def ids(tracks):
    return {one.camera_id: one.track_ids.tolist() for one in tracks}


def walked(way, seconds=4.0, fps=10, cameras=tuple(VIEWS), noise_px=0.0, seed=0, tracker=None):
    """The tracks of each moment of people whose places are `way(t)`."""
    random, tracker = np.random.default_rng(seed), tracker or Zones()
    times = np.arange(round(seconds * fps)) / fps
    return [
        tracker.update([seen(camera, way(t), t, fps, noise_px, random) for camera in cameras]) for t in times
    ]


def test_a_person_whom_three_cameras_see_is_one_track_where_they_stand():
    last = walked(lambda t: [(5.0, 5.0)])[-1]
    assert ids(last) == {"north": [0], "south": [0], "west": [0]}
    for tracks in last:
        assert tracks.floor_m[0].tolist() == pytest.approx([5.0, 5.0], abs=0.02)


def test_a_place_is_as_sure_as_cameras_make_it():
    across, both = (
        walked(lambda t: [(5.0, 5.0)], 1.0, cameras=names, tracker=Zones(noise_m=0.1))[-1][0]
        for names in (("west",), ("west", "south"))
    )
    along_x, along_y = np.sqrt(np.diag(across.covariance_m2[0]))
    assert along_x > 1.5 * along_y  # it looks along x
    assert np.trace(both.covariance_m2[0]) < np.trace(across.covariance_m2[0])


def test_two_who_walk_side_by_side_stay_two_though_boxes_are_off():
    moments = walked(lambda t: [(3 + t, 5.0), (3 + t, 5.8)], 4.0, noise_px=4.0)
    for tracks in moments[10:]:
        for one in tracks:
            assert one.track_ids.tolist() == [0, 1] or len(one) < 2
    (north,) = [one for one in moments[-1] if one.camera_id == "north"]
    assert north.floor_m[:, 1].tolist() == pytest.approx([5.0, 5.8], abs=0.3)


def test_nobody_is_in_one_picture_twice():
    random = np.random.default_rng(3)
    for tracks in walked(lambda t: random.uniform(2, 8, (12, 2)), 2.0, noise_px=5.0):
        for one in tracks:
            assert len(set(one.track_ids.tolist())) == len(one)


def test_who_goes_from_one_view_to_the_next_keeps_the_id():
    tracker = Zones()
    for step in range(40):
        camera = "west" if step < 20 else "north"
        tracks = tracker.update(
            [
                seen(name, [(3 + 0.1 * step, 5.0)] if name == camera else [], step / 10)
                for name in ("north", "west")
            ]
        )
        found = [one.track_ids.tolist() for one in tracks if len(one)]
        assert found == ([[0]] if step > 6 else found)
    assert found == [[0]]


def test_a_false_detection_of_one_camera_is_believed_in_only_if_it_stays():
    tracker = Zones()
    for step in range(3):
        tracks = tracker.update(
            [
                seen("west", [(5.0, 5.0), (7.0, 3.0)] if step == 1 else [(5.0, 5.0)], step / 10),
                seen("south", [(5.0, 5.0)], step / 10),
            ]
        )
        assert ids(tracks) == {"west": [0], "south": [0]}


def scored(detections, *scores):
    return replace(detections, scores=np.array(scores, np.float32))


def test_weak_detections_go_on_with_whom_somebody_was_surely_seen_lately_and_for_no_longer():
    tracker, told = Zones(), []
    for step in range(40):
        strong = 0.9 if step < 10 else 0.3
        moment = [scored(seen(name, [(5.0, 5.0)], step / 10), strong) for name in ("west", "south")]
        told.append([one.track_ids.tolist() for one in tracker.update(moment)])
    assert told[9] == told[18] == [[0], [0]]
    assert told[25:] == [[[], []]] * 15


def test_a_weak_detection_takes_nobody_from_a_sure_one():
    tracker = Zones()
    for step in range(10):
        found = seen("west", [(5.0, 5.0), (5.15, 5.0)], step / 10)
        tracks = tracker.update([scored(found, 0.9, 0.3), seen("south", [(5.15, 5.0)], step / 10)])
    assert [one.boxes[:, 0].tolist() for one in tracks][0] == [found.boxes[0, 0]]


def off(detections, by_m):
    """As if its camera put everybody so much further along x."""
    return replace(detections, floor_m=detections.floor_m + np.array([by_m, 0.0], np.float32))


def doubled(places, cameras=("west", "south"), seconds=6.0):
    """Ids by camera at the end, where for the first second the second camera has people 1.4 m off, then 0.6."""
    tracker = Zones(noise_m=0.1, noise_px=2.0)
    for step in range(round(seconds * 10)):
        one, other = (seen(camera, places(step), step / 10) for camera in cameras)
        tracks = tracker.update([one, off(other, 1.4 if step < 10 else 0.6)])
    return ids(tracks)


def test_who_is_taken_for_two_by_cameras_that_disagree_becomes_one_again():
    assert doubled(lambda step: [(5.0, 5.0)], seconds=1.0) == {"west": [0], "south": [1]}
    told = doubled(lambda step: [(5.0, 5.0)])
    assert sorted(told["west"] + told["south"]) in ([0], [0, 0])


def test_two_whom_one_camera_shows_together_stay_two_however_near():
    tracker = Zones()
    for step in range(40):
        places = [(5.0, 5.0), (5.0, 5.5)]
        tracks = tracker.update([seen("west", places, step / 10), seen("south", places[:1], step / 10)])
    assert sorted(ids(tracks)["west"]) == [0, 1]


def test_goes_on_from_a_store_of_before_there_were_doubles():
    tracker = Zones()
    for step in range(10):
        tracker.update([seen("west", [(5.0, 5.0)], step / 10), seen("south", [(5.0, 5.0)], step / 10)])
    packed = tracker._people.get("site") or tracker._people.values()[0]
    older = {name: part for name, part in packed.items() if name not in ("sure_ns", "beside_s")}
    people = ZonePeople.unpacked(older)
    assert people.ids.tolist() == [0] and people.sure_ns.tolist() == people.seen_ns.tolist()


@pytest.mark.parametrize("fps", [5, 15, 30])
def test_the_same_scene_gives_the_same_identities_at_any_frame_rate(fps):
    def way(t):
        return [(2 + t, 4.0), (8 - t, 4.8), (5.0, 2 + t)]

    (north,) = [one for one in walked(way, 4.0, fps, noise_px=2.0)[-1] if one.camera_id == "north"]
    people = {int(id): place for id, place in zip(north.track_ids, north.floor_m.tolist(), strict=True)}
    for number, place in enumerate(way(4.0 - 1 / fps)):
        assert people[number] == pytest.approx(place, abs=0.35)


@given(st.integers(0, 2**31), st.integers(1, 25))
@settings(max_examples=10, deadline=None)
def test_what_was_published_does_not_depend_on_what_comes_after(seed, cut):
    places = np.random.default_rng(seed).uniform(1, 9, (26, 5, 2))
    runs = [
        walked(lambda t: places[round(10 * t)], length / 10, noise_px=4.0, seed=seed) for length in (cut, 26)
    ]
    for before, after in zip(*runs, strict=False):
        for one, other in zip(before, after, strict=True):
            assert one.floor_m.tobytes() == other.floor_m.tobytes()
            assert one.track_ids.tolist() == other.track_ids.tolist()


def test_the_order_in_which_cameras_come_changes_nothing():
    results = set()
    for cameras in permutations(VIEWS):
        moments = walked(lambda t: [(3 + t, 5.0), (5.0, 3 + t), (7 - t, 6.0)], 2.0, cameras=cameras)
        results.add(tuple(sorted((one.camera_id, tuple(one.track_ids.tolist())) for one in moments[-1])))
    assert len(results) == 1


def stage_of(detections, tracker):
    return [
        tracks
        for one in detections
        for tracks in (*tracker.advance(one.frame.captured_ns), *tracker.process(one))
    ]


def test_a_moment_is_given_as_soon_as_every_camera_of_the_one_before_has_come():
    tracker, moments = Zones(), [[seen(name, [(5.0, 5.0)], t) for name in VIEWS] for t in (0.0, 0.1)]
    assert stage_of(moments[0], tracker) == []
    assert len(stage_of(moments[1][:2], tracker)) == 3
    (north, *_), last = stage_of(moments[1][2:], tracker), list(tracker.finish())
    assert (north.frame.captured_ns, last) == (100_000_000, [])


def test_a_camera_that_says_nothing_holds_nobody_up_for_longer_than_a_moment():
    tracker = Zones()
    first = [seen(name, [(5.0, 5.0)], 0.0) for name in VIEWS]
    assert stage_of(first, tracker) == []
    assert len(stage_of([seen("north", [(5.0, 5.0)], 0.1)], tracker)) == 3
    assert [one.camera_id for one in stage_of([seen("north", [(5.0, 5.0)], 0.2)], tracker)] == [
        "north",
        "north",
    ]


def test_a_run_goes_on_from_any_cut_as_if_it_had_not_been_cut():
    detections = [
        seen(
            name,
            [(3 + t, 5.0), (5.0, 7 - t), *([(3.1 + t - 1.5, 5.1)] if t > 1.5 else [])],
            t,
            10,
            3.0,
            np.random.default_rng(round(10 * t)),
        )
        for t in np.arange(20) / 10
        for name in VIEWS
    ]
    whole = stage_of(detections, Zones())
    for cut in (1, 17, 31, 44):
        before, after = Zones(), Zones()
        given = stage_of(detections[:cut], before)
        after.restore(before.snapshot())
        given += stage_of(detections[cut:], after)
        assert [one.floor_m.tobytes() for one in given] == [one.floor_m.tobytes() for one in whole]
        assert [one.track_ids.tolist() for one in given] == [one.track_ids.tolist() for one in whole]


def test_zones_are_followed_apart_and_a_camera_in_none_by_itself():
    tracker = Zones(zones={"hall": ["north", "south"]})
    tracks = walked(lambda t: [(5.0, 5.0)], 1.0, tracker=tracker)[-1]
    assert [one.frame.zone for one in tracks] == ["hall", "hall", "west"]
    assert ids(tracks) == {"north": [0], "south": [0], "west": [0]}


def test_who_is_found_in_depth_is_where_the_detector_says():
    one = seen("west", [(5.0, 5.0)], 0.0)
    deep = replace(one, floor_m=np.array([[4.0, 4.0]], np.float32), heights_m=np.array([1.7], np.float32))
    other = seen("south", [(4.0, 4.0)], 0.0)
    tracks = Zones().update([deep, other])
    assert ids(tracks) == {"west": [0], "south": [0]}
    assert tracks[0].floor_m[0].tolist() == pytest.approx([4.0, 4.0], abs=0.05)


def test_a_camera_of_a_zone_that_is_not_placed_is_said():
    one = seen("west", [(5.0, 5.0)], 0.0)
    view = replace(one.frame.view, mount=Mount())
    with pytest.raises(
        InputError, match="camera 'west' of zone 'hall' is not placed; give its x_m, y_m and yaw_deg"
    ):
        Zones(zones={"hall": ["west"]}).update([replace(one, frame=replace(one.frame, view=view))])


@pytest.mark.parametrize(
    ("given_", "words"),
    [
        ({"noise_px": 0}, "noise_px must be above 0, got 0"),
        ({"min_new_score": 2}, "min_new_score must be 0 to 1, got 2"),
        ({"zones": {"a": ["x"], "b": ["x"]}}, "zones: camera 'x' is in two of them; leave it in one"),
    ],
)
def test_settings_that_make_no_sense_are_refused(given_, words):
    with pytest.raises(ValueError, match=words):
        Zones(**given_)
