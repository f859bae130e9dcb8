"""Hands rows to one producer after another and waits for what becomes of them. What is not acknowledged goes out again;
what the broker never takes is put aside.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain

from configs.build import InputError
from pipeline.publish._kafka_access import Access
from pipeline.publish._kafka_lease import Lease, OtherWriterError
from pipeline.publish._kafka_message import Message, Unreadable, message, rejected
from pipeline.publish._kafka_producer import Handed, Producer
from pipeline.publish._kafka_reach import look
from pipeline.publish._publisher import Row, Unreachable

STEP_S = 0.2  # so soon it notices that it is closed
LEAVES_WITHIN_S = 2.0
TOGETHER = 2000  # rows that are waited for while the next go, where there are no transactions
log = logging.getLogger(__name__)


@dataclass
class Delivery:
    """To one site's topics, for one thread at a time. With a lease everything goes in transactions, from the one
    producer that the broker takes under the lease's name. Raises Unreachable, and OtherWriterError with a lease.
    """

    access: Access
    topics: Mapping[str, str]  # by family
    within_s: float  # so long without an acknowledgement, and the broker counts as away
    made: Callable[[str], Producer]  # one of that name, or of none
    lease: Lease | None = None
    is_closed: bool = False
    _producer: Producer | None = None
    _handed: deque[tuple[int, Handed]] = field(default_factory=deque, init=False)  # the first row's number
    _most: int = field(default=0, init=False)  # after one was refused: rows, and no others meanwhile

    @property
    def is_connected(self) -> bool:
        return self._producer is not None

    def connect(self) -> None:
        """Make a producer; where there may be one only, the only one."""
        if self.lease is None:
            self._producer = self.made("")
            return
        at = self.lease.wait(lambda: self.is_closed, lambda text: log.warning("publish.kafka: %s", text))
        self._producer = self.made(
            self.lease.topic
        )  # from here on the broker takes no earlier one of this name
        try:
            self.lease.check(at)
            self._renew()
        except BaseException:
            self.forget()
            raise

    def send(self, rows: Sequence[Row]) -> int:
        """How many from the front all replicas have. After Unreachable the library goes on trying: what was handed over
        is not handed over again.
        """
        try:
            self.renew()
            return self._sent(rows)
        except OtherWriterError:
            self.forget()
            raise
        except InputError as error:  # a user's mistake that was none when it was opened
            self.forget()
            raise Unreachable(str(error)) from error
        except Unreachable:
            if not self._handed:
                self.forget()
            raise

    def renew(self) -> None:
        """The lease, if it is time to."""
        if self.lease and self.lease.is_due and not self._handed:
            self._renew()

    def leave(self) -> None:
        """Say that the lease is over, if that can be said now."""
        if self._producer is not None and not self._handed:
            with suppress(Unreachable, InputError):
                self._renew(LEAVES_WITHIN_S)

    def forget(self) -> None:
        """What is not acknowledged is given up here: it goes out again from the outbox."""
        producer, self._producer = self._producer, None
        self._handed.clear()
        if producer is not None:
            producer.close()

    def _sent(self, rows: Sequence[Row]) -> int:
        self._hand_over(rows)
        if not self._handed:  # the first one is no event
            return 1
        _, handed = self._handed[0]
        self._wait(handed, self.within_s)
        if handed.failure is None:
            self._handed.popleft()
            self._commit()
            self._most = self._most * 2 if self._most * 2 < TOGETHER else 0
            return handed.number
        is_alone = handed.number == len(self._handed) == 1
        self.forget()
        if not handed.failure.for_good:
            raise Unreachable(handed.failure.reason)
        if not is_alone:  # which one it is shows when they go in smaller groups
            self._most = max(1, handed.number // 2)
            self.connect()
            return self._sent(rows)
        self._reject(rows[0], handed.failure.reason)
        return 1

    def _hand_over(self, rows: Sequence[Row]) -> None:
        """What is not on its way yet, in groups; one transaction at a time. A row that could never go is rejected.
        They go one by one: a list of them would be looked through by the garbage collector again and again.
        """
        if self._handed and self._handed[0][0] != rows[0].number:
            self.forget()
            self.connect()
        at = sum(handed.number for _, handed in self._handed)
        while at < len(rows) and not (self._handed and (self.lease or self._most)):
            try:
                first = message(rows[at], self.topics)
            except Unreadable as error:
                if not self._handed:
                    self._reject(rows[at], str(error))
                return
            most = self._most or (len(rows) if self.lease else TOGETHER)
            messages = chain((first,), _readable(rows[at + 1 : at + most], self.topics))
            handed = self._its().hand_over(messages)
            self._handed.append((rows[at].number, handed))
            at += handed.number
            if handed.failure:
                return

    def _reject(self, row: Row, reason: str) -> None:
        """Put what nobody takes where it can be seen, and wait until it is there."""
        if self._producer is None:
            self.connect()
        handed = self._its().hand_over([rejected(row, reason, self.topics)])
        self._wait(handed, self.within_s)
        if handed.failure is not None:
            raise Unreachable(f"{handed.failure.reason}, for a row that was refused: {reason}")
        self._commit()
        log.warning("publish.kafka: row %d is in %s: %s", row.number, self.topics["rejected"], reason)

    def _renew(self, leaves_within_s: float = 0.0) -> None:
        if self.lease:
            within_s = leaves_within_s or self.within_s
            handed = self._its().hand_over([self.lease.renewed(is_over=bool(leaves_within_s))])
            self._finish(handed, within_s)
            self._finish(self._its().commit(), within_s)
            self.lease.was_renewed()

    def _commit(self) -> None:
        """What goes in transactions is not there until they are over; if one fails all of it goes out anew."""
        if self.lease:
            self._finish(self._its().commit(), self.within_s)

    def _finish(self, handed: Handed, within_s: float) -> None:
        self._wait(handed, within_s)
        if handed.failure is not None:
            raise Unreachable(handed.failure.reason)

    def _wait(self, handed: Handed, within_s: float) -> None:
        until_s = time.monotonic() + within_s
        counted = 0
        while not handed.settled.is_set():
            if self.is_closed:
                raise Unreachable("it is closed")
            if handed.acknowledged > counted:
                counted, until_s = handed.acknowledged, time.monotonic() + within_s
            if time.monotonic() > until_s:
                look(self.access)
                raise Unreachable(
                    f"{', '.join(self.access.servers)}: has acknowledged nothing for {within_s:g} s"
                )
            self._its().wait(handed, STEP_S)

    def _its(self) -> Producer:
        if self._producer is None:
            raise Unreachable("it is closed")
        return self._producer


def _readable(rows: Sequence[Row], topics: Mapping[str, str]) -> Iterator[Message]:
    """Up to the first that is no event, whose turn comes when it is the first."""
    with suppress(Unreadable):
        for row in rows:
            yield message(row, topics)
