"""Visits, hand-overs and returns."""

import numpy as np

from engines.evaluate.truth import CameraTruth
from engines.evaluate.visits import Share, Visit, hand_overs, returns, visit_numbers, visits_of

SECOND = 1_000_000_000


def truth(*rows):
    """Rows of second, person and reason."""
    times, people, ignored = zip(*rows, strict=True)
    n = len(rows)
    times_ns = (np.array(times) * SECOND).astype(np.int64)
    zeros = np.zeros(n)
    return CameraTruth(
        "flat",
        np.arange(n),
        times_ns,
        np.array(people),
        np.zeros((n, 4)),
        np.zeros((n, 2)),
        zeros,
        zeros,
        ignored,
    )


def visit(camera, begun_s, ended_s, identity, counts=True, person=1):
    return Visit(person, camera, begun_s * SECOND, ended_s * SECOND, counts, identity)


def test_a_person_who_was_gone_begins_another_visit():
    seen = truth((0, 1, ""), (0, 2, ""), (0.9, 1, ""), (2.0, 1, ""), (2.1, 1, ""))
    assert visit_numbers(seen, 1.0).tolist() == [0, 2, 0, 1, 1]


def test_a_visit_has_the_identity_that_most_of_its_frames_got():
    seen = truth(*((t / 10, 1, "") for t in range(6)))
    (one,) = visits_of(seen, ["", "", "", "P-2", "P-1", "P-1"], 1.0, 0.5)
    assert one == Visit(1, "flat", 0, SECOND // 2, True, "P-1")
    assert visits_of(seen, [""] * 6, 1.0, 0.5)[0].identity == ""


def test_a_visit_counts_if_rows_that_count_span_long_enough():
    seen = truth(*((t / 10, 1, "" if 2 <= t < 6 else "head_outside_picture") for t in range(9)))
    (one,) = visits_of(seen, ["P-1"] * 9, 1.0, 0.3)
    assert (one.counts, one.ended_ns) == (True, 8 * SECOND // 10)
    assert not visits_of(seen, ["P-1"] * 9, 1.0, 0.4)[0].counts


def test_hand_overs_are_consecutive_visits_to_two_cameras():
    path = [
        visit("flat", 0, 5, "P-1"),
        visit("ascent", 6, 9, "P-1"),
        visit("ascent", 12, 15, "P-2"),
        visit("flat", 16, 20, "P-3"),
    ]
    assert hand_overs(path) == Share(1, 2)
    assert hand_overs([*path, visit("oblique", 17, 30, "P-9", person=2)]) == Share(1, 2)


def test_a_visit_too_short_to_count_hands_nothing_over():
    path = [visit("flat", 0, 5, "P-1"), visit("oblique", 6, 6, "", counts=False), visit("flat", 7, 9, "P-1")]
    assert hand_overs(path) == Share(0, 0)


def test_nobody_is_handed_over_without_an_identity():
    assert hand_overs([visit("flat", 0, 5, ""), visit("ascent", 6, 9, "")]) == Share(0, 1)


def test_a_return_is_a_visit_after_a_long_time_out_of_all_views():
    path = [visit("flat", 0, 100, "P-1"), visit("ascent", 20, 30, "P-1"), visit("flat", 161, 170, "P-1")]
    assert returns(path, 60) == Share(1, 1)
    assert returns(path, 62) == Share(0, 0)


def test_who_is_glimpsed_first_returns_with_the_next_visit_that_counts():
    path = [
        visit("flat", 0, 10, "P-1"),
        visit("ascent", 80, 80, "", counts=False),
        visit("flat", 82, 90, "P-1"),
        visit("flat", 95, 99, "P-1"),
    ]
    assert returns(path, 60) == Share(1, 1)


def test_a_return_under_another_identity_is_not_recognised():
    assert returns([visit("flat", 0, 1, "P-1"), visit("flat", 90, 99, "P-2")], 60) == Share(0, 1)


def test_a_share_of_nothing_is_no_number():
    assert np.isnan(Share(0, 0).share)
    assert Share(1, 4).share == 0.25
