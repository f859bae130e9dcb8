"""What takes the events of a run, in their order."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

from pipeline.events import Envelopes
from pipeline.messages import Event


@dataclass
class Publisher(ABC):
    """Its fields are its settings; `open` takes files and connections, before the first event."""

    @abstractmethod
    def open(self, folder: Path, envelopes: Envelopes) -> None:
        """Begin: `folder` is the run's own."""

    @abstractmethod
    def publish(self, event: Event) -> None:
        """Take one event."""

    @abstractmethod
    def close(self) -> None:
        """Write what is held, and give back what `open` took, also if it took only some of it."""
