"""What every reader of recordings gives, whatever the kind of file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NoReturn, Protocol

from pipeline.messages import Encoded
from stages.source._moments import Optics, Shot, Stream

LATEST_MS = 9e12  # the year 2255; nanoseconds end there


@dataclass(frozen=True, slots=True)
class Damage:
    """Why not all of a file could be read, and how many frames that cost, None where it cannot be known."""

    detail: str
    lost: int | None


class Reader(Protocol):
    """Reads one file. `optics` and `rates_hz` are there once it is open, `damage` once all shots have been given."""

    optics: Optics
    rates_hz: dict[Stream, float]
    damage: Damage | None

    @property
    def is_damaged(self) -> bool:
        """Whether damage has been found so far."""

    def open(self) -> None:
        """Raises InputError for a file that is none of its kind, or without a stream of ours."""

    def shots(self) -> Iterator[Shot]:
        """Every picture that the file tells of, in its order: as pixels, or as a call that gives the picture,
        Encoded, or raises ValueError if it is damaged.
        """

    def close(self) -> None: ...


def shot_of(stream: Stream, stamp_ms: float, clock: str, number: int, picture: Callable[[], Encoded]) -> Shot:
    """A shot as a recording tells of it; raises ValueError for a stamp that is none."""
    if not 0 <= stamp_ms < LATEST_MS:
        raise ValueError(f"has {stamp_ms} ms as its time stamp")
    return Shot(stream, stamp_ms, clock, number, picture)


def absent() -> NoReturn:
    """The picture of a shot that only its metadata tell of."""
    raise ValueError("is not in the file")
