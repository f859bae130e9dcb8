"""Reads one topic on Kafka, every partition from where it is told to, without a consumer group."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any, Literal, NamedTuple

from pipeline.publish._kafka_access import Access, made
from pipeline.publish._kafka_reach import ANSWERS_WITHIN_S, look
from pipeline.publish._publisher import Unreachable

Isolation = Literal["read_committed", "read_uncommitted"]
WAITS_MS = 100  # for news, at the broker
AT_ONCE = 500  # records
Offsets = dict[int, int]  # by partition


class Record(NamedTuple):
    """`value` is none where nothing is left of this key."""

    partition: int
    offset: int
    key: str
    value: bytes | None


class LeftError(Exception):
    """What comes next is not in the topic any more, or this is another topic of that name."""


class TopicReader:
    """Raises InputError or Unreachable as it is made, Unreachable later."""

    def __init__(self, access: Access, topic: str, isolation: Isolation) -> None:
        look(access)
        self._topic, self._access = topic, access
        with self._said():
            self._consumer = self._connected(isolation)
            try:
                self._partitions = self._all()
            except BaseException:
                self._consumer.close()
                raise

    def begin(self) -> Offsets:
        """Of the first records that are there."""
        with self._said():
            return self._offsets(self._consumer.beginning_offsets(self._partitions))

    def ends(self) -> Offsets:
        """Behind the last ones."""
        with self._said():
            return self._offsets(self._consumer.end_offsets(self._partitions))

    def go_to(self, offsets: Mapping[int, int]) -> None:
        for one in self._partitions:
            self._consumer.seek(one, offsets[one.partition])

    def places(self) -> Offsets:
        """Of what is read next: also behind what is no record."""
        with self._said():
            return {one.partition: int(self._consumer.position(one)) for one in self._partitions}

    def read(self, within_s: float) -> list[Record]:
        """What comes next, or nothing within this time. Raises LeftError too."""
        from kafka.errors import OffsetOutOfRangeError

        with self._said():
            try:
                found = self._consumer.poll(timeout_ms=int(within_s * 1000), max_records=AT_ONCE)
            except OffsetOutOfRangeError as error:
                raise LeftError(f"topic {self._topic}: what comes next is not there any more") from error
        return [
            Record(one.partition, one.offset, (one.key or b"").decode(errors="replace"), one.value)
            for records in found.values()
            for one in records
        ]

    def rest(self, ends: Mapping[int, int]) -> Iterator[Record]:
        """Everything up to there."""
        while any(place < ends[partition] for partition, place in self.places().items()):
            yield from (one for one in self.read(WAITS_MS / 1000) if one.offset < ends[one.partition])

    def close(self) -> None:
        self._consumer.close()

    def _connected(self, isolation: Isolation) -> Any:
        from kafka import KafkaConsumer

        return made(
            KafkaConsumer,
            self._access,
            isolation_level=isolation,
            auto_offset_reset="none",
            enable_auto_commit=False,
            allow_auto_create_topics=False,
            fetch_max_wait_ms=WAITS_MS,
            metrics_enabled=False,
            bootstrap_timeout_ms=int(ANSWERS_WITHIN_S * 1000),
        )

    def _all(self) -> list[Any]:
        from kafka import TopicPartition

        numbers = self._consumer.partitions_for_topic(self._topic)
        if not numbers:
            raise Unreachable(f"topic {self._topic}: is not there yet, or may not be read")
        partitions = [TopicPartition(self._topic, number) for number in sorted(numbers)]
        self._consumer.assign(partitions)
        return partitions

    @contextmanager
    def _said(self) -> Iterator[None]:
        from kafka.errors import KafkaError

        try:
            yield
        except KafkaError as error:
            raise Unreachable(f"topic {self._topic}: {error}") from error

    @staticmethod
    def _offsets(found: Mapping[Any, int]) -> Offsets:
        return {one.partition: int(offset) for one, offset in found.items()}


def there(access: Access, topic: str) -> list[str]:
    """The keys of which something is left in a topic. Raises InputError or Unreachable."""
    with closing(TopicReader(access, topic, "read_committed")) as reader:
        reader.go_to(reader.begin())
        last = {one.key: one.value is not None for one in reader.rest(reader.ends())}
    return [key for key, is_left in last.items() if is_left]
