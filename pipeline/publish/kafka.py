"""Publishes events on Kafka: a topic a family, CloudEvents in binary mode, in order by partition key. A row counts as
sent when all replicas have acknowledged it; who is away is waited for.
"""

from __future__ import annotations

import importlib
import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from typing import Any, Literal

from configs.build import InputError
from configs.password import password
from pipeline.gallery_key import GalleryKey
from pipeline.publish import _kafka_topics as kafka_topics
from pipeline.publish._kafka_access import Access
from pipeline.publish._kafka_delivery import Delivery
from pipeline.publish._kafka_lease import RENEWALS, Lease, OtherWriterError
from pipeline.publish._kafka_producer import Producer
from pipeline.publish._kafka_reach import connected
from pipeline.publish._kafka_reader import there
from pipeline.publish._publisher import Publisher, Row, Sharing, Unreachable

PORT = 9092
AT_ONCE, ALONE_AT_ONCE = 10_000, 20_000
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
    exclusive: bool = False
    lease_s: float = 10.0
    gallery_key_file: str = ""
    _site: str = field(default="", init=False)
    _topics: Mapping[str, str] = field(default_factory=dict, init=False)  # by family
    _gallery_key: GalleryKey | None = field(default=None, init=False)
    _delivery: Delivery | None = field(default=None, init=False)
    _is_unseen: bool = field(default=False, init=False)  # who wrote the gallery there, when this run began
    _busy: threading.Lock = field(default_factory=threading.Lock, init=False)  # somebody uses it

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
        if not 1 <= self.lease_s <= 600:
            raise ValueError(f"lease_s must be from 1 to 600, got {self.lease_s}")
        if unknown := sorted(set(self.topics) - set(kafka_topics.SETTINGS)):
            raise ValueError(
                f"topics: there is no {unknown[0]!r}; choose from {', '.join(kafka_topics.SETTINGS)}"
            )

    def open(self, folder: Path, site: str) -> None:
        """Raises InputError for what a user has to mend; a broker that is away is waited for later."""
        self._site, self._topics = site, kafka_topics.topics_of(site)
        self._delivery = Delivery(self.access(), self._topics, self.acknowledged_within_s, self._made)
        if self.gallery_key_file:
            self._gallery_key = GalleryKey.read(self.gallery_key_file, site)
        self._class()
        if not self._is_exclusive:
            self._begin()

    def resume(self, mark: bytes | None) -> None:
        """Raises InputError where somebody else writes this site."""
        if self._is_exclusive:
            delivery, folder = self._open(), (mark or b"").decode() or token_hex(8)
            delivery.lease = Lease(delivery.access, self._site, self._topics["writer"], folder, self.lease_s)
            self._begin()

    def mark(self) -> bytes:
        lease = self._delivery and self._delivery.lease
        return lease.folder.encode() if lease else b""

    def sharing(self, is_first: bool) -> Sharing | None:
        """Raises InputError where what is over there must be seen to, and nobody is there."""
        delivery = self._open()
        if self._gallery_key is None or delivery.lease is None:
            return None
        self._is_unseen = not delivery.is_connected
        if not (is_first or delivery.lease.was_others):
            return Sharing(self._gallery_key, None)
        try:
            if not delivery.is_connected:
                raise Unreachable("Kafka is away")
            return Sharing(self._gallery_key, there(delivery.access, self._topics["gallery"]))
        except Unreachable as error:
            text = "whom replicas know must be seen before the gallery is shared from here"
            raise InputError(f"publish.kafka: {text}: {error}; run again when it is back") from error

    @property
    def most_rows(self) -> int:  # type: ignore[override]  # it depends on the settings
        """More where it is quicker; and where a transaction takes longer than what is in it."""
        if self.client != "confluent":
            return Publisher.most_rows
        return ALONE_AT_ONCE if self._is_exclusive else AT_ONCE

    @property
    def on_their_way(self) -> int:  # type: ignore[override]  # it depends on the settings
        """The broker is not to be without work while more is handed over; a transaction goes alone."""
        return 0 if self._is_exclusive else 2 * self.most_rows

    @property
    def idles_every_s(self) -> float | None:  # type: ignore[override]  # it depends on the settings
        return self.lease_s / RENEWALS if self._is_exclusive else None

    def idle(self) -> None:
        """Renew the lease; who is away is tried again."""
        delivery = self._open()
        with self._busy:
            try:
                if not delivery.is_connected:
                    self._connect()
                delivery.renew()
            except OtherWriterError:
                delivery.forget()
                raise
            except (InputError, Unreachable) as error:
                log.debug("publish.kafka: %s", error)
                delivery.forget()

    def send(self, rows: Sequence[Row]) -> int:
        """How many from the front all replicas have. Raises OtherWriterError where somebody else has taken over."""
        delivery = self._open()
        if delivery.is_closed:
            raise Unreachable("it is closed")
        with self._busy:
            if not delivery.is_connected:
                try:
                    self._connect()
                except OtherWriterError:
                    raise
                except InputError as error:  # a user's mistake that was none when it was opened
                    raise Unreachable(str(error)) from error
            return delivery.send(rows)

    def close(self) -> None:
        if (delivery := self._delivery) is None:
            return
        if delivery.lease and self._busy.acquire(blocking=False):
            delivery.leave()
            self._busy.release()
        delivery.is_closed = True
        delivery.forget()

    def access(self) -> Access:
        """How to come to the broker; raises InputError where there is no password."""
        word = password(self.password_variable, self.password_file, "publish.kafka.password")
        return Access(tuple(self.servers), self.security == "tls", self.ca, self.user, word)

    @property
    def own_settings(self) -> dict[str, dict[str, str]]:
        """What a user has said of topics, as Kafka writes it."""
        return {name: {key: str(value) for key, value in some.items()} for name, some in self.topics.items()}

    @property
    def _is_exclusive(self) -> bool:
        """A gallery that is shared has one who writes it."""
        return self.exclusive or bool(self.gallery_key_file)

    def _begin(self) -> None:
        try:
            self._connect()
        except Unreachable as error:
            log.warning("publish.kafka: %s; events wait until it is there", error)

    def _connect(self) -> None:
        """See to the topics, and make a producer. Raises InputError or Unreachable."""
        from kafka.errors import KafkaError

        delivery = self._open()
        admin = connected(delivery.access)
        is_needed = {"gallery": self._gallery_key is not None, "writer": self._is_exclusive}
        needed = {family: topic for family, topic in self._topics.items() if is_needed.get(family, True)}
        copies = {"num_partitions": self.partitions, "replication_factor": self.replicas}
        try:
            kafka_topics.prepare(admin, needed, self.own_settings, copies)
        except KafkaError as error:
            raise kafka_topics.blamed(error, delivery.access) from error
        finally:
            admin.close()
        delivery.connect()
        if self._is_unseen and delivery.lease and delivery.lease.was_others:
            text = "another run has written the gallery; start this one again, so that replicas are told of its own"
            raise OtherWriterError(f"publish.kafka: site {self._site!r}: {text}")
        self._is_unseen = False

    def _made(self, name: str) -> Producer:
        from kafka.errors import KafkaError

        try:
            producer: Producer = self._class()(self._open().access, name)
        except KafkaError as error:
            raise Unreachable(str(error)) from error
        return producer

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

    def _open(self) -> Delivery:
        if self._delivery is None:
            raise RuntimeError("this publisher is not open")
        return self._delivery
