"""What a consumer gets is what was published: typed, and byte for byte the same when it is written again."""

import json
import typing

import msgspec
import pytest
from builders import GAP, IDENTITY_EVENT, MERGED, TRACKLET_EVENT
from published import lines, newer, person
from sightline_client import (
    CorrectionEvent,
    IdentityEvent,
    SightlineError,
    SystemEvent,
    TrackletEvent,
    UnknownEvent,
    decode,
    encode,
)
from sightline_client.codec import MOST_BYTES, decode_record
from sightline_client.events import KNOWN
from sightline_client.site import Person

from pipeline.publish._state import STATE_SCHEMA
from pipeline.schema import event_schemas

KINDS = [
    (TRACKLET_EVENT, TrackletEvent),
    (IDENTITY_EVENT, IdentityEvent),
    (MERGED, CorrectionEvent),
    (GAP, SystemEvent),
]


@pytest.mark.parametrize(("event", "cls"), KINDS, ids=lambda one: getattr(one, "kind", ""))
def test_an_event_is_typed_and_comes_out_as_it_came_in(event, cls):
    (line,) = lines(event)
    read = decode(line)
    assert (type(read), read.kind, read.sequence, read.captured_ns) == (cls, event.kind, 1, event.captured_ns)
    assert encode(read) == line


def test_every_type_that_is_published_has_a_class_with_all_its_fields():
    schemas = event_schemas()
    state = schemas.pop(STATE_SCHEMA)
    assert set(KNOWN) == set(schemas)
    for name, schema in schemas.items():
        fields = {field.encode_name: field for field in msgspec.structs.fields(KNOWN[name])}
        assert set(schema["properties"]) <= set(fields), name
        needed = {n for n, f in fields.items() if f.required}
        assert needed == set(schema["required"]) - {"camera_id"}, name
    assert set(state["properties"]) == {field.name for field in msgspec.structs.fields(Person)}


def test_parts_of_an_event_have_all_their_fields():
    parts = event_schemas()["sightline.identity.observed.v1"]["$defs"]
    hints = typing.get_type_hints(IdentityEvent)
    for part, cls in (("Match", hints["match"]), ("Floor", typing.get_args(hints["floor"])[0])):
        assert set(parts[part]["properties"]) == {field.name for field in msgspec.structs.fields(cls)}


def test_a_type_that_is_newer_is_delivered_as_it_is():
    (line,) = lines(person("observed", "P-1", 5))
    event = decode(newer(line, hands=2))
    assert isinstance(event, UnknownEvent)
    assert (event.kind, event.time_ns, event.data["hands"]) == ("waved", 5, 2)


def test_fields_and_words_that_are_newer_do_no_harm():
    (line,) = lines(person("observed", "P-1", 5))
    event = decode(newer(line, type="sightline.identity.observed.v1", hands=2, state="waving"))
    assert (event.identity_id, event.state) == ("P-1", "waving")


def test_a_kafka_record_says_the_same_in_its_headers():
    (line,) = lines(IDENTITY_EVENT)
    envelope = json.loads(line)
    value = json.dumps(envelope.pop("data")).encode()
    content = envelope.pop("datacontenttype").encode()
    headers = [(f"ce_{name}", text.encode()) for name, text in envelope.items()] + [("content-type", content)]
    read = decode_record(headers, b"site", value)
    assert (read.identity_id, read.envelope.id) == ("P-1", envelope["id"])
    assert json.loads(encode(read)) == json.loads(line)
    keyed = [pair for pair in headers if pair[0] != "ce_partitionkey"]
    assert decode_record(keyed, b"site", value).key == "site"
    structured = [("content-type", b"application/cloudevents+json; charset=utf-8")]
    assert decode_record(structured, None, line) == decode(line)


BROKEN = {
    "nothing": b"",
    "half": lines(IDENTITY_EVENT)[0][:-40],
    "deep": b'{"data":' + b"[" * 100_000,
    "a list": b"[]",
    "no text": b'{"id":"\xff"}',
    "no sequence": newer(lines(IDENTITY_EVENT)[0]).replace(b'"sequence": "1"', b'"sequence": "0"'),
    "no type": newer(lines(IDENTITY_EVENT)[0], type="other.thing"),
    "far away": newer(lines(IDENTITY_EVENT)[0], "sightline.identity.observed.v1", captured_ns=2**63),
    "too large": b" " * (MOST_BYTES + 1),
}


@pytest.mark.parametrize("line", BROKEN.values(), ids=BROKEN)
def test_what_is_no_event_is_refused_in_one_line(line):
    with pytest.raises(SightlineError, match="^is no event: ") as caught:
        decode(line)
    assert "\n" not in str(caught.value)
