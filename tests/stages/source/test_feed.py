"""Frames, numbers and events of one live camera, from its moments alone."""

import numpy as np
import pytest
from sdk_files import START_MS

from calibration.camera import Intrinsics, Mount
from pipeline.messages import Frame, Reset, SystemEvent
from stages.source._feed import Feed
from stages.source._moments import Moment, Optics, Shot
from stages.source._timeline import Timeline

OPTICS = Optics(Intrinsics(64, 48, 50.0, 50.0, 32.0, 24.0))
PERIOD_MS = 1000 / 30


def moment(number, stamp_ms=None, clock="global_time"):
    stamp_ms = START_MS + number * PERIOD_MS if stamp_ms is None else stamp_ms
    return Moment((Shot("depth", stamp_ms, clock, number, np.zeros((48, 64), np.uint16)),))


def feed(ties_clocks=False):
    made = Feed("flat", Mount(), Timeline(0.0))
    made.begin(OPTICS, "D455 123", ties_clocks)
    return made


def taken(feed, *moments, now_ns=0):
    return [message for one in moments for message in feed.take(one, now_ns)]


def frames(messages):
    return [message for message in messages if isinstance(message, Frame)]


def events(messages):
    return [message for message in messages if isinstance(message, SystemEvent)]


def test_the_first_frame_says_that_the_device_is_up():
    up, frame = taken(feed(), moment(0))
    assert (up.kind, up.camera_id, up.detail) == ("source_up", "flat", "D455 123")
    assert up.captured_ns == frame.captured_ns == int(START_MS) * 1_000_000


def test_frames_count_up_by_one_whatever_number_the_device_begins_with():
    assert [f.index for f in frames(taken(feed(), moment(170), moment(171), moment(172)))] == [0, 1, 2]


def test_numbers_that_the_device_skips_are_a_gap_and_are_left_out():
    made = taken(feed(), moment(4), moment(8), moment(9))
    gap = events(made)[1]
    assert (gap.kind, gap.dropped, gap.counts) == ("gap", 3, {"device": 3})
    assert [f.index for f in frames(made)] == [0, 4, 5]


def test_a_device_that_begins_again_skips_nothing_and_keeps_counting():
    one = feed()
    taken(one, moment(50), moment(51))
    one.begin(OPTICS, "D455 123", ties_clocks=False)
    made = taken(one, moment(1, START_MS + 60_000), moment(2, START_MS + 60_033))
    assert [event.kind for event in events(made)] == ["source_up"]
    assert [f.index for f in frames(made)] == [2, 3]


def test_a_device_that_was_away_with_its_clock_comes_back_as_much_later():
    one = feed()
    (before,) = frames(taken(one, moment(0, 90_000.0, "hardware_clock"), now_ns=50_000_000_000))
    one.begin(OPTICS, "D455 123", ties_clocks=False)
    (after,) = frames(taken(one, moment(0, 700.0, "hardware_clock"), now_ns=57_000_000_000))
    (later,) = frames(taken(one, moment(1, 800.0, "hardware_clock"), now_ns=57_200_000_000))
    assert after.captured_ns - before.captured_ns == 7_000_000_000
    assert later.captured_ns - after.captured_ns == 100_000_000


def test_a_clock_that_goes_back_is_said_then_the_camera_begins_anew_then_comes_the_frame():
    one = feed()
    taken(one, moment(0), moment(1))
    change, reset, frame = taken(one, moment(2, START_MS - 60_000))
    assert change.kind == "clock_changed"
    assert "went back by 60.033 s" in change.detail
    assert isinstance(reset, Reset)
    assert (reset.camera_id, reset.captured_ns, frame.index) == ("flat", frame.captured_ns, 2)


def test_frames_of_a_clock_that_will_be_tied_in_a_moment_are_counted_not_placed():
    early = [moment(n, 5000.0 + n * PERIOD_MS, "hardware_clock") for n in range(4)]
    made = taken(feed(ties_clocks=True), *early, moment(4), moment(5))
    assert [event.kind for event in events(made)] == ["source_up", "gap"]
    assert events(made)[1].counts == {"untied_clock": 4}
    assert [f.index for f in frames(made)] == [0, 1]


def test_a_clock_that_is_never_tied_is_taken_after_three_seconds():
    late = [moment(n, 5000.0 + 500 * n, "hardware_clock") for n in range(8)]
    made = taken(feed(ties_clocks=True), *late)
    assert events(made)[1].counts == {"untied_clock": 6}
    assert [f.captured_ns for f in frames(made)] == [8_000_000_000, 8_500_000_000]


def test_a_device_that_ties_no_clocks_is_taken_from_its_first_frame():
    assert len(frames(taken(feed(), moment(0, 5000.0, "hardware_clock")))) == 1


def test_the_view_stays_the_same_object_over_restarts_of_one_lens():
    one = feed()
    first = frames(taken(one, moment(0)))[0].view
    one.begin(OPTICS, "D455 123", ties_clocks=False)
    assert frames(taken(one, moment(1)))[0].view is first


def test_moments_before_a_device_has_begun_are_a_mistake():
    with pytest.raises(ValueError, match="comes after begin"):
        taken(Feed("flat", Mount(), Timeline(0.0)), moment(0))
