"""Publishes events on Kafka: a topic a family, CloudEvents in binary mode, in order by partition key. A row counts as
sent when all replicas have acknowledged it; who is away is waited for.
"""

from __future__ import annotations

import importlib
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, Literal

from configs.build import InputError
from pipeline.publish import _kafka_topics as kafka_topics
from pipeline.publish._kafka_access import Access, password
from pipeline.publish._kafka_message import Message, Unreadable, message, rejected
from pipeline.publish._kafka_producer import Handed, Producer
from pipeline.publish._kafka_reach import connected, look
from pipeline.publish._publisher import Publisher, Row, Unreachable

PORT = 9092
STEP_S = 0.2  # so soon it notices that it is closed
log = logging.getLogger(__name__)


@dataclass
class Kafka(Publisher):
    """A broker, as whom to come, and how a site's topics are set."""

    servers: tuple[str, ...] = (f"localhost:{PORT}",)
    client: Literal["kafka-python", "confluent"] = "kafka-python"
    security: Literal["plain", "tls"] = "plain"
    ca: str = ""
    user: str = ""
    password_variable: str = ""
    password_file: str = ""
    partitions: int = 1
    replicas: int = 1
    topics: dict[str, dict[str, str | int | float]] = field(default_factory=dict)
    acknowledged_within_s: float = 30.0
    _access: Access | None = field(default=None, init=False)
    _names: Mapping[str, str] = field(default_factory=dict, init=False)
    _producer: Producer | None = field(default=None, init=False)
    _handed: tuple[int, Handed] | None = field(default=None, init=False)  # the first row's number
    _most: int = field(default=1 << 30, init=False)  # rows handed over together: fewer, after one was refused
    _closed: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        for server in self.servers:
            if not server.rpartition(":")[2].isdecimal() or ":" not in server:
                raise ValueError(f"servers: must be like localhost:{PORT}, got {server!r}")
        if not self.servers:
            raise ValueError(f"servers: is empty; name one, like localhost:{PORT}")
        if bool(self.user) != bool(self.password_variable or self.password_file):
            raise ValueError("user: goes with password_variable or password_file, and they with it")
        if self.user and self.security == "plain":
            raise ValueError("security: must be 'tls' where there is a user: a password never goes in plain")
        if self.password_variable and self.password_file:
            raise ValueError("password_variable and password_file exclude each other; choose one")
        if min(self.partitions, self.replicas) < 1 or self.acknowledged_within_s <= 0:
            raise ValueError("partitions, replicas and acknowledged_within_s must be above 0")
        if unknown := sorted(set(self.topics) - set(kafka_topics.SETTINGS)):
            raise ValueError(
                f"topics: there is no {unknown[0]!r}; choose from {', '.join(kafka_topics.SETTINGS)}"
            )

    def open(self, folder: Path, site: str) -> None:
        """Raises InputError for what a user has to mend; a broker that is away is waited for later."""
        self._names = kafka_topics.topics_of(site)
        self._access = Access(
            tuple(self.servers),
            self.security == "tls",
            self.ca,
            self.user,
            password(self.password_variable, self.password_file),
        )
        self._class()
        try:
            self._connect()
        except Unreachable as error:
            log.warning("publish.kafka: %s; events wait until it is there", error)

    def send(self, rows: Sequence[Row]) -> int:
        """How many from the front all replicas have. After Unreachable the library goes on trying: what was handed over
        is not handed over again.
        """
        if self._closed:
            raise Unreachable("it is closed")
        try:
            if self._producer is None:
                self._connect()
            return self._sent(rows)
        except InputError as error:  # a user's mistake that was none when it was opened
            self._forget()
            raise Unreachable(str(error)) from error
        except Unreachable:
            if self._handed is None:
                self._forget()
            raise

    def close(self) -> None:
        self._closed = True
        self._forget()

    def _sent(self, rows: Sequence[Row]) -> int:
        if self._handed is None or self._handed[0] != rows[0].number:
            self._begin(rows)
        if self._handed is None:  # the first one is no event
            return 1
        handed = self._handed[1]
        self._wait(handed)
        if handed.failure is None:
            self._handed, self._most = None, min(self._most * 2, 1 << 30)
            return handed.number
        self._forget()
        if not handed.failure.for_good:
            raise Unreachable(handed.failure.reason)
        if handed.number > 1:  # which one it is shows when they go in smaller groups
            self._most = handed.number // 2
            self._produce()
            return self._sent(rows)
        self._reject(rows[0], handed.failure.reason)
        return 1

    def _begin(self, rows: Sequence[Row]) -> None:
        """Hand over as many as may go together; if the first is none that could go, reject it. They go one by one: a
        list of them would be looked through by the garbage collector again and again.
        """
        if self._handed is not None:
            self._forget()
            self._produce()
        try:
            first = message(rows[0], self._names)
        except Unreadable as error:
            self._reject(rows[0], str(error))
            return
        messages = chain((first,), _readable(rows[1 : self._most], self._names))
        self._handed = (rows[0].number, self._made().hand_over(messages))

    def _wait(self, handed: Handed) -> None:
        until_s = time.monotonic() + self.acknowledged_within_s
        counted = 0
        while not handed.settled.is_set():
            if self._closed:
                raise Unreachable("it is closed")
            if handed.acknowledged > counted:
                counted, until_s = handed.acknowledged, time.monotonic() + self.acknowledged_within_s
            if time.monotonic() > until_s:
                look(self._access_set())
                raise Unreachable(
                    f"{', '.join(self.servers)}: has acknowledged nothing for {self.acknowledged_within_s:g} s"
                )
            self._made().wait(handed, STEP_S)

    def _reject(self, row: Row, reason: str) -> None:
        """Put what nobody takes where it can be seen, and wait until it is there."""
        if self._producer is None:
            self._produce()
        handed = self._made().hand_over([rejected(row, reason, self._names)])
        self._wait(handed)
        if handed.failure is not None:
            raise Unreachable(f"{handed.failure.reason}, for a row that was refused: {reason}")
        log.warning("publish.kafka: row %d is in %s: %s", row.number, self._names["rejected"], reason)

    def _connect(self) -> None:
        """See to the topics, and make a producer. Raises InputError or Unreachable."""
        from kafka.errors import KafkaError

        access = self._access_set()
        admin = connected(access)
        own = {name: {key: str(value) for key, value in some.items()} for name, some in self.topics.items()}
        copies = {"num_partitions": self.partitions, "replication_factor": self.replicas}
        try:
            kafka_topics.prepare(admin, self._names, own, copies)
        except KafkaError as error:
            raise _of_topics(error, access) from error
        finally:
            admin.close()
        self._produce()

    def _produce(self) -> None:
        from kafka.errors import KafkaError

        try:
            self._producer = self._class()(self._access_set())
        except KafkaError as error:
            raise Unreachable(str(error)) from error

    def _class(self) -> Any:
        """Of the client library that was asked for; raises InputError where it is not installed."""
        if self.client == "kafka-python":
            return importlib.import_module("pipeline.publish._kafka_python").KafkaPython
        try:
            return importlib.import_module("pipeline.publish._confluent").Confluent
        except ModuleNotFoundError as error:
            text = (
                "publish.kafka.client: is not installed; install the 'confluent' extra, or say kafka-python"
            )
            raise InputError(text) from error

    def _forget(self) -> None:
        """What is not acknowledged is given up here: it goes out again from the outbox."""
        producer, self._producer, self._handed = self._producer, None, None
        if producer is not None:
            producer.close()

    def _made(self) -> Producer:
        if self._producer is None:
            raise Unreachable("it is closed")
        return self._producer

    def _access_set(self) -> Access:
        if self._access is None:
            raise RuntimeError("this publisher is not open")
        return self._access


def _readable(rows: Sequence[Row], topics: Mapping[str, str]) -> Iterator[Message]:
    """Up to the first that is no event, whose turn comes when it is the first."""
    with suppress(Unreadable):
        for row in rows:
            yield message(row, topics)


def _of_topics(error: Exception, access: Access) -> InputError | Unreachable:
    """What Kafka answered when it was asked about topics."""
    from kafka.errors import AuthorizationError, BrokerResponseError

    if isinstance(error, AuthorizationError):
        text = f"publish.kafka: {access.who} may not see or make the topics of this site"
        return InputError(f"{text}; have it allowed over there (kafka-acls)")
    if isinstance(error, BrokerResponseError) and not getattr(error, "retriable", False):
        return InputError(
            f"publish.kafka: topics cannot be made: {error}; see 'topics', 'partitions' and 'replicas'"
        )
    return Unreachable(f"topics cannot be made yet: {error}")
