"""Reads a site's topics on Kafka, each partition from where it is told to, without a consumer group: what a position
holds belongs together, and nobody else is asked or waited for.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sightline_client._address import Address
from sightline_client._kafka_security import connected, settings
from sightline_client._source import Received, Source
from sightline_client.codec import decode_record
from sightline_client.errors import SightlineError

TOPICS = {"identity": "identities.v1", "tracklet": "tracklets.v1", "system": "system.v1"}
STATE = "identity-state.v1"
MOST_AT_ONCE = 500  # records; with the next line, what is in memory
FETCH_BYTES = 8 << 20

log = logging.getLogger("sightline_client")


def topics_of(site: str, families: Collection[str]) -> list[str]:
    """The topics that hold these families."""
    return [f"{site}.{name}" for family, name in TOPICS.items() if family in families]


class Kafka(Source):
    """Some topics of a site; `places` says where to go on, by topic/partition."""

    def __init__(
        self, address: Address, topics: Collection[str], places: Mapping[str, Any], follow: bool
    ) -> None:
        self._address, self._follow = address, follow
        self._consumer = consumer_of(address)
        self._partitions: dict[str, Any] = {}  # by their place
        try:
            self._begin_at(topics, places)
        except BaseException:
            self._consumer.close()
            raise

    def skip(self) -> None:
        """Begin at the end of what is there."""
        for partition, offset in self._end.items():
            self._consumer.seek(partition, offset)

    def rewind(self, records: int) -> bool:
        """Begin so many records before the end of each partition; whether that is all there is of them."""
        at = {one: max(self._begin[one], self._end[one] - records) for one in self._partitions.values()}
        for partition, offset in at.items():
            self._consumer.seek(partition, offset)
        return bool(at == self._begin)

    def read(self, wait_s: float) -> list[Received]:
        return [_received(record) for record in self.records(wait_s)]

    def records(self, wait_s: float) -> list[Any]:
        """As kafka-python has them."""
        with self._said():
            return [record for records in self._poll(wait_s).values() for record in records]

    @property
    def has_ended(self) -> bool:
        if self._follow:
            return False
        with self._said():
            return all(self._consumer.position(one) >= end for one, end in self._end.items())

    def close(self) -> None:
        library = logging.getLogger("kafka.cluster")
        was, library.disabled = library.disabled, True  # it calls what it breaks off here an error
        try:
            self._consumer.close()
        finally:
            library.disabled = was

    @contextmanager
    def _said(self) -> Iterator[None]:
        """What Kafka says inside is said in one line."""
        from kafka.errors import KafkaError

        try:
            yield
        except KafkaError as error:
            raise SightlineError(f"{self._address.text}: {error}") from error

    def _begin_at(self, topics: Collection[str], places: Mapping[str, Any]) -> None:
        with self._said():
            for topic in topics:
                self._partitions |= {
                    _place(one): one for one in partitions(self._consumer, self._address, topic)
                }
            every = list(self._partitions.values())
            self._consumer.assign(every)
            self._begin, self._end = (
                self._consumer.beginning_offsets(every),
                self._consumer.end_offsets(every),
            )
            for place, one in self._partitions.items():
                self._consumer.seek(one, self._checked(place, one, places.get(place)))

    def _poll(self, wait_s: float) -> dict[Any, list[Any]]:
        from kafka.errors import OffsetOutOfRangeError

        try:
            polled: dict[Any, list[Any]] = self._consumer.poll(
                timeout_ms=int(wait_s * 1000), max_records=MOST_AT_ONCE
            )
        except OffsetOutOfRangeError:
            every = list(self._partitions.values())
            self._begin, end = self._consumer.beginning_offsets(every), self._consumer.end_offsets(every)
            for place, one in self._partitions.items():
                at = self._consumer.position(one)
                if not self._begin[one] <= at <= end[one]:
                    self._consumer.seek(one, self._left(place, self._begin[one]))
            return {}
        return polled

    def _checked(self, place: str, partition: Any, mark: Any) -> int:
        begin: int = self._begin[partition]
        if mark is None:
            return begin
        if not isinstance(mark, int):
            raise SightlineError(
                f"{place}: its position is damaged; remove the position's file to begin anew"
            )
        return mark if begin <= mark <= self._end[partition] else self._left(place, begin)

    def _left(self, place: str, begin: int) -> int:
        log.warning(
            "%s: what comes next was removed from the topic; reading goes on at offset %d", place, begin
        )
        return begin


def consumer_of(address: Address) -> Any:
    """A connected consumer; raises SightlineError with what is wrong with the address, or with who asks."""
    try:
        from kafka import KafkaConsumer
    except ImportError as error:
        text = "needs kafka-python; pip install 'sightline-client[kafka]'"
        raise SightlineError(f"{address.text}: {text}") from error
    chosen = {
        "bootstrap_servers": list(address.hosts),
        "client_id": "sightline-client",
        "auto_offset_reset": "none",
        "enable_auto_commit": False,
        "allow_auto_create_topics": False,
        "fetch_max_bytes": FETCH_BYTES,
        **settings(address),
    }
    return connected(address, chosen, KafkaConsumer)


def partitions(consumer: Any, address: Address, topic: str) -> list[Any]:
    """Those of a topic that is there."""
    from kafka import TopicPartition

    numbers = consumer.partitions_for_topic(topic)
    if not numbers:
        text = f"there is no topic {topic}, or it may not be read; is the site's name right, and has it published?"
        raise SightlineError(f"{address.text}: {text}")
    return [TopicPartition(topic, number) for number in sorted(numbers)]


def _place(partition: Any) -> str:
    return f"{partition.topic}/{partition.partition}"


def _received(record: Any) -> Received:
    where, place = f"{record.topic}/{record.partition}: offset {record.offset}", _place(record)
    try:
        event = decode_record(record.headers, record.key, record.value or b"")
    except SightlineError as error:
        return Received(where, place, record.offset + 1, None, str(error))
    return Received(where, place, record.offset + 1, event)
