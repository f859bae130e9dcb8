"""What the two client libraries have in common for us: messages are handed over, acknowledgements are counted."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from pipeline.publish._kafka_message import Message

FOR_GOOD = {
    10,
    18,
    32,
    87,
}  # Kafka's codes: too large, a batch too large, a time it does not take, an invalid record
NOT_ALLOWED = {29, 31}  # a topic, the cluster


@dataclass(frozen=True)
class Failure:
    """Why a message is not there, in words, and whether it never will be."""

    reason: str
    for_good: bool = False


@dataclass
class Handed:
    """Messages that were handed over together, and what has become of them."""

    number: int = 0
    acknowledged: int = 0
    are_all: bool = False  # no more come
    failure: Failure | None = None
    settled: threading.Event = field(default_factory=threading.Event)  # all are there, or one has failed

    def acknowledge(self) -> None:
        """One more is with all replicas."""
        self.acknowledged += 1
        if self.are_all and self.acknowledged == self.number:
            self.settled.set()

    def complete(self) -> None:
        """No more come."""
        self.are_all = True
        if self.acknowledged == self.number:
            self.settled.set()

    def fail(self, failure: Failure) -> None:
        """The first failure counts: the others come of it."""
        self.failure = self.failure or failure
        self.settled.set()


class Producer(Protocol):
    """An idempotent producer that never gives up by itself; thrown away when something has failed. One with a name is
    the only one of that name from when it is made, and hands over nothing but transactions.
    """

    def hand_over(self, messages: Iterable[Message]) -> Handed:
        """Give each to the library as it comes, in their order. Raises Unreachable if it has no use for them yet."""

    def wait(self, handed: Handed, within_s: float) -> None:
        """Until they are settled, or for so long."""

    def commit(self) -> Handed:
        """End the transaction of what has been acknowledged: settled when it is over there."""

    def close(self) -> None:
        """Give up whatever is not acknowledged."""


def named(code: int, name: str, topic: str) -> Failure:
    """A code of Kafka's as a failure; the topic is empty where it is about all of them."""
    where = f"topic {topic}: " if topic else ""
    if code in NOT_ALLOWED:
        return Failure(f"{where}this user may not write; have it allowed over there (kafka-acls)")
    return Failure(f"{where}{name}", code in FOR_GOOD)
