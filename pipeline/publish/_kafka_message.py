"""Puts a row of the outbox into the form that Kafka carries: CloudEvents in binary mode, attributes as headers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from pipeline.publish._publisher import Row

Headers = list[
    tuple[str, str | bytes | None]
]  # as confluent-kafka has it: a list of no narrower type will do
JSON = ("content-type", b"application/json")
SEALED = ("content-type", b"application/octet-stream")
WHOLE_BYTES = 1 << 16  # of a refused message this much is kept
LARGEST_BYTES = 16 << 20  # what a client takes at all; a broker mostly takes less


class Message(NamedTuple):
    topic: str
    key: bytes
    value: bytes | None  # none: whoever this key is, there is nothing any more
    headers: Headers


class Envelope(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that an event says of itself (docs/events.md), in the order in which headers go out."""

    specversion: str
    id: str
    source: str
    type: str
    subject: str
    time: str
    dataschema: str
    datacontenttype: str
    sequence: str
    partitionkey: str
    traceparent: str
    data: msgspec.Raw


_read = msgspec.json.Decoder(Envelope).decode


class Unreadable(Exception):  # noqa: N818, a state of things
    """A row that is not what an outbox holds."""


def message(row: Row, topics: Mapping[str, str]) -> Message:
    """Raises Unreadable."""
    if row.family in ("state", "rejected"):  # records, not events: their own value
        return Message(topics[row.family], row.key.encode(), row.body or None, [JSON])
    if row.family == "gallery":
        return Message(topics[row.family], row.key.encode(), row.body or None, [SEALED])
    try:
        event = _read(row.body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unreadable(f"is no event: {error}") from error
    return Message(
        topics[row.family],
        row.key.encode(),
        bytes(event.data),
        [
            ("ce_specversion", event.specversion.encode()),
            ("ce_id", event.id.encode()),
            ("ce_source", event.source.encode()),
            ("ce_type", event.type.encode()),
            ("ce_subject", event.subject.encode()),
            ("ce_time", event.time.encode()),
            ("ce_dataschema", event.dataschema.encode()),
            ("ce_sequence", event.sequence.encode()),
            ("ce_partitionkey", event.partitionkey.encode()),
            ("ce_traceparent", event.traceparent.encode()),
            ("content-type", event.datacontenttype.encode()),
        ],
    )


def rejected(row: Row, reason: str, topics: Mapping[str, str]) -> Message:
    """What is told of a row that nobody takes: where it should have gone, why it did not, and its beginning."""
    headers: Headers = [
        ("rejected_topic", topics[row.family].encode()),
        ("rejected_reason", reason.encode()),
        ("rejected_bytes", str(len(row.body)).encode()),
    ]
    return Message(topics["rejected"], row.key.encode(), row.body[:WHOLE_BYTES], headers)
