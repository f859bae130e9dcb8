"""What a subscription reads from: a log, Kafka or ZeroMQ."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sightline_client.events import Event

POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class Received:
    """Something that came, and where reading goes on behind it. Without an event it is none, and `error` says why."""

    where: str  # to say of it
    place: str  # of the source: a topic and partition, or a file; empty where nobody can go back
    mark: Any  # where reading goes on there
    event: Event | None
    error: str = ""


class Source(ABC):
    """Reads what has come. It tells no repeats and no gaps."""

    @abstractmethod
    def read(self, wait_s: float) -> Sequence[Received]:
        """What has come, in its order; nothing after a while."""

    @abstractmethod
    def skip(self) -> None:
        """Begin at the end of what is there."""

    @property
    @abstractmethod
    def has_ended(self) -> bool:
        """Whether nothing more is to be read: what was there at the beginning, where nobody follows."""

    def missed(self) -> Sequence[Received]:
        """More of what was there already, for filling a gap."""
        return ()

    @property
    def may_fill_gaps(self) -> bool:
        """Whether `missed` may yet give what did not come."""
        return False

    @abstractmethod
    def close(self) -> None:
        """Give back what it holds."""
