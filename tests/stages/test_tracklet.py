"""A tracklet opens once somebody has been seen for long enough, brings its crops, and closes when they are gone."""

import numpy as np
import pytest
from builders import VIEW, detections, frame, tracks

from calibration.camera import Intrinsics, Pose, Registration
from pipeline.messages import Encoded, Positions, Tracklet, TrackletEvent
from stages.tracklet import Collect

COLOR = np.arange(48 * 96 * 3, dtype=np.uint8).reshape(48, 96, 3)
DEPTH = np.full((48, 96), 2000, np.uint16)
MIDDLE, LEFT, BESIDE = (40, 12, 60, 36), (0, 12, 20, 36), (52, 12, 72, 36)
NEAR_M = [3, 3, 2, 2, 1, 0.4, 0.4, 0.4, 1, 1, 2, 2, 3, 3, 3, 3]  # somebody who passes


def given(stage, *boxes_by_frame, fps=10.0, start=0, ids=None, **picture):
    """All that a stage gives for frames in which these boxes are seen; ids count from 0."""
    picture = {"color": COLOR, "depth": DEPTH, **picture}
    out = []
    for i, boxes in enumerate(boxes_by_frame, start):
        seen = frame("east", i, int(i / fps * 1e9), view=VIEW, **picture)
        found = detections(seen, boxes, [(0.0, 0.0)] * len(boxes), [1.7] * len(boxes))
        out += stage.advance(seen.captured_ns)
        out += stage.process(tracks(found, ids or range(len(boxes))))
    return out


def of(kind, messages):
    return [message for message in messages if isinstance(message, kind)]


def kinds(messages):
    return [event.kind for event in of(TrackletEvent, messages)]


@pytest.mark.parametrize(("fps", "frames"), [(30.0, 7), (10.0, 3), (5.0, 3)])
def test_opens_after_a_fifth_of_a_second_and_three_frames(fps, frames):
    assert kinds(given(Collect(), *[[MIDDLE]] * (frames - 1), fps=fps)) == []
    assert kinds(given(Collect(), *[[MIDDLE]] * frames, fps=fps)) == ["opened"]


@pytest.mark.parametrize("fps", [5.0, 10.0, 30.0])
def test_in_pictures_who_was_hidden_beside_somebody_comes_back_as_another_tracklet(fps):
    seen = [
        [MIDDLE, BESIDE if now_s > 1.0 else LEFT]
        if not 1.4 < now_s < 2.2
        else [BESIDE if now_s > 1.0 else LEFT]
        for now_s in np.arange(0, 4, 1 / fps)
    ]

    def again(ids_of, frames, **picture):
        stage, out = Collect(), []
        for n, boxes in enumerate(frames):
            ids = ids_of[-len(boxes) :]
            out += given(stage, boxes, fps=fps, start=n, ids=ids, **picture)
        first = next(e for e in of(TrackletEvent, out) if e.kind == "opened")
        split = [e for e in of(TrackletEvent, out) if e.previous_tracklet_id]
        assert all(e.previous_tracklet_id == first.tracklet_id for e in split)
        assert not split or kinds(out).count("closed") == 1
        return len(split)

    assert again([0, 1], seen, depth=None) == 1
    assert again([0, 1], seen) == 0  # by depth heights tell
    alone = [[boxes[0], LEFT] if len(boxes) > 1 else [LEFT] for boxes in seen]
    assert again([0, 1], alone, depth=None) == 0


def test_what_flickers_never_opens():
    seen = [[MIDDLE] if i % 3 == 0 else [] for i in range(30)]
    assert kinds([*given(stage := Collect(), *seen), *stage.finish()]) == []


def test_closes_a_second_after_somebody_was_last_seen_and_at_the_end():
    stage = Collect()
    assert kinds(given(stage, *[[MIDDLE]] * 5, *[[]] * 10)) == ["opened"]
    assert kinds(given(stage, *[[]] * 2, start=15)) == ["closed"]
    assert kinds([*given(stage := Collect(), *[[MIDDLE]] * 5), *stage.finish()]) == ["opened", "closed"]


def test_gives_the_first_crop_soon_and_then_one_a_second():
    messages = given(Collect(), *[[MIDDLE]] * 40)
    times_s = [t.seen_ns / 1e9 for t in of(Tracklet, messages) if t.crops]
    assert times_s[0] <= 0.5
    assert np.diff(times_s) == pytest.approx(1.0, abs=0.11)
    assert all(len(t.crops) <= 1 for t in of(Tracklet, messages))


