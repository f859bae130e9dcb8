"""Puts a row of the outbox into the form that Kafka carries: CloudEvents in binary mode, attributes as headers."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

import msgspec

from pipeline.publish._publisher import Row

Headers = list[
    tuple[str, str | bytes | None]
]  # as confluent-kafka has it: a list of no narrower type will do
OFTEN = (
    "ce_specversion",
    "ce_source",
    "ce_type",
    "ce_subject",
    "ce_dataschema",
    "content-type",
    "ce_partitionkey",
)
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
    version, source, type, subject, schema, content, key = _often(
        event.specversion,
        event.source,
        event.type,
        event.subject,
        event.dataschema,
        event.datacontenttype,
        event.partitionkey,
    )
    return Message(
        topics[row.family],
        row.key.encode(),
        bytes(event.data),
        [
            version,
            ("ce_id", event.id.encode()),
            source,
            type,
            subject,
            ("ce_time", event.time.encode()),
            schema,
            ("ce_sequence", event.sequence.encode()),
            key,
            ("ce_traceparent", event.traceparent.encode()),
            content,
        ],
    )


@lru_cache(maxsize=4096)
def _often(*values: str) -> list[tuple[str, bytes]]:
    """Headers of what many events say alike."""
    return [(name, value.encode()) for name, value in zip(OFTEN, values, strict=True)]


def rejected(row: Row, reason: str, topics: Mapping[str, str]) -> Message:
    """What is told of a row that nobody takes: where it should have gone, why it did not, and its beginning."""
    headers: Headers = [
        ("rejected_topic", topics[row.family].encode()),
        ("rejected_reason", reason.encode()),
        ("rejected_bytes", str(len(row.body)).encode()),
    ]
    return Message(topics["rejected"], row.key.encode(), row.body[:WHOLE_BYTES], headers)
