"""Who writes a site on Kafka: the last record of the site's writer topic. Whoever writes renews it; who finds somebody
else's is refused as long as it is renewed, and takes over when it has not been for as long as it says.

That nobody writes at the same time does not rest on this, nor on any clock, but on the broker: of producers with one
name it takes only the latest. What the lease adds is that nobody becomes the latest by mistake.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from secrets import token_hex

import msgspec

from configs.build import InputError
from configs.known import known
from pipeline.publish._kafka_access import Access
from pipeline.publish._kafka_message import JSON, Message
from pipeline.publish._kafka_reader import TopicReader

LOOKS_EVERY_S = 0.2
RENEWALS = 4  # within the time of one lease
LATEST = 32  # so many records back the last one is looked for first


class OtherWriterError(InputError):
    """Somebody else writes this site."""


class Held(msgspec.Struct, frozen=True):
    """A record of the topic."""

    folder: str  # stands for the folder of a run, whoever runs in it
    writer: str  # one start of a run
    host: str
    process: int
    lease_s: float
    is_over: bool = False

    @property
    def who(self) -> str:
        return f"process {self.process} on {self.host}"


@dataclass
class Lease:
    """One writer's, on one site."""

    access: Access
    site: str
    topic: str
    folder: str
    lease_s: float
    writer: str = field(default_factory=lambda: token_hex(8))
    was_others: bool = False  # whoever wrote before this one did so from another folder
    _is_taken: bool = False
    _renewed_s: float = float("-inf")

    @property
    def is_due(self) -> bool:
        return time.monotonic() - self._renewed_s > self.lease_s / RENEWALS

    def wait(self, is_closed: Callable[[], bool], say: Callable[[str], None]) -> int:
        """Return when this one may write, and where the last record is. Raises OtherWriterError while somebody else
        does, and when somebody else has since this one did.
        """
        at, held = self._last()
        if held is None or held.is_over or held.writer == self.writer:
            return at
        if self._is_taken:
            raise OtherWriterError(f"{self._named}: {held.who} has taken over; this run writes no more")
        if held.folder == self.folder:  # which no two runs have
            return at
        say(
            f"{held.who} has written {self.site} last; if it does not go on within {held.lease_s:g} s it is over"
        )
        return self._watched(at, held, is_closed)

    def check(self, at: int) -> None:
        """Nobody has written one between that record and now, when nobody else can any more."""
        now_at, held = self._last()
        if now_at != at and held is not None and held.writer != self.writer and not held.is_over:
            raise self._refused(held)
        if not self._is_taken and held is not None:
            self.was_others = held.folder != self.folder
        self._is_taken = True

    def renewed(self, is_over: bool = False) -> Message:
        """The record that says that this one writes, or does no more."""
        host = socket.gethostname()
        held = Held(self.folder, self.writer, host, os.getpid(), self.lease_s, is_over)
        return Message(self.topic, self.site.encode(), msgspec.json.encode(held), [JSON])

    def was_renewed(self) -> None:
        self._renewed_s = time.monotonic()

    @property
    def _named(self) -> str:
        return f"publish.kafka: site {self.site!r}"

    def _refused(self, held: Held) -> OtherWriterError:
        return OtherWriterError(
            f"{self._named}: is being written by {held.who}; stop that one, or give this site's file another name"
        )

    def _watched(self, at: int, held: Held, is_closed: Callable[[], bool]) -> int:
        """Where the last record is when this lease is over, or has run out. Raises OtherWriterError if it goes on."""
        until_s = time.monotonic() + held.lease_s
        with closing(self._reader()) as reader:
            reader.go_to(reader.begin())
            while (left_s := until_s - time.monotonic()) > 0 and not is_closed():
                for one in reader.read(min(left_s, LOOKS_EVERY_S)):
                    if one.key == self.site and one.offset > at:
                        new = _held(one.value) or held
                        if not new.is_over:
                            raise self._refused(new)
                        return one.offset
        return at

    def _last(self) -> tuple[int, Held | None]:
        """The last record and its place."""
        with closing(self._reader()) as reader:
            begin, ends = reader.begin(), reader.ends()
            for first in ({one: max(begin[one], end - LATEST) for one, end in ends.items()}, begin):
                reader.go_to(first)
                found = [(one.offset, one.value) for one in reader.rest(ends) if one.key == self.site]
                if found:
                    at, value = found[-1]
                    return at, _held(value)
        return -1, None

    def _reader(self) -> TopicReader:
        """Of all records, also those that are not committed: whoever wrote one is alive."""
        return TopicReader(self.access, self.topic, "read_uncommitted")


def _held(value: bytes | None) -> Held | None:
    """Nothing where it is none: whoever writes such records holds no lease."""
    try:
        return msgspec.json.decode(value or b"", type=known(Held))
    except msgspec.DecodeError:
        return None
