"""Pictures that lie out of order in a recording are put in order, and not one is lost for it."""

import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recording_files import noise, shown, write_bag
from sdk_files import write

from pipeline.messages import Frame, Reset
from stages.source._moments import JUMP_MS, Shot
from stages.source._ordering import Ordering, in_order
from stages.source.recording import Recording


def shot(stream, stamp_ms, number=0, clock="global_time"):
    return Shot(stream, float(stamp_ms), clock, number, None)


def stamps(shots):
    return [one.stamp_ms for one in shots]


def replayed(path):
    recording = Recording(camera_id="flat", path=str(path))
    recording.open()
    return list(recording.produce(0))


def disturbed(shots, seed):
    """Each picture moves by up to a third of a second, among its stream and among the others."""
    randomly = random.Random(seed)
    return sorted(shots, key=lambda one: one.stamp_ms + randomly.uniform(0, 330))


@pytest.mark.parametrize("make", [write, write_bag], ids=["db3", "bag"])
def test_frames_out_of_order_within_a_second_come_in_order(make, tmp_path):
    whole = shown(40)
    path = make(
        tmp_path / ("flat.db3" if make is write else "flat.bag"),
        disturbed(whole, 3),
        **({"pace_s": 0.002} if make is write else {}),
    )
    frames = replayed(path)
    assert all(isinstance(frame, Frame) for frame in frames)
    assert [frame.index for frame in frames] == list(range(40))
    for n, frame in enumerate(frames):
        assert np.array_equal(frame.depth.pixels(), noise("depth", n))
        assert np.array_equal(frame.color.pixels(), noise("color", n))


def test_a_replay_that_starts_later_gives_the_same_of_frames_out_of_order(tmp_path):
    path = write_bag(tmp_path / "flat.bag", disturbed(shown(20), 4))
    whole = replayed(path)
    for n, frame in enumerate(whole):
        recording = Recording(camera_id="flat", path=str(path))
        recording.open()
        rest = list(recording.produce(frame.captured_ns))
        assert [(f.index, f.captured_ns) for f in rest] == [(f.index, f.captured_ns) for f in whole[n:]]


def test_a_stamp_that_leaps_ahead_and_comes_back_is_a_clock_that_changed_twice_at_most(tmp_path):
    given = shown(12)
    given[8:10] = [replace(one, stamp_ms=one.stamp_ms + 3_600_000.0) for one in given[8:10]]
    messages = replayed(write_bag(tmp_path / "flat.bag", given))
    assert sum(isinstance(message, Frame) for message in messages) == 12
    assert sum(isinstance(message, Reset) for message in messages) == 1
    times = [message.captured_ns for message in messages if isinstance(message, Frame)]
    assert times == sorted(set(times))


def test_a_picture_waits_for_one_second_and_no_longer():
    ordering = Ordering()
    held = [list(ordering.add(shot("depth", stamp_ms))) for stamp_ms in (0, 500, 1000, 1001, 1600)]
    assert [stamps(given) for given in held] == [[], [], [], [0.0], [500.0]]
    assert stamps(ordering.finish()) == [1000.0, 1001.0, 1600.0]


def test_a_clock_that_stops_does_not_hold_the_others_back():
    first = shot("color", 5, clock="system_time")
    ordering, passed = Ordering(), []
    for n in range(80):
        passed += ordering.add(first if n == 0 else shot("depth", 100 * n))
    assert len(passed) >= 35


def test_streams_of_two_clocks_keep_their_places_among_each_other():
    given = [(shot("depth", 33 * n), shot("color", 1e12 + 33 * n, clock="system_time")) for n in range(60)]
    given = [one for pair in given for one in pair]
    assert list(in_order(given)) == given


def test_a_stream_that_is_written_half_a_second_late_comes_beside_the_others_of_its_clock(tmp_path):
    depth, color = shown(40, ("depth",)), shown(40, ("color",))
    late = [one for n in range(55) for one in (*depth[n : n + 1], *color[max(0, n - 15) : max(0, n - 14)])]
    frames = replayed(write_bag(tmp_path / "flat.bag", late))
    assert [np.array_equal(frame.color.pixels(), noise("color", n)) for n, frame in enumerate(frames)] == [
        True
    ] * 40


def test_a_stamp_that_goes_back_by_more_than_a_second_begins_anew():
    given = [shot("depth", ms) for ms in (5000, 5033, 5020, 3000, 3066, 3033)]
    assert stamps(in_order(given)) == [5000.0, 5020.0, 5033.0, 3000.0, 3033.0, 3066.0]


late = st.integers(0, int(JUMP_MS) // 2)
arrivals = st.lists(
    st.tuples(st.sampled_from(["depth", "color"]), st.integers(0, 20_000), late), max_size=120
)


@given(arrivals)
@settings(deadline=None)
def test_whatever_arrives_late_within_a_second_is_sorted_and_nothing_is_lost(drawn):
    drawn = sorted(drawn, key=lambda one: one[1])
    shots = [shot(stream, stamp_ms, n) for n, (stream, stamp_ms, _) in enumerate(drawn)]
    arrived = sorted(shots, key=lambda one: one.stamp_ms + drawn[one.number][2])
    ordered = list(in_order(arrived))
    assert sorted(one.number for one in ordered) == list(range(len(shots)))
    assert stamps(ordered) == sorted(stamps(shots))


CLOCKS = {"depth": "global_time", "color": "global_time", "infrared": "system_time"}


@given(st.lists(st.tuples(st.sampled_from(list(CLOCKS)), st.integers(0, 10_000)), max_size=100))
@settings(deadline=None)
def test_of_any_stamps_of_any_clocks_every_picture_comes_out_once(drawn):
    shots = [shot(stream, stamp_ms, n, CLOCKS[stream]) for n, (stream, stamp_ms) in enumerate(drawn)]
    ordered = list(in_order(shots))
    assert sorted(one.number for one in ordered) == list(range(len(shots)))
    assert [one.clock for one in ordered] == [one.clock for one in shots]
