"""Events as a site publishes them, with numbers that can be followed by hand, and what they come to."""

import json
from dataclasses import replace

from builders import FLOOR, IDENTITY_EVENT, PROVENANCE, TRACKLET_EVENT

from pipeline.events import Envelopes
from pipeline.messages import CorrectionEvent
from pipeline.publish._state import state_records

KEY = PROVENANCE.site  # the partition key of identity events


def person(kind, who, at_ns, tracklet_id=None, **more):
    """An identity's event at a time."""
    state = "lost" if kind in ("lost", "expired") else "confirmed"
    given = {"state": state, "tracklet_id": tracklet_id or f"T-{who}", "floor": FLOOR, **more}
    return replace(IDENTITY_EVENT, kind=kind, identity_id=who, captured_ns=at_ns, frame_index=at_ns, **given)


def correction(kind, from_ids, to_ids, at_ns, tracklet_ids=()):
    return CorrectionEvent(kind, "flat", at_ns, from_ids, to_ids, at_ns, "said", tracklet_ids)


def tracklet_seen(camera_id, at_ns):
    return replace(TRACKLET_EVENT, camera_id=camera_id, captured_ns=at_ns, frame_index=at_ns)


def lines(*events, provenance=PROVENANCE):
    """As lines of a log, numbered as they are published."""
    envelopes = Envelopes(provenance)
    return [envelopes.wrap(event) for event in events]


def seen(count, who="P-1"):
    """So many lines, all of one person."""
    return lines(*(person("observed", who, number) for number in range(1, count + 1)))


def newer(line, type="sightline.identity.waved.v1", **data):
    """The line as a newer version might say it."""
    envelope = json.loads(line)
    return json.dumps({**envelope, "type": type, "data": {**envelope["data"], **data}}).encode()


def write(path, *of_lines):
    path.write_bytes(b"".join(line + b"\n" for line in of_lines))
    return path


def append(path, *of_lines):
    with path.open("ab") as file:
        file.write(b"".join(line + b"\n" for line in of_lines))


def records(of_lines):
    """The records of all identities after these lines of theirs."""
    kept = {}
    for line in of_lines:
        for key, record in state_records(line, kept.get).items():
            if record:
                kept[key] = record
            else:
                kept.pop(key, None)
    return kept
