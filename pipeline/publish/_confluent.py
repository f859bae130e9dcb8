"""Hands messages to librdkafka (the extra 'confluent'): ten times the rate at a tenth of the CPU."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer

from pipeline.publish._kafka_access import MECHANISM, Access
from pipeline.publish._kafka_message import LARGEST_BYTES, Message
from pipeline.publish._kafka_producer import Failure, Handed, named

LINGER_MS, QUEUE = 1, 1_000_000
POLL_S = 0.1
log = logging.getLogger(__name__)


class Confluent:
    """A `Producer`; acknowledgements come while it waits."""

    def __init__(self, access: Access) -> None:
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
        self._producer = Producer(settings)

    def hand_over(self, messages: Iterable[Message]) -> Handed:
        handed, produce = Handed(), self._producer.produce

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

    def wait(self, handed: Handed, within_s: float) -> None:
        until_s = time.monotonic() + within_s
        while not handed.settled.is_set() and (left_s := until_s - time.monotonic()) > 0:
            try:
                self._producer.flush(min(left_s, POLL_S))  # `poll` would leave the last of them to linger
            except KafkaException as error:  # whatever it does now, this producer is of no use any more
                handed.fail(_failure(error.args[0], ""))

    def close(self) -> None:
        self._producer.purge()
        self._producer.poll(0)


def _failure(error: KafkaError, topic: str) -> Failure:
    return named(error.code(), error.name(), topic)


def _quiet() -> logging.Logger:
    """It tells of every attempt; we tell of the trouble, once."""
    said = logging.getLogger(f"{__name__}.librdkafka")
    said.setLevel(logging.CRITICAL)
    return said
