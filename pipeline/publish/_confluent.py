"""Hands messages to librdkafka (the extra 'confluent'): ten times the rate at a tenth of the CPU."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer

from pipeline.publish._kafka_access import MECHANISM, Access
from pipeline.publish._kafka_message import LARGEST_BYTES, Message
from pipeline.publish._kafka_producer import Failure, Handed, named
from pipeline.publish._publisher import Unreachable

LINGER_MS, QUEUE = 1, 1_000_000
TRANSACTION_MS = 60_000  # then a broker takes back what was begun and not ended
INITIALISES_WITHIN_S = 10.0
POLL_S = 0.1
log = logging.getLogger(__name__)


class Confluent:
    """A `Producer`; acknowledgements come while it waits."""

    def __init__(self, access: Access, name: str = "") -> None:
        self._is_named, self._committing, self._last = bool(name), Handed(), Handed()
        settings = {
            "bootstrap.servers": ",".join(access.servers),
            "security.protocol": access.protocol,
            "acks": "all",
            "enable.idempotence": True,
            "message.timeout.ms": 0,  # it never gives up
            "message.max.bytes": LARGEST_BYTES,
            "queue.buffering.max.messages": QUEUE,
            "linger.ms": LINGER_MS,
            "partitioner": "murmur2_random",  # as kafka-python and Java: a key stays where it was
            "allow.auto.create.topics": False,
            "logger": _quiet(),
        }
        if access.tls and access.ca:
            settings["ssl.ca.location"] = access.ca
        if access.user:
            settings |= {
                "sasl.mechanism": MECHANISM,
                "sasl.username": access.user,
                "sasl.password": access.password,
            }
        if name:
            settings |= {"transactional.id": name, "transaction.timeout.ms": TRANSACTION_MS}
        self._producer = Producer(settings)
        if name:
            try:
                self._producer.init_transactions(INITIALISES_WITHIN_S)
            except KafkaException as error:
                self.close()
                raise Unreachable(_failure(error.args[0], "").reason) from error

    def hand_over(self, messages: Iterable[Message]) -> Handed:
        handed, produce = Handed(), self._producer.produce
        self._last = handed
        try:
            if self._is_named:
                self._producer.begin_transaction()
        except KafkaException as error:  # somebody else has its name
            raise Unreachable(_failure(error.args[0], "").reason) from error

        def delivered(error: KafkaError | None, message: Any) -> None:
            if error is None:
                handed.acknowledge()
            else:
                handed.fail(_failure(error, message.topic()))

        for topic, key, value, headers in messages:
            handed.number += 1
            try:
                produce(topic, value, key, headers=headers, on_delivery=delivered)
            except KafkaException as error:  # too large even for the library
                handed.fail(_failure(error.args[0], topic))
                return handed
            except BufferError:
                handed.fail(Failure("more waits than librdkafka takes"))
                return handed
        handed.complete()
        return handed

    def commit(self) -> Handed:
        self._committing = Handed(number=1, are_all=True)
        return self._committing

    def wait(self, handed: Handed, within_s: float) -> None:
        if handed is self._committing:
            self._commit(within_s)
            return
        until_s = time.monotonic() + within_s
        while not handed.settled.is_set() and (left_s := until_s - time.monotonic()) > 0:
            try:
                if handed is self._last:
                    self._producer.flush(min(left_s, POLL_S))  # `poll` would leave the last of them to linger
                else:
                    self._producer.poll(min(left_s, POLL_S))
            except KafkaException as error:  # whatever it does now, this producer is of no use any more
                handed.fail(_failure(error.args[0], ""))

    def _commit(self, within_s: float) -> None:
        try:
            self._producer.commit_transaction(within_s)
        except KafkaException as error:
            if not error.args[0].retriable():
                self._committing.fail(_failure(error.args[0], ""))
        else:
            self._committing.acknowledge()

    def close(self) -> None:
        self._producer.purge()
        with suppress(KafkaException):  # of this producer, which is given up
            self._producer.poll(0)


def _failure(error: KafkaError, topic: str) -> Failure:
    return named(error.code(), error.name(), topic)


def _quiet() -> logging.Logger:
    """It tells of every attempt; we tell of the trouble, once."""
    said = logging.getLogger(f"{__name__}.librdkafka")
    said.setLevel(logging.CRITICAL + 1)
    return said
