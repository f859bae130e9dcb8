"""Site time always rises, and keeps every bit of a stamp."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.source._timeline import Timeline, ms_of, ns_of

SECOND_MS = 1000.0
stamps_ms = st.floats(0, 2e12, allow_nan=False)
clocks = st.sampled_from(["global_time", "hardware_clock"])


def test_a_stamp_is_its_nanoseconds():
    assert ns_of(360_981.765) == 360_981_765_000
    assert ns_of(-5.5) == -5_500_000


@given(stamps_ms)
def test_nanoseconds_of_a_stamp_give_the_same_nanoseconds_again(stamp_ms):
    assert ns_of(ms_of(ns_of(stamp_ms))) == ns_of(stamp_ms)


@given(st.floats(1.6e12, 1.9e12))
def test_a_stamp_of_today_comes_back_to_the_last_bit(stamp_ms):
    assert ms_of(ns_of(stamp_ms)) == stamp_ms


def test_the_offset_of_the_site_is_added():
    assert Timeline(offset_ms=-250.0).place(1000.0, "global_time").captured_ns == 750_000_000


def test_a_stamp_that_goes_back_a_little_is_put_right_behind_the_last_one():
    line = Timeline(0.0)
    placed = [line.place(stamp_ms, "global_time") for stamp_ms in (5000.0, 4500.0, 4600.0, 5100.0)]
    assert [p.captured_ns for p in placed] == [5_000_000_000, 5_000_000_001, 5_000_000_002, 5_100_000_000]
    assert [p.change for p in placed] == [""] * 4


def test_a_stamp_that_goes_back_by_more_than_a_second_begins_a_clock_whose_intervals_are_kept():
    line = Timeline(0.0)
    placed = [line.place(stamp_ms, "global_time") for stamp_ms in (5000.0, 3000.0, 3100.0)]
    assert [p.captured_ns for p in placed] == [5_000_000_000, 5_000_000_001, 5_100_000_001]
    assert placed[1].change == "the clock went back by 2.000 s; times go on after the last one"
    assert placed[2].change == ""


def test_a_restarted_device_begins_a_clock_of_its_own_however_little_it_goes_back():
    line = Timeline(0.0)
    line.place(5000.0, "hardware_clock")
    assert line.place(4900.0, "hardware_clock", is_restarted=True).captured_ns == 5_000_000_001
    assert line.place(5000.0, "hardware_clock").captured_ns == 5_100_000_001


def test_a_clock_of_its_own_begins_when_the_caller_says_that_time_has_passed():
    line = Timeline(0.0)
    line.place(5000.0, "hardware_clock")
    assert line.place(100.0, "hardware_clock", passed_ns=2_000_000_000).captured_ns == 7_000_000_000
    assert line.place(200.0, "hardware_clock", passed_ns=2_000_000_000).captured_ns == 7_100_000_000


def test_another_clock_domain_is_said_and_taken_as_it_is():
    line = Timeline(0.0)
    line.place(5000.0, "hardware_clock")
    placed = line.place(1.7e12, "global_time")
    assert placed.captured_ns == 1_700_000_000_000_000_000
    assert placed.change == "the clock domain is global_time and was hardware_clock"


@pytest.mark.parametrize("from_ns", [0, 10_000_000_000])
def test_nothing_is_placed_before_the_time_from_which_the_run_goes_on(from_ns):
    placed = Timeline(0.0, from_ns - 1).place(2000.0, "hardware_clock")
    assert placed.captured_ns == max(from_ns, 2_000_000_000)
    assert bool(placed.change) == (from_ns > 2_000_000_000)


@given(
    st.lists(
        st.tuples(stamps_ms, st.sampled_from(["global_time", "hardware_clock"]), st.booleans()), max_size=30
    )
)
def test_time_rises_whatever_the_device_says(stamps):
    line = Timeline(0.0)
    times = [line.place(*stamp).captured_ns for stamp in stamps]
    assert all(a < b for a, b in zip(times, times[1:], strict=False))
