"""Who is where: the same for a consumer that saw every event and for one that starts from the records of states."""

import json

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from published import KEY, correction, lines, person, records, write
from sightline_client import SightlineError, Site, decode, state, subscribe
from sightline_client.codec import decoded
from sightline_client.site import Person

from pipeline.publish._state import STATE_SCHEMA
from pipeline.schema import event_schemas


def after(*events):
    """The site after these events."""
    return folded(lines(*events))


def folded(of_lines, site=None):
    site = site or Site()
    for line in of_lines:
        site.apply(decode(line))
    return site


def from_records(of_lines):
    return Site(decoded(record, Person) for record in records(of_lines).values())


def test_somebody_is_where_they_were_seen_last():
    site = after(person("appeared", "P-1", 5), person("observed", "P-1", 9, "T-2", camera_id="oblique"))
    one = site.people["P-1"]
    assert (one.appeared_ns, one.last.camera_id, one.last.time_ns, one.sequence) == (5, "oblique", 9, 2)
    assert one.last.floor.x_m == 1.0


def test_who_is_lost_is_known_and_not_in_view_and_who_expired_is_forgotten():
    seen = person("appeared", "P-1", 5), person("appeared", "P-2", 6), person("lost", "P-1", 5)
    site = after(*seen)
    assert ([one.identity_id for one in site.in_view], site.people["P-1"].is_lost) == (["P-2"], True)
    assert list(after(*seen, person("expired", "P-1", 5)).people) == ["P-2"]


def test_merged_people_are_where_any_of_them_was_last():
    site = after(
        person("appeared", "P-1", 5),
        person("lost", "P-1", 5),
        person("appeared", "P-2", 7, camera_id="oblique", previous_ids=("P-0",)),
        correction("merged", ("P-2",), ("P-1",), 8),
    )
    (one,) = site.people.values()
    assert (one.identity_id, one.state, one.appeared_ns, one.last.camera_id) == (
        "P-1",
        "confirmed",
        5,
        "oblique",
    )
    assert one.previous_ids == ("P-2", "P-0")
    assert site.person("P-0") == site.person("P-2") == one
    assert site.person("P-9") is None


def test_a_split_takes_the_place_of_its_tracklet_along():
    site = after(
        person("appeared", "P-1", 5, "T-1"), correction("split", ("P-1",), ("P-1", "P-2"), 8, ("T-1",))
    )
    assert site.people["P-1"].last is None
    assert site.people["P-2"].last.tracklet_id == "T-1"
    kept = after(
        person("appeared", "P-1", 5, "T-2"), correction("split", ("P-1",), ("P-1", "P-2"), 8, ("T-1",))
    )
    assert (kept.people["P-1"].last.tracklet_id, kept.people["P-2"].last) == ("T-2", None)


def test_who_is_erased_is_gone():
    erased = correction("erased", ("P-1",), (), 8)
    assert after(person("appeared", "P-1", 5), person("appeared", "P-2", 5), erased).people.keys() == {"P-2"}


WHO = some.sampled_from(["P-1", "P-2", "P-3", "P-4"])
TRACKLET = some.sampled_from(["T-1", "T-2", "T-3"])
KINDS = some.sampled_from(["appeared", "observed", "lost", "reappeared", "expired"])
PREVIOUS = some.sampled_from([(), ("P-7",), ("P-8", "P-9")])
SEEN = some.builds(
    lambda kind, who, tracklet, previous: ("seen", kind, who, tracklet, previous),
    KINDS,
    WHO,
    TRACKLET,
    PREVIOUS,
)
CHANGED = some.builds(
    lambda kind, a, b, tracklet: ("changed", kind, a, b, tracklet),
    some.sampled_from(["merged", "split", "erased"]),
    WHO,
    WHO,
    TRACKLET,
)


def published(steps):
    events = []
    for at_ns, (what, kind, who, more, last) in enumerate(steps, 1):
        if what == "seen":
            events.append(person(kind, who, at_ns, more, previous_ids=last))
        elif kind == "merged":
            events.append(correction(kind, (who,), (more,), at_ns))
        elif kind == "split":
            events.append(correction(kind, (who,), (who, more), at_ns, (last,)))
        else:
            events.append(correction(kind, (who,), (), at_ns))
    return lines(*events)


@settings(max_examples=150, deadline=None)
@given(some.lists(some.one_of(SEEN, SEEN, CHANGED), max_size=25), some.data())
def test_records_and_the_events_since_come_to_the_same_as_all_events(steps, data):
    """Also where events come again that the records hold already, and where one record is ahead of the others."""
    said = published(steps)
    cut = data.draw(some.integers(0, len(said)))
    begin = data.draw(some.integers(max(0, cut - 6), cut))
    everything = folded(said)
    assert folded(said[begin:], from_records(said[:cut])).people == everything.people
    assert from_records(said).people == everything.people


def test_an_event_that_a_record_holds_already_does_not_change_it_again():
    """Else who was merged would lose what only the record of the other one knew."""
    said = lines(
        person("appeared", "P-1", 1, previous_ids=("P-7",)),
        person("appeared", "P-2", 2),
        correction("merged", ("P-1",), ("P-2",), 3),
    )
    site = folded(said[1:], from_records(said))
    assert site.people["P-2"].previous_ids == ("P-1", "P-7")
    assert site.people["P-2"].appeared_ns == 1


@settings(max_examples=50, deadline=None)
@given(some.lists(some.one_of(SEEN, SEEN, CHANGED), max_size=12))
def test_a_record_fits_its_schema_and_is_what_a_consumer_would_write(steps):
    for key, record in records(published(steps)).items():
        jsonschema.Draft202012Validator(event_schemas()[STATE_SCHEMA]).validate(json.loads(record))
        one = decoded(record, Person)
        assert (one.identity_id, one.partitionkey) == (key, KEY)


def test_a_site_is_rebuilt_from_a_log_and_kept_from_there(tmp_path):
    said = lines(person("appeared", "P-1", 1), person("appeared", "P-2", 2), person("lost", "P-1", 1))
    path = write(tmp_path / "events.jsonl", *said[:2])
    site = state(path)
    assert len(site.in_view) == 2
    write(path, *said)
    for event in subscribe(path, families="identity", start=site.position, follow=False):
        site.apply(event)
    assert [one.identity_id for one in site.in_view] == ["P-2"]


def test_over_zeromq_a_state_needs_a_log():
    with pytest.raises(SightlineError, match="give the run's log as backlog"):
        state("zmq://localhost:5556")
