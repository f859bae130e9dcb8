"""Hands messages to kafka-python, which is always there."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from kafka import KafkaProducer
from kafka.errors import BrokerResponseError, ClusterAuthorizationFailedError, KafkaError

from pipeline.publish._kafka_access import Access, made
from pipeline.publish._kafka_message import LARGEST_BYTES, Message
from pipeline.publish._kafka_producer import Failure, Handed, named
from pipeline.publish._publisher import Unreachable

NEVER_MS = 2**31 - 1
BATCH_BYTES, LINGER_MS = 1 << 16, 5
METADATA_WITHIN_S, CLOSES_WITHIN_S = 10.0, 5.0


class KafkaPython:
    """A `Producer`; acknowledgements come in a thread of the library."""

    def __init__(self, access: Access) -> None:
        self._producer = made(
            KafkaProducer,
            access,
            acks="all",
            enable_idempotence=True,
            delivery_timeout_ms=NEVER_MS,
            max_block_ms=int(METADATA_WITHIN_S * 1000),
            max_request_size=LARGEST_BYTES,
            batch_size=BATCH_BYTES,
            linger_ms=LINGER_MS,
            allow_auto_create_topics=False,
            metrics_enabled=False,
        )

    def hand_over(self, messages: Iterable[Message]) -> Handed:
        handed = Handed()
        for topic, key, value, headers in messages:
            handed.number += 1
            try:
                future = self._producer.send(topic, value, key, headers)
            except KafkaError as error:  # it does not know the topic yet
                raise Unreachable(f"topic {topic}: {error}") from error
            future.add_callback(lambda _: handed.acknowledge())
            future.add_errback(partial(_failed, handed, topic))
        handed.complete()
        return handed

    def wait(self, handed: Handed, within_s: float) -> None:
        handed.settled.wait(within_s)

    def close(self) -> None:
        self._producer._sender.force_close()  # else `close` waits for what nobody acknowledges
        self._producer.close(timeout=CLOSES_WITHIN_S)


def _failed(handed: Handed, topic: str, error: Exception) -> None:
    if isinstance(error, BrokerResponseError):
        handed.fail(named(error.errno, error.message or type(error).__name__, topic))
    elif ClusterAuthorizationFailedError.__name__ in str(error):  # it comes wrapped in words
        handed.fail(named(ClusterAuthorizationFailedError.errno, "", ""))
    else:
        handed.fail(Failure(f"topic {topic}: {error}"))
