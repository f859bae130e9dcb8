"""What takes the events of a run out of its outbox, in their order."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import msgspec

from pipeline.gallery_key import GalleryKey

FAMILIES = frozenset({"identity", "tracklet", "system", "state", "gallery", "rejected"})


class Row(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One message of the outbox. Families are topics; "state" is who somebody is now, by identity."""

    number: int  # the outbox's own order: ascending, never used again
    family: str
    key: str  # the partition key
    body: bytes  # structured CloudEvents JSON; of a state and in the gallery its value, empty where there is none now


@dataclass(frozen=True)
class Sharing:
    """The key that replicas of the gallery have; and whom they know, where that is not as this run has left it."""

    key: GalleryKey
    known: Collection[str] | None


class Unreachable(Exception):  # noqa: N818, a state of things
    """The other side cannot be reached now: the same rows are sent again later."""


@dataclass
class Publisher(ABC):
    """Its fields are its settings; `open` takes files and connections, before the first row. What it sends may come a
    second time after a crash, from the row behind the last one that was acknowledged and written down.
    """

    families: ClassVar[frozenset[str]] = FAMILIES  # those that it takes
    most_rows: ClassVar[int] = 1000  # or by its settings: sent at once, and as many more as lie in one piece
    on_their_way: ClassVar[int] = 0  # or by its settings: so many may be, when it is given more
    idles_every_s: ClassVar[float | None] = None  # or by its settings: so often `idle` is called

    @abstractmethod
    def open(self, folder: Path, site: str) -> None:
        """Begin: `folder` is the run's own. Raises InputError for what a user has to mend."""

    @abstractmethod
    def send(self, rows: Sequence[Row]) -> int:
        """How many rows from the front are now durable over there; raises Unreachable where that cannot be known."""

    @abstractmethod
    def close(self) -> None:
        """Give back what `open` took, also if it took only some of it."""

    def mark(self) -> bytes:
        """What it needs to know when it goes on behind the last row that `send` has counted."""
        return b""

    def resume(self, mark: bytes | None) -> None:
        """Go on from a mark, or begin where there is none; after `open`, before the first row."""

    def sharing(self, is_first: bool) -> Sharing | None:
        """How the gallery is shared there, if it is; after `resume`. `is_first`: this run has never shared it."""
        return None

    def idle(self) -> None:  # noqa: B027, most have nothing to do
        """Nothing is to be sent now."""
