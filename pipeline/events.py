"""Puts what leaves the graph into CloudEvents 1.0 envelopes. Nothing in one comes from a clock or a measurement
of ourselves: the same recording and configuration give the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

import msgspec

from pipeline.messages import CorrectionEvent, IdentityEvent, SystemEvent, TrackletEvent

CODE_VERSION = "0.1.0"
SCHEMA_VERSION = "v1"

Sequences = Mapping[tuple[str, str], int]  # by family and partition key
Wrapped = tuple[str, str, bytes]  # family, partition key, body
Published = TrackletEvent | IdentityEvent | CorrectionEvent | SystemEvent
FAMILIES: dict[type, str] = {
    TrackletEvent: "tracklet",
    IdentityEvent: "identity",
    CorrectionEvent: "identity",
    SystemEvent: "system",
}


@dataclass(frozen=True)
class Provenance:
    """Where a run's events come from: the same in all of them."""

    site: str
    graph: str
    epoch: str  # a hash of recording and graph; random when live
    graph_sha256: str
    purpose: str = "unspecified"
    retention_class: str = "default"
    producers: dict[type, str] = field(default_factory=dict)  # node id by message type


class Envelopes:
    """Wraps events in the order in which they come, and counts them by topic and partition key, going on from
    `sequences`.
    """

    def __init__(self, provenance: Provenance, sequences: Sequences | None = None) -> None:
        self.provenance = provenance
        self._sequences = dict(sequences or {})
        self._allotted: set[tuple[str, str]] = set()
        self._provenance_data = {"graph_sha256": provenance.graph_sha256, "code_version": CODE_VERSION}
        self._privacy = {"retention_class": provenance.retention_class, "purpose": provenance.purpose}

    def wrapped(self, event: Published) -> Wrapped:
        """One event as family, partition key and structured CloudEvents JSON, without a newline."""
        family, key = FAMILIES[type(event)], self._partition_key(event)
        sequence = self._sequences[family, key] = self._sequences.get((family, key), 0) + 1
        self._allotted.add((family, key))
        return family, key, msgspec.json.encode(self._envelope(event, key, sequence, self._data(event)))

    def allotted(self) -> Sequences:
        """The sequence numbers that have changed since the last call, each the last of its topic and key."""
        changed, self._allotted = self._allotted, set()
        return {of: self._sequences[of] for of in changed}

    def wrap(self, event: Published) -> bytes:
        """One event as structured CloudEvents JSON."""
        return self.wrapped(event)[2]

    def _data(self, event: Published) -> dict[str, Any]:
        data, provenance = _plain(event), dict(self._provenance_data)
        if "calibration_id" in data:
            provenance["calibration_id"] = data.pop("calibration_id")
        return {**data, "time_ns": event.captured_ns, "provenance": provenance, "privacy": self._privacy}

    def _envelope(self, event: Published, key: str, sequence: int, data: dict[str, Any]) -> dict[str, Any]:
        origin, subject = self.provenance, _subject(event)
        return {
            "specversion": "1.0",
            "id": self._id(event, subject),
            "source": f"/{origin.site}/{origin.graph}/{self._producer(event)}",
            "type": type_of(event),
            "subject": subject,
            "time": rfc3339(event.captured_ns),
            "dataschema": f"urn:sightline:schema:{type_of(event)}",
            "datacontenttype": "application/json",
            "sequence": str(sequence),
            "partitionkey": key,
            "traceparent": self._trace(event),
            "data": data,
        }

    def _partition_key(self, event: Published) -> str:
        by_site = isinstance(event, IdentityEvent | CorrectionEvent) or not event.camera_id
        return self.provenance.site if by_site else event.camera_id

    def _producer(self, event: Published) -> str:
        """The node; of what happens to a camera or the graph, that camera or the graph."""
        if isinstance(event, SystemEvent):
            return event.camera_id or "graph"
        return self.provenance.producers.get(type(event), "source")

    def _id(self, event: Published, subject: str) -> str:
        origin, frame = self.provenance, getattr(event, "frame_index", -1)
        producer = self._producer(event)
        place = f"{event.captured_ns}|{event.camera_id}|{frame}"
        return _digest(origin.site, origin.epoch, place, producer, subject, type_of(event))

    def _trace(self, event: Published) -> str:
        origin, frame = self.provenance, getattr(event, "frame_index", -1)
        trace = _digest(origin.site, origin.epoch, event.camera_id, str(frame))
        return f"00-{trace}-{_digest(trace, type_of(event), _subject(event))[:16]}-01"


def type_of(event: Published) -> str:
    """The CloudEvents type, like 'sightline.tracklet.opened.v1'."""
    return f"sightline.{FAMILIES[type(event)]}.{event.kind}.{SCHEMA_VERSION}"


def rfc3339(time_ns: int) -> str:
    """Nanoseconds since the epoch as UTC, with all nine digits."""
    seconds, rest = divmod(time_ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"


def _subject(event: Published) -> str:
    match event:
        case TrackletEvent():
            return event.tracklet_id
        case IdentityEvent():
            return event.identity_id
        case CorrectionEvent():
            return ",".join(event.from_ids)
    return event.camera_id or "graph"


def _plain(event: Published) -> dict[str, Any]:
    """The fields that are there: absent means unknown."""
    fields = msgspec.to_builtins(event)
    named = {"from_ids": "from", "to_ids": "to"} if isinstance(event, CorrectionEvent) else {}
    return {named.get(name, name): _present(value) for name, value in fields.items() if _says(name, value)}


def _says(name: str, value: Any) -> bool:
    return value is not None and value != "" and name != "kind"


def _present(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _present(inner) for name, inner in value.items() if inner is not None}
    return value


def _digest(*parts: str) -> str:
    return blake2b("\x1f".join(parts).encode(), digest_size=16).hexdigest()
