"""Whom somebody may be, among very many: who looks most like them and who was seen lately, and nothing of who has gone."""

from dataclasses import replace

import numpy as np
import pytest
from builders import embedding, tracklet

from pipeline.keyed import Changes
from pipeline.messages import Command, Identity, IdentityEvent, Sighting
from stages import _people
from stages._people import FEW, People
from stages.match import Match

S = 1_000_000_000
MANY = FEW + 50
LOOKS = np.random.default_rng(0).standard_normal((MANY, 64)).astype(np.float32)


def sighting(number, seen_s=0.0, looks=None, **given):
    seen = tracklet("east", f"T-{number}", opened_ns=0, seen_ns=round(seen_s * S), phase="closed")
    return Sighting(
        seen, LOOKS[number].copy() if looks is None else looks, 2, "made", **{"is_open": False, **given}
    )


def person(number, *sightings, seen_s=0.0, **given):
    some = sightings or (sighting(number, seen_s),)
    return Identity(
        f"P-{number:04}", number, some, **{"seen_ns": round(seen_s * S), "is_lost": True, **given}
    )


def many(order=range(MANY), people=None):
    people = People() if people is None else people
    for number in order:
        people.put(f"P-{number:04}", person(number))
    people.pass_to(S)
    return people


def names(found):
    return [who.identity_id for who in found]


def test_few_are_weighed_all():
    people = many(range(FEW))
    assert names(people.alike([sighting(3)])[0]) == names(people.values())


def test_of_many_those_who_look_most_like_somebody_are_weighed_and_who_was_seen_lately():
    people = many()
    people.put("P-0005", person(5, sighting(5, 9), seen_s=9))
    near, unlooked = people.alike([sighting(MANY - 1), sighting(0, looks=np.empty(0, np.float32)).unlooked()])
    assert {"P-0005", f"P-{MANY - 1:04}"} <= set(names(near))
    assert len(near) < 50
    assert names(unlooked) == ["P-0005"]


def test_whom_somebody_may_be_does_not_depend_on_how_that_came_about():
    straight, winding, restored = many(), many(reversed(range(MANY))), People()
    winding.put("P-0009", person(9, sighting(9), replace(sighting(10), kind="other")))
    winding.put("P-0009", person(9))
    restored.apply(Changes(dict(winding.items())))
    restored.pass_to(S)
    asked = [sighting(9), sighting(200)]
    assert [names(those) for those in straight.alike(asked)] == [
        names(those) for those in winding.alike(asked)
    ]
    assert [names(those) for those in restored.alike(asked)] == [
        names(those) for those in winding.alike(asked)
    ]


def test_a_tracklet_that_goes_over_to_somebody_else_is_theirs():
    people = many()
    people.alike([sighting(0)])
    people.put("P-0001", person(1, sighting(1), sighting(0)))
    people.delete("P-0000")
    assert "P-0001" in names(people.alike([sighting(0)])[0])


def test_nothing_is_left_of_who_is_gone():
    people = many()
    people.alike([sighting(0)])
    (looks,) = people._looks.values()
    assert looks._sketches._blocks.any(axis=1).sum() == MANY
    for number in range(MANY - 1):
        people.delete(f"P-{number:04}")
    assert looks._sketches._blocks.any(axis=1).sum() == 1
    people.put(f"P-{MANY - 1:04}", person(MANY - 1, sighting(MANY - 1).unlooked()))
    assert not looks._sketches._blocks.any()
    assert people._looks == {f"made/{64}": looks}


def test_who_was_not_seen_for_longest_is_found_though_they_were_seen_since():
    people = many(range(4))
    people.put("P-0001", person(1, sighting(1, 50), seen_s=50))
    assert names(people.unseen_since(10 * S)) == ["P-0000", "P-0002", "P-0003"]
    people.delete("P-0002")
    assert names(people.unseen_since(10 * S)) == ["P-0000", "P-0003"]
    assert names(people.unseen_since(60 * S)) == ["P-0000", "P-0001", "P-0003"]


def test_what_comes_and_goes_does_not_pile_up():
    people = People()
    for _ in range(4 * FEW):
        people.put("P-0", person(0))
        people.delete("P-0")
        people.unseen_since(-1)
    assert len(people._by_seen._heap) <= FEW + 1


@pytest.fixture
def all_are_many(monkeypatch):
    monkeypatch.setattr(_people, "FEW", 0)


def visited(match, name, number, from_s):
    said = []
    for second in range(3):
        at_ns = round((from_s + second) * S)
        seen = tracklet(
            "east",
            name,
            phase="closed" if second == 2 else "updated",
            opened_ns=round(from_s * S),
            seen_ns=at_ns,
        )
        said += [
            *match.advance(at_ns),
            *match.process(embedding(seen, LOOKS[number] / np.linalg.norm(LOOKS[number]))),
        ]
    return {
        event.identity_id for event in said if isinstance(event, IdentityEvent) and event.tracklet_id == name
    }


def test_somebody_is_known_again_among_many(all_are_many):
    match = Match()
    first = [visited(match, f"T-a{number}", number, 10 * number) for number in range(30)]
    again = [visited(match, f"T-b{number}", number, 1000 + 10 * number) for number in range(30)]
    assert again == first
    assert len({name for names in first for name in names}) == 30


def test_who_is_erased_is_not_known_again_among_many(all_are_many):
    match = Match()
    first = [visited(match, f"T-a{number}", number, 10 * number) for number in range(30)]
    (erased,) = first[3]
    assert [event.kind for event in match.process(Command(1, "erase", erased, 900 * S))] == ["erased"]
    assert visited(match, "T-b", 3, 1000).isdisjoint({name for names in first for name in names})


def test_of_too_many_those_who_are_lost_and_longest_unseen_are_the_first_to_go_also_after_a_restart():
    people = People()
    for number, seen_s in enumerate([5, 1, 4, 2, 3]):
        people.put(f"P-{number:04}", person(number, seen_s=seen_s, is_lost=number != 1))
    people.put("P-0003", person(3, seen_s=9))
    assert [who.identity_id for who in people.beyond(3)] == ["P-0004", "P-0002"]
    assert [who.identity_id for who in people.beyond(3)] == ["P-0004", "P-0002"]
    assert people.beyond(5) == []
    again = People()
    again.apply(people.changes())
    assert [who.identity_id for who in again.beyond(3)] == ["P-0004", "P-0002"]
