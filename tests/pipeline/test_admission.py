"""A live camera is never made to wait, and every frame of it that does not go on is counted, with the reason."""

import threading
import time

import pytest
from builders import frame
from hypothesis import given
from hypothesis import strategies as st

from pipeline.admission import Admission, Clocks, Gate
from pipeline.messages import Frame, Heartbeat, SystemEvent

MS = 1_000_000


def gate(**settings):
    return Gate("east", Admission(**{"wait_ms": 40.0, **settings}), Clocks())


def offer(into, *times_ms):
    for index, at in enumerate(times_ms):
        into.offer(frame("east", index, at * MS))


def all_of(given):
    """Everything there is to take, until the end."""
    given.end()
    taken = []
    while (some := given.take()) is not None:
        for message in some:
            taken.append(message)
            if isinstance(message, Frame):
                given.left()
    return taken


def times(messages):
    return [message.captured_ns // MS for message in messages if isinstance(message, Frame)]


def dropped(messages):
    counts = {}
    for message in messages:
        if isinstance(message, SystemEvent):
            assert message.dropped == sum(message.counts.values())
            for reason, count in message.counts.items():
                counts[reason] = counts.get(reason, 0) + count
    return counts


@pytest.mark.parametrize(("policy", "kept"), [("drop_oldest", [40, 50, 60]), ("drop_newest", [10, 20, 30])])
def test_drops_and_counts_what_does_not_fit(policy, kept):
    full = gate(max_queued=3, when_full=policy)
    offer(full, 10, 20, 30, 40, 50, 60)
    taken = all_of(full)
    assert (times(taken), dropped(taken)) == (kept, {"queue_full": 3})


def test_blocks_where_it_is_told_to():
    full, offered = gate(max_queued=2, when_full="block"), []

    def capture():
        for index in range(6):
            full.offer(frame("east", index, index * MS))
            offered.append(index)
        full.end()

    thread = threading.Thread(target=capture)
    thread.start()
    time.sleep(0.1)
    assert len(offered) == 2
    taken = []
    while (some := full.take()) is not None:
        taken += some
        full.left()
    thread.join(5)
    assert (times(taken), dropped(taken)) == ([0, 1, 2, 3, 4, 5], {})


def test_no_more_are_in_flight_than_may_be():
    narrow = gate(max_in_flight=2)
    offer(narrow, 10, 20, 30)
    assert times([*narrow.take(), *narrow.take()]) == [10, 20]
    assert narrow.take() == []
    narrow.left()
    assert times(narrow.take()) == [30]


def test_a_silent_camera_lets_time_pass_and_what_comes_too_late_is_counted():
    silent = gate(wait_ms=30.0)
    offer(silent, 100)
    assert times(silent.take()) == [100]
    beats = []
    while not beats:
        beats = silent.take()
        time.sleep(0.01)
    (beat,) = beats
    assert isinstance(beat, Heartbeat)
    assert beat.captured_ns > 100 * MS
    silent.offer(frame("east", 1, 100 * MS + 1))
    assert dropped(all_of(silent)) == {"late": 1}


def test_a_camera_that_was_never_heard_goes_by_the_slowest_other_one():
    clocks = Clocks()
    assert clocks.now_ns("east") is None
    clocks.heard("west", 5_000 * MS)
    clocks.heard("north", 9_000 * MS)
    assert clocks.now_ns("east") == pytest.approx(5_000 * MS, abs=50 * MS)
    assert clocks.now_ns("north") == pytest.approx(9_000 * MS, abs=50 * MS)


def test_what_is_said_of_a_camera_is_never_dropped():
    full = gate(max_queued=1)
    offer(full, 10)
    full.offer(SystemEvent("source_down", "east", 20 * MS, "unplugged"))
    offer(full, 30, 40)
    taken = all_of(full)
    assert [message.kind for message in taken if isinstance(message, SystemEvent)][0] == "source_down"
    assert dropped([m for m in taken if getattr(m, "kind", "") == "gap"]) == {"queue_full": 2}


@given(
    st.lists(st.integers(0, 100), max_size=30).map(sorted),
    st.integers(1, 4),
    st.sampled_from(["drop_oldest", "drop_newest"]),
    st.integers(0, 5),
)
def test_nothing_is_lost_silently(offered, room, policy, taken_first):
    some = gate(max_queued=room, when_full=policy, wait_ms=0.01)
    early = []
    for number, at in enumerate(offered):
        some.offer(frame("east", number, at * MS))
        if number < taken_first:
            for message in some.take():
                early.append(message)
                some.left() if isinstance(message, Frame) else None
    taken = early + all_of(some)
    assert len(times(taken)) + sum(dropped(taken).values()) == len(offered)
    assert times(taken) == sorted(times(taken))


@pytest.mark.parametrize("setting", ["max_in_flight", "max_queued"])
def test_refuses_settings_that_make_no_sense(setting):
    with pytest.raises(ValueError, match=f"{setting} must be 1 or more, got 0"):
        Admission(**{setting: 0})
    with pytest.raises(ValueError, match="wait_ms must be above 0, got 0"):
        Admission(wait_ms=0)
