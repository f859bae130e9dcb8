"""Tells repeats and gaps, in bounded memory: by ids what has been seen, by sequences what is missing."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from sightline_client.errors import SightlineError
from sightline_client.events import Event

MOST_KEYS = 100_000  # of one site: its cameras, three times
REMEMBERED = 100_000  # ids; a publisher repeats what was not acknowledged, some thousands at most
Finding = Literal["next", "repeat", "gap", "late", "restart"]


@dataclass(frozen=True)
class Gap:
    """Events that never came: those of one stream and key, from the first sequence to the last."""

    stream: str
    key: str
    first: int
    last: int

    @property
    def count(self) -> int:
        return self.last - self.first + 1

    def __str__(self) -> str:
        missing = f"{self.first} to {self.last} are" if self.count > 1 else f"{self.first} is"
        return f"{self.stream} of {self.key}: {missing} missing"


class Seen:
    """The latest ids. A repeat is told if no more than `most` others came since it was first there."""

    def __init__(self, most: int = REMEMBERED, ids: Iterable[str] = ()) -> None:
        self._most = most
        self._ids: OrderedDict[str, None] = OrderedDict.fromkeys(ids)

    def __contains__(self, id: str) -> bool:
        return id in self._ids

    def __len__(self) -> int:
        return len(self._ids)

    def add(self, id: str) -> None:
        self._ids[id] = None
        if len(self._ids) > self._most:
            self._ids.popitem(last=False)

    def latest(self, count: int) -> list[str]:
        """In the order in which they came."""
        return list(islice(reversed(self._ids), count))[::-1]


class Sequences:
    """How far each stream and key has come."""

    def __init__(self, last: dict[tuple[str, str], int] | None = None) -> None:
        self.last = last or {}
        self.gaps: deque[Gap] = deque(maxlen=1000)  # that are still open; the oldest are forgotten

    def finding(self, event: Event) -> Finding:
        """What this event, which is no repeat by its id, is for its stream."""
        last = self.last.get((event.stream, event.key))
        if last is None or event.sequence == last + 1:
            return "next"
        if event.sequence > last:
            return "gap"
        return "late" if any(self._holding(event)) else "restart"

    def gap_before(self, event: Event) -> Gap:
        """What is missing right before it."""
        return Gap(event.stream, event.key, self.last[event.stream, event.key] + 1, event.sequence - 1)

    def take(self, event: Event, finding: Finding) -> None:
        """From now on it has come."""
        if finding == "late":
            for gap in list(self._holding(event)):
                self.gaps.remove(gap)
                parts = (gap.first, event.sequence - 1), (event.sequence + 1, gap.last)
                self.gaps.extend(Gap(gap.stream, gap.key, *part) for part in parts if part[0] <= part[1])
            return
        if finding == "gap":
            self.gaps.append(self.gap_before(event))
        self.last[event.stream, event.key] = event.sequence
        if len(self.last) > MOST_KEYS:
            raise SightlineError(f"has more than {MOST_KEYS} partition keys; is this one site?")

    def _holding(self, event: Event) -> Iterator[Gap]:
        place = (event.stream, event.key)
        return (g for g in self.gaps if (g.stream, g.key) == place and g.first <= event.sequence <= g.last)
