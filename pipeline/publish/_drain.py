"""Takes rows out of the outbox to one publisher, in a thread of its own, for as long as it takes: who is away is tried
again without an end, and nobody else waits for it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

from pipeline._store_outbox import Taken, Waiting
from pipeline.publish._publisher import Publisher, Row, Unreachable

DELAYS_S = 0.5, 30.0  # before the next attempt: the first, and the longest
LEAVES_S = 1.0  # for who has given up to let go of the store
log = logging.getLogger(__name__)


class Drain:
    """One publisher's, which is open."""

    def __init__(self, name: str, publisher: Publisher, number: int) -> None:
        self.name, self.number = name, number  # of the last row that is durable over there
        self.families = publisher.families
        self.away = ""  # why it takes nothing now
        self.failures: list[Exception] = []
        self._publisher = publisher
        self._last = number  # of the last row that is committed
        self._until_s: float | None = None  # when it gives up, once it has been told to end
        self._news = threading.Condition()
        self._thread: threading.Thread | None = None

    def start(self, path: Path, last: int, acknowledge: Callable[[str, Taken], None]) -> None:
        """Begin with what waits in the store there; `acknowledge` is told how far the publisher has come."""
        self._last, self._acknowledge = last, acknowledge
        self._thread = threading.Thread(target=self._work, args=(path,), name=self.name, daemon=True)
        self._thread.start()

    def tell(self, last: int) -> None:
        """Rows up to this number are committed."""
        with self._news:
            self._last = last
            self._news.notify_all()

    def finish(self, within_s: float) -> None:
        """Send what is left, if that can be done so soon."""
        if self._thread is None:
            return
        with self._news:
            self._until_s = time.monotonic() + within_s
            self._news.notify_all()
        self._thread.join(within_s + LEAVES_S)
        if self.waiting and not self.failures:
            why = f" ({self.away})" if self.away else ""
            text = "publish.%s: %d events are still to be sent%s; they go out when this run is started again"
            log.warning(text, self.name, self.waiting, why)

    @property
    def waiting(self) -> int:
        """How many rows it has not taken yet, at most."""
        return self._last - self.number

    def _work(self, path: Path) -> None:
        try:
            with (
                closing(Waiting(path, self._publisher.families)) as waiting,
                ThreadPoolExecutor(1, f"{self.name} reads") as reader,
            ):
                while (last := self._news_up_to()) is not None:
                    if not self._drain(waiting, reader, last):
                        return
        except Exception as error:
            self.failures.append(error)

    def _drain(self, waiting: Waiting, reader: ThreadPoolExecutor, last: int) -> bool:
        """Send what is committed, and read the next rows meanwhile. False where the run has ended."""
        most = self._publisher.most_rows
        rows, up_to = waiting.after(self.number, last, most)
        while up_to < last:
            ahead = reader.submit(waiting.after, up_to, last, most)
            if (left := self._send(rows, self._publisher.on_their_way)) is None:
                return False
            more, up_to = ahead.result()
            rows = [*left, *more]
        if self._send(rows) is None:
            return False
        self._note(last)  # what is left is for others
        return True

    def _news_up_to(self) -> int | None:
        """Wait for rows, up to which number there are some; None where none will come."""
        while True:
            with self._news:
                if self.number >= self._last and self._until_s is None:
                    self._news.wait(self._publisher.idles_every_s)
                if self.number < self._last:
                    return self._last
                if self._until_s is not None:
                    return None
            self._publisher.idle()

    def _send(self, rows: Sequence[Row], most_left: int = 0) -> Sequence[Row] | None:
        """Send until no more are left than may be, which a publisher has on their way; None where that takes longer
        than the run lasts.
        """
        delay_s = DELAYS_S[0]
        while len(rows) > most_left:
            try:
                sent = self._publisher.send(rows)
            except Unreachable as error:
                self._is_away(str(error) or "it is away")
                sent = 0
            if sent:
                self._note(rows[sent - 1].number)
                rows, delay_s = rows[sent:], DELAYS_S[0]
            elif not self._waits(delay_s):
                return None
            else:
                delay_s = min(2 * delay_s, DELAYS_S[1])
        return rows

    def _note(self, number: int) -> None:
        if self.away:
            log.warning("publish.%s: is back; %d events wait for it", self.name, self._last - number)
            self.away = ""
        self.number = number
        self._acknowledge(self.name, (number, self._publisher.mark()))

    def _is_away(self, why: str) -> None:
        if not self.away:
            log.warning("publish.%s: %s; events wait, and it is tried again and again", self.name, why)
        self.away = why

    def _waits(self, delay_s: float) -> bool:
        """Before the next attempt; False where the run has ended and nobody waits any longer."""
        with self._news:
            until_s = time.monotonic() + delay_s
            while (left_s := min(until_s, self._until_s or until_s) - time.monotonic()) > 0:
                self._news.wait(left_s)
            return self._until_s is None or time.monotonic() < self._until_s
