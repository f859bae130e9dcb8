"""What is published: envelopes that repeat to the byte, and schemas that fit them."""

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
from builders import FLOOR, GAP, IDENTITY_EVENT, MERGED, PROVENANCE, TRACKLET_EVENT

from pipeline.events import Envelopes, rfc3339
from pipeline.schema import event_schemas

SCHEMAS = Path(__file__).parents[2] / "pipeline" / "schemas"
EVENTS = [TRACKLET_EVENT, IDENTITY_EVENT, MERGED, GAP, replace(IDENTITY_EVENT, floor=FLOOR, height_m=1.7)]


def wrapped(*events):
    envelopes = Envelopes(PROVENANCE)
    return [json.loads(envelopes.wrap(event)) for event in events]


def test_the_same_events_give_the_same_bytes():
    first, second = Envelopes(PROVENANCE), Envelopes(PROVENANCE)
    assert [first.wrap(event) for event in EVENTS] == [second.wrap(event) for event in EVENTS]


def test_an_id_changes_with_the_run_the_frame_and_the_kind():
    (one,) = wrapped(IDENTITY_EVENT)
    later, other = wrapped(replace(IDENTITY_EVENT, frame_index=8), replace(IDENTITY_EVENT, kind="observed"))
    elsewhere = json.loads(Envelopes(replace(PROVENANCE, epoch="another")).wrap(IDENTITY_EVENT))
    assert len({one["id"], later["id"], other["id"], elsewhere["id"]}) == 4


def test_a_sequence_counts_by_topic_and_key_without_gaps():
    said = wrapped(
        IDENTITY_EVENT, TRACKLET_EVENT, IDENTITY_EVENT, MERGED, replace(TRACKLET_EVENT, camera_id="oblique")
    )
    assert [(e["partitionkey"], e["sequence"]) for e in said] == [
        ("site", "1"),
        ("flat", "1"),
        ("site", "2"),
        ("site", "3"),
        ("oblique", "1"),
    ]


def test_the_envelope_is_a_cloud_event_of_capture_time():
    (event,) = wrapped(IDENTITY_EVENT)
    assert event["source"] == "/site/topview/match"
    assert event["type"] == "sightline.identity.appeared.v1"
    assert event["time"] == "1970-01-01T00:00:00.000000040Z"
    assert event["data"]["time_ns"] == 40


def test_absent_means_unknown_and_no_null_is_written():
    for event in wrapped(*EVENTS):
        assert "null" not in json.dumps(event)
    plain, placed = wrapped(IDENTITY_EVENT, EVENTS[-1])
    assert "floor" not in plain["data"]
    assert "engine_sha256" not in plain["data"]["match"]
    assert placed["data"]["floor"]["x_m"] == 1.0


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.kind)
def test_the_data_fits_its_schema(event):
    (envelope,) = wrapped(event)
    schema = event_schemas()[envelope["type"]]
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(envelope["data"])
    missing = {k: v for k, v in envelope["data"].items() if k != "captured_ns"}
    with pytest.raises(jsonschema.ValidationError, match="captured_ns"):
        jsonschema.Draft202012Validator(schema).validate(missing)


def test_the_schemas_that_ship_are_those_of_the_types():
    shipped = {file.stem: json.loads(file.read_text()) for file in SCHEMAS.glob("*.json")}
    made = json.loads(json.dumps(event_schemas()))
    assert shipped == made, "run: python run.py schema --events pipeline/schemas"


def test_times_have_nine_digits_after_a_leap_of_years():
    assert rfc3339(1_700_000_000_000_000_001) == "2023-11-14T22:13:20.000000001Z"
