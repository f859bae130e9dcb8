"""An operator's word on who is who is done at once, and no review undoes it."""

from dataclasses import replace

import pytest
from visits import BLUE, RED, S, Site, alike

from pipeline.messages import Command, CorrectionEvent, Identity
from pipeline.wire import decode, encode
from stages.match import Match


class Corrected(Site):
    def ask(self, kind, subject, other, at_s=None):
        at_ns = round((self._now_s if at_s is None else at_s) * S)
        said = list(self.match.process(Command(7, kind, subject, at_ns, other)))
        self.said += said
        return said

    def restart(self):
        """It is killed, and goes on from its last cut."""
        kept, self.match = decode(encode(self.match.snapshot())), Match(**self.settings)
        self.match.restore(kept)
        return self


def site(**settings):
    made = Corrected(**settings)
    made.settings = settings
    return made


def two_of_one_look():
    """Somebody whom the matcher takes for one, seen three times."""
    one = site().visit("a", "east", RED, 0, 4).visit("b", "west", RED, 20, 24).visit("c", "east", RED, 40, 44)
    assert len({one.identity_of(name) for name in "abc"}) == 1
    return one


def two_of_two_looks():
    two = site().visit("a", "east", RED, 0, 4).visit("b", "west", BLUE, 20, 24)
    assert two.identity_of("a") != two.identity_of("b")
    return two


@pytest.mark.parametrize("turned", [False, True])
def test_two_who_are_said_to_be_one_are_the_one_who_was_there_first(turned):
    people = two_of_two_looks()
    first, second = people.identity_of("a"), people.identity_of("b")
    (event,) = people.ask("merge", *((second, first) if turned else (first, second)))
    assert (event.kind, event.from_ids, event.to_ids) == ("merged", (second,), (first,))
    assert event.evidence == "on request, command 7"
    assert people.identity_of("b") == first


def test_no_review_parts_who_was_said_to_be_one_though_they_look_otherwise_not_even_after_a_restart():
    people = two_of_two_looks()
    first = people.identity_of("a")
    people.ask("merge", first, people.identity_of("b"))
    people.restart().visit("c", "east", RED, 60, 70).visit("d", "west", BLUE, 80, 90).pass_to(120)
    assert [event.kind for event in people.said if isinstance(event, CorrectionEvent)] == ["merged"]
    assert people.identity_of("a") == people.identity_of("b") == first


def test_the_same_two_not_said_to_be_one_are_parted_by_a_review():
    people = site(review_s=1000.0).visit("a", "east", RED, 0, 4)
    people.match._identities.put(
        people.identity_of("a"),
        replace(
            (who := people.match._identities.values()[0]),
            sightings=(*who.sightings, *two_of_two_looks().match._identities.values()[1].sightings),
            seen_ns=24 * S,
        ),
    )
    people.match.review_s = 1.0
    people.pass_to(30)
    assert [event.kind for event in people.said if isinstance(event, CorrectionEvent)] == ["split"]


def test_a_tracklet_that_is_said_to_be_somebody_elses_is_somebody_new():
    people = two_of_one_look()
    one = people.identity_of("a")
    (event,) = people.ask("split", one, "T-b")
    assert (event.kind, event.from_ids, event.tracklet_ids) == ("split", (one,), ("T-b",))
    assert event.to_ids[0] == one != event.to_ids[1]
    assert people.identity_of("b") == event.to_ids[1]
    assert people.identity_of("a") == people.identity_of("c") == one


def test_no_review_joins_who_was_said_to_be_two_though_they_look_the_same_not_even_after_a_restart():
    people = two_of_one_look()
    people.ask("split", people.identity_of("a"), "T-b")
    people.restart().visit("d", "east", RED, 60, 70).visit("e", "west", RED, 80, 90).pass_to(150)
    assert [event.kind for event in people.said if isinstance(event, CorrectionEvent)] == ["split"]
    assert people.identity_of("b") != people.identity_of("a")


def test_who_was_said_to_be_two_stays_so_under_names_that_they_get_later():
    people = two_of_one_look()
    one = people.identity_of("a")
    (event,) = people.ask("split", one, "T-b")
    people.visit("other", "west", alike(BLUE, RED, 0.9), 60, 64)
    people.ask("merge", people.identity_of("other"), event.to_ids[1])
    people.pass_to(150)
    assert [one.kind for one in people.said if isinstance(one, CorrectionEvent)] == ["split", "merged"]


def test_who_was_said_to_be_two_stays_so_when_both_are_taken_for_others():
    one, other = Identity("P-1", 1, ()), Identity("P-2", 2, (), apart=("P-1",))
    first, second = Identity("P-3", 0, ()).joined(one), Identity("P-4", 0, ()).joined(other)
    assert first.is_apart(second)
    assert second.is_apart(first)
    assert not first.is_apart(Identity("P-5", 0, ()))


def test_who_was_parted_by_mistake_can_be_joined_again_and_stays_so():
    people = two_of_one_look()
    one = people.identity_of("a")
    (event,) = people.ask("split", one, "T-b")
    people.ask("merge", one, event.to_ids[1])
    people.visit("d", "east", RED, 60, 64).pass_to(120)
    assert {people.identity_of(name) for name in "abcd"} == {one}
    (who,) = people.match._identities.values()
    assert who.apart == ()


def test_a_tracklet_that_goes_on_is_theirs_to_whom_it_was_given():
    people = site().visit("a", "east", RED, 0, 4).visit("b", "west", RED, 20, 24, closes=False)
    one = people.identity_of("b")
    (event,) = people.ask("split", one, "T-b")
    people.visit("b", "west", RED, 25, 40, closes=False).pass_to(60)
    assert people.identity_of("b") == event.to_ids[1] != one
    (kept,) = people.match._identities.get(event.to_ids[1]).sightings
    assert kept.is_settled
    assert kept.votes > 10


def test_what_cannot_be_is_not_done():
    people = two_of_two_looks()
    first, second = people.identity_of("a"), people.identity_of("b")
    assert people.ask("merge", first, "P-NOBODY") == []
    assert people.ask("merge", first, first) == []
    assert people.ask("split", first, "T-b") == []
    assert people.ask("split", first, "T-a") == []  # it is all there is of them
    people.ask("merge", first, second)
    assert people.ask("merge", first, second) == []
    assert [event.kind for event in people.ask("split", second, "T-b")] == [
        "split"
    ]  # by a name that they had


def test_whoever_is_erased_is_not_named_by_others():
    people = two_of_one_look()
    one = people.identity_of("a")
    (event,) = people.ask("split", one, "T-b")
    people.match._identities.values()
    list(people.match.process(Command(8, "erase", event.to_ids[1], 50 * S)))
    assert event.to_ids[1].encode() not in encode(people.match.snapshot()["_identities"].put)