def test_who_has_given_every_crop_is_told_of_without_one_as_long_as_they_are_there():
    messages = of(Tracklet, given(Collect(max_crops=2), *[[MIDDLE]] * 90))
    without = [t.seen_ns / 1e9 for t in messages if not t.crops and t.phase == "updated"]
    assert sum(len(t.crops) for t in messages) == 2
    assert np.diff(without) == pytest.approx(2.0, abs=0.11)
    assert without[-1] > 6.8


def test_a_crop_is_the_person_in_colour_and_depth():
    tracklet = next(t for t in of(Tracklet, given(Collect(), *[[MIDDLE]] * 10)) if t.crops)
    assert np.array_equal(tracklet.crops[0].color, COLOR[12:36, 40:60])
    assert np.array_equal(tracklet.crops[0].depth, DEPTH[12:36, 40:60])
    assert tracklet.modality == "rgbd"


def test_who_is_hidden_has_a_position_and_gives_neither_a_crop_nor_a_sighting():
    stage = Collect(max_gap_s=0.5)
    given(stage, *[[MIDDLE]] * 10)
    for i in range(10, 16):
        seen = frame("east", i, i * 100_000_000, view=VIEW, color=COLOR, depth=DEPTH)
        hidden = tracks(detections(seen, [MIDDLE], [(0, 0)], [1.7], scores=[0.0]), [0])
        closed = kinds(stage.advance(seen.captured_ns))
        (positions,) = stage.process(hidden)
        assert [closed, len(positions.tracklet_ids)] == ([["closed"], 0] if i == 15 else [[], 1])
        assert len(positions.boxes) == len(positions.tracklet_ids)


def test_the_better_crop_of_those_taken_is_given():
    stage = Collect(look_every_s=0.1)
    early = given(stage, *[[MIDDLE]] * 5, [MIDDLE], *[[LEFT]] * 14)
    boxes = [tuple(t.crops[0].box) for t in of(Tracklet, early) if t.crops]
    assert boxes[1] == MIDDLE


def test_no_colour_is_decoded_where_none_is_wanted():
    spoilt = Encoded("png", b"not a picture")
    (one, *_) = (
        t for t in of(Tracklet, given(Collect(color=False), *[[MIDDLE]] * 10, color=spoilt)) if t.crops
    )
    assert one.crops[0].color is None
    assert one.modality == "depth"
    with pytest.raises(ValueError, match="not a PNG"):
        given(Collect(), *[[MIDDLE]] * 10, color=spoilt)


def test_colour_that_lies_elsewhere_is_laid_on_the_pixels_of_depth():
    wide = Intrinsics(192, 96, 120.0, 120.0, 96.0, 48.0)
    color = np.kron(COLOR[..., 0], np.ones((2, 2), np.uint8))[..., None].repeat(3, axis=2)
    apart = Registration(wide, Pose(np.eye(3), np.zeros(3)))
    messages = given(Collect(), *[[MIDDLE]] * 10, color=color, registration=apart)
    crop = next(t.crops[0] for t in of(Tracklet, messages) if t.crops)
    assert np.array_equal(crop.color[..., 0], COLOR[12:36, 40:60, 0])


def by_boxes(**picture):
    """Ten frames in which somebody is seen of whom only the box is known."""
    stage, out = Collect(), []
    for i in range(10):
        seen = frame("east", i, i * 100_000_000, view=VIEW, **picture)
        out += stage.process(tracks(detections(seen, [MIDDLE]), [0]))
    return out


@pytest.mark.parametrize(("name", "modality"), [("color", "rgb"), ("infrared", "infrared")])
def test_somebody_without_a_place_or_a_height_is_cut_out_of_the_picture_that_there_is(name, modality):
    picture = {"color": COLOR, "infrared": COLOR[..., 0]}[name]
    out = by_boxes(**{name: picture})
    crop = next(one.crops[0] for one in of(Tracklet, out) if one.crops)
    assert np.array_equal(crop.picture, picture[12:36, 40:60])
    event = of(TrackletEvent, out)[0]
    assert (event.modality, event.floor, event.height_m) == (modality, None, None)


