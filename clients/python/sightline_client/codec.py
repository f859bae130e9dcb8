"""Events out of bytes and back. Whatever the bytes are, the answer is an event or a SightlineError."""

from __future__ import annotations

from collections.abc import Iterable
from threading import Lock
from typing import TypeVar

import msgspec

from sightline_client.errors import SightlineError
from sightline_client.events import KNOWN, Envelope, Event, UnknownEvent

MOST_BYTES = 1 << 20  # of one event, as in Kafka where nobody says otherwise
PREFIX = "ce_"  # of an attribute among a Kafka record's headers
STRUCTURED = b"application/cloudevents+json"
DAMAGED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, OverflowError)
Kind = TypeVar("Kind")
_ENVELOPE = msgspec.json.Decoder(Envelope)
_DATA = {type: msgspec.json.Decoder(cls) for type, cls in KNOWN.items()}
_PLAIN = msgspec.json.Decoder(dict[str, object])
_meeting = Lock()


def decode(line: bytes) -> Event:
    """One event in structured JSON: a line of a log, or a ZeroMQ message."""
    _check_size(line)
    try:
        return _event(_ENVELOPE.decode(line))
    except DAMAGED as error:
        raise SightlineError(f"is no event: {error}") from error


def decode_record(headers: Iterable[tuple[str, bytes]], key: bytes | None, value: bytes) -> Event:
    """One Kafka record: attributes in its headers, or structured JSON in its value."""
    _check_size(value)
    named = dict(headers)
    content = named.get("content-type") or b""
    if content.startswith(STRUCTURED):
        return decode(value)
    try:
        attributes = {
            name.removeprefix(PREFIX): text.decode()
            for name, text in named.items()
            if name.startswith(PREFIX) and text is not None
        }
        attributes.setdefault("partitionkey", (key or b"").decode())
        attributes.setdefault("datacontenttype", content.decode())
        return _event(msgspec.convert({**attributes, "data": msgspec.Raw(value)}, Envelope))
    except DAMAGED as error:
        raise SightlineError(f"is no event: {error}") from error


def encode(event: Event) -> bytes:
    """In structured JSON, with its data byte for byte as they came."""
    return msgspec.json.encode(event.envelope)


def decoded(data: bytes, kind: type[Kind]) -> Kind:
    """Some other JSON of this library's: a state, a position."""
    with _meeting:  # msgspec crashes where two threads meet a type at once
        decoder = msgspec.json.Decoder(kind)
    try:
        return decoder.decode(data)
    except DAMAGED as error:
        raise SightlineError(f"is damaged: {error}") from error


def _check_size(data: bytes) -> None:
    if len(data) > MOST_BYTES:
        raise SightlineError(f"is no event: it has {len(data)} bytes, and an event at most {MOST_BYTES}")


def _event(envelope: Envelope) -> Event:
    known = _DATA.get(envelope.type)
    if known is not None:
        return msgspec.structs.replace(known.decode(envelope.data), envelope=envelope)
    data = _PLAIN.decode(envelope.data)
    time_ns = data.get("time_ns")
    known_ns = time_ns if isinstance(time_ns, int) and abs(time_ns) < 2**63 else 0
    return UnknownEvent(envelope=envelope, time_ns=known_ns, data=data)
