"""Hands messages to kafka-python, which is always there."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from kafka import KafkaProducer
from kafka.errors import BrokerResponseError, ClusterAuthorizationFailedError, KafkaError

from pipeline.publish._kafka_access import Access, made
from pipeline.publish._kafka_message import LARGEST_BYTES, Message
from pipeline.publish._kafka_producer import Failure, Handed, named
from pipeline.publish._publisher import Unreachable

NEVER_MS = 2**31 - 1
BATCH_BYTES, LINGER_MS = 1 << 16, 5
TRANSACTION_MS = 60_000  # then a broker takes back what was begun and not ended
METADATA_WITHIN_S, CLOSES_WITHIN_S = 10.0, 5.0


class KafkaPython:
    """A `Producer`; acknowledgements come in a thread of the library."""

    def __init__(self, access: Access, name: str = "") -> None:
        self._is_named = bool(name)
        self._committing: tuple[Handed, Any] | None = None
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
            transactional_id=name or None,
            transaction_timeout_ms=TRANSACTION_MS,
        )
        if name:
            try:
                self._producer.init_transactions()
            except BaseException:
                self.close()
                raise

    def hand_over(self, messages: Iterable[Message]) -> Handed:
        handed = Handed()
        try:
            if self._is_named:
                self._producer.begin_transaction()
        except KafkaError as error:  # somebody else has its name
            raise Unreachable(str(error)) from error
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

    def commit(self) -> Handed:
        handed = Handed(number=1, are_all=True)
        try:  # its own `commit_transaction` waits for ever for a broker that has gone
            self._committing = handed, self._producer._transaction_manager.begin_commit()
            self._producer._sender.wakeup()
        except KafkaError as error:
            handed.fail(Failure(str(error)))
        return handed

    def wait(self, handed: Handed, within_s: float) -> None:
        if self._committing is None or self._committing[0] is not handed:
            handed.settled.wait(within_s)
            return
        try:
            if self._committing[1].wait(int(within_s * 1000)):
                handed.acknowledge()
        except KafkaError as error:
            handed.fail(Failure(str(error)))

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