def test_infrared_is_not_kept_of_a_camera_that_has_more():
    crop = next(
        t.crops[0] for t in of(Tracklet, given(Collect(), *[[MIDDLE]] * 10, infrared=DEPTH)) if t.crops
    )
    assert crop.infrared is None


def test_everybody_in_a_frame_stands_in_its_positions():
    (rows,) = of(Positions, given(Collect(), [MIDDLE, LEFT]))
    assert len(set(rows.tracklet_ids)) == 2
    assert rows.boxes.tolist() == [list(MIDDLE), list(LEFT)]


def test_an_event_comes_every_two_seconds():
    assert kinds(given(Collect(), *[[MIDDLE]] * 50)) == ["opened", "updated", "updated"]


def test_ids_are_the_same_for_the_same_input_and_differ_between_cameras_and_times():
    one, again = (of(TrackletEvent, given(Collect(), *[[MIDDLE]] * 4))[0].tracklet_id for _ in range(2))
    later = of(TrackletEvent, given(Collect(), *[[MIDDLE]] * 4, start=9))[0].tracklet_id
    assert one == again != later
    assert (len(one), one[:2]) == (28, "T-")


def test_carries_on_from_a_snapshot():
    whole = given(Collect(), *[[MIDDLE]] * 40)
    stage, other = Collect(), Collect()
    early = given(stage, *[[MIDDLE]] * 17)
    other.restore(stage.snapshot())
    late = given(other, *[[MIDDLE]] * 23, start=17)
    assert of(TrackletEvent, [*early, *late]) == of(TrackletEvent, whole)
    assert [t.seen_ns for t in of(Tracklet, [*early, *late])] == [t.seen_ns for t in of(Tracklet, whole)]


def test_no_picture_is_written_of_live_cameras_and_one_that_was_is_taken_out():
    stage, live = Collect(), Collect(is_live=True)
    given(stage, *[[MIDDLE]] * 9)  # between the first crop that it gives and the second
    kept = stage.snapshot()
    assert kept["_crop"].put
    live.restore(kept)
    (id,) = kept["_crop"].put
    given(live, *[[MIDDLE]] * 12, start=9)
    later = live.snapshot()
    assert (later["_crop"].put, later["_crop"].deleted) == ({}, (id,))
    assert later["_open"].put


def passing(heights_m, near_m, fps=10.0):
    """What is given of a person whose height is this, a number each half second, and of another so near to them."""
    stage, out = Collect(), []
    for i in range(int(len(heights_m) / 2 * fps)):
        now = int(2 * i / fps)
        seen = frame("east", i, int(i / fps * 1e9), view=VIEW, color=COLOR, depth=DEPTH)
        places = [(0.0, 0.0), (near_m[now], 0.0)]
        found = detections(seen, [MIDDLE, LEFT], places, [heights_m[now], 1.7])
        out += [*stage.advance(seen.captured_ns), *stage.process(tracks(found, [0, 1]))]
    return of(TrackletEvent, out)


@pytest.mark.parametrize("fps", [5.0, 30.0])
def test_a_track_that_goes_over_to_somebody_of_another_height_is_closed_and_its_rest_opens_anew(fps):
    events = passing([1.75] * 8 + [1.60] * 8, NEAR_M, fps)
    first, *_ = events
    again = [event for event in events if event.previous_tracklet_id]
    assert [event.previous_tracklet_id for event in again] == [first.tracklet_id]
    (closed,) = (event for event in events if event.kind == "closed")
    assert (closed.tracklet_id, closed.height_m) == (first.tracklet_id, 1.75)
    assert (again[0].kind, again[0].height_m) == ("opened", 1.6)


@pytest.mark.parametrize(
    ("heights_m", "near_m"),
    [
        ([1.75] * 2 + [1.30] * 14, NEAR_M),
        ([1.75] * 6 + [1.60] * 2 + [1.75] * 8, NEAR_M),
        ([1.75] * 10 + [1.60] + [1.75] * 5, NEAR_M),
        ([1.75] * 8 + [1.71] * 8, NEAR_M),
    ],
    ids=["who sat down before", "who is hidden by the other for a while", "who nods", "who stoops a little"],
)
def test_stays_one_tracklet(heights_m, near_m):
    assert not any(event.previous_tracklet_id for event in passing(heights_m, near_m))
