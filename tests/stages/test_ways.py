"""How people go from camera to camera where no floor says so, learned from nothing while they do."""

import numpy as np
import pytest
from builders import embedding, tracklet

from pipeline.messages import IdentityEvent
from pipeline.wire import decode, encode
from stages._ways import MOST, Ways, span
from stages.match import Match

S = 1_000_000_000
LOOKS = np.linalg.qr(np.random.default_rng(0).standard_normal((96, 96)))[0].astype(np.float32)


class Corridor:
    """Everybody goes from the door to the hall in ten seconds, or to the lift in forty; each camera has its own floor."""

    def __init__(self):
        self.match, self.said, self.second = Match(), [], 0

    def seen(self, name, camera, look, from_s):
        self.second = max(self.second, from_s)
        for at, phase in ((1, "opened"), (2, "updated"), (3, "updated"), (4, "closed")):
            of = tracklet(
                camera,
                f"T-{name}",
                phase=phase,
                opened_ns=from_s * S,
                seen_ns=(from_s + at) * S,
                floor_frame=camera,
                height_m=float("nan"),
            )
            self.said += self.match.advance((from_s + at) * S)
            self.said += self.match.process(embedding(of, look))

    def whose(self, name):
        of = [e for e in self.said if isinstance(e, IdentityEvent) and e.tracklet_id == f"T-{name}"]
        return of[-1].identity_id

    def probability(self, name):
        of = (e for e in self.said if isinstance(e, IdentityEvent) and e.tracklet_id == f"T-{name}")
        return next(e.match.probability for e in of if e.match.decision != "none")

    def a_day(self, people=30):
        for number in range(people):
            start, to_hall = 100 * number, number % 2
            self.seen(f"{number}-in", "door", LOOKS[number], start)
            after = 14 if to_hall else 44
            self.seen(f"{number}-on", "hall" if to_hall else "lift", LOOKS[number], start + after)
        return self

    def two_who_look_the_same(self, look=LOOKS[90]):
        """The one has been gone for forty seconds, the other for ten, when one of them comes to a camera."""
        self.seen("first", "door", look, 10_000)
        other = 0.7 * look + 0.714 * LOOKS[91]
        self.seen("second", "door", other, 10_030)
        between = look + other
        between /= np.linalg.norm(between)
        return between


def test_of_two_who_look_the_same_the_one_has_come_who_has_been_gone_as_long_as_it_takes():
    for camera, expected in (("hall", "second"), ("lift", "first")):
        corridor = Corridor().a_day()
        between = corridor.two_who_look_the_same()
        assert corridor.whose("first") != corridor.whose("second")
        corridor.seen("comes", camera, between, 10_044)
        assert corridor.whose("comes") == corridor.whose(expected)
        assert corridor.probability("comes") > 0.9


def test_who_has_seen_no_ways_says_nothing_of_them():
    assert Ways().evidence("door", "hall", 10.0) == 0.0
    corridor = Corridor()
    corridor.seen("comes", "hall", corridor.two_who_look_the_same(), 10_044)
    assert corridor.probability("comes") < 0.7
    assert len(corridor.match._ways) == 0


def test_what_was_learned_is_there_after_a_restart():
    corridor = Corridor().a_day(10)
    again = Match()
    again.restore(decode(encode(corridor.match.snapshot())))
    assert dict(again._ways.items()) == dict(corridor.match._ways.items())
    assert (
        again._ways.evidence("door", "hall", 10.0) > 1.0 > 0.0 > again._ways.evidence("door", "hall", 300.0)
    )


def test_cameras_on_one_floor_need_not_learn_ways():
    match = Match()
    for number, camera in enumerate(("east", "west")):
        for at, phase in ((1, "opened"), (2, "updated"), (3, "updated"), (4, "closed")):
            of = tracklet(
                camera, f"T-{camera}", phase=phase, opened_ns=20 * number * S, seen_ns=(20 * number + at) * S
            )
            list(match.process(embedding(of, LOOKS[0])))
    assert len(match._identities) == 1
    assert len(match._ways) == 0


@pytest.mark.parametrize("passed_s", [0.0, 10.0, 1e5])
def test_evidence_is_bounded_however_much_has_been_seen(passed_s):
    ways = Corridor().a_day().match._ways
    for come in ("hall", "lift", "nowhere"):
        assert abs(ways.evidence("door", come, passed_s)) <= MOST


def test_times_are_told_apart_the_better_the_shorter_they_are():
    assert [span(passed_s) for passed_s in (-1.0, 0.0, 1.0, 10.0, 11.0, 1e9)] == [0, 0, 2, 6, 7, 23]
