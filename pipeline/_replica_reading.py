"""Reads the topic of a gallery into a replica, for as long as it takes: from where it stopped, or all of it."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import closing

from pipeline.publish._kafka_access import Access
from pipeline.publish._kafka_reader import LeftError, TopicReader
from pipeline.publish._publisher import Unreachable
from pipeline.replica import OtherKeyError, Replica
from pipeline.stage import InputError

READS_S = 0.2  # so soon it notices that it is to end
LOOKS_EVERY_S = 2.0  # at how far the topic goes, and whether the broker is there
DELAYS_S = 0.5, 5.0  # before the next attempt: the first, and the longest
log = logging.getLogger(__name__)


class Reading:
    """`lasts_s`: so long the topic tells that somebody is gone. Who was away for longer may have missed it."""

    def __init__(self, replica: Replica, access: Access, topic: str, lasts_s: float) -> None:
        self._replica, self._access, self._topic, self._lasts_s = replica, access, topic, lasts_s
        self._was_there = False

    def run(self, stopped: threading.Event) -> None:
        """Until it is stopped. Raises InputError for what a user has to mend before it can begin."""
        delay_s = DELAYS_S[0]
        while not stopped.is_set():
            try:
                self._read(stopped)
            except LeftError as error:
                log.warning("%s; everything is read again", error)
                self._replica.clear()
            except (InputError, Unreachable) as error:
                if isinstance(error, OtherKeyError) or (
                    isinstance(error, InputError) and not self._was_there
                ):
                    raise
                if not self._replica.away:
                    log.warning("%s; it is tried again and again", error)
                self._replica.away = str(error)
                stopped.wait(delay_s)
                delay_s = min(2 * delay_s, DELAYS_S[1])
            else:
                delay_s = DELAYS_S[0]

    def _read(self, stopped: threading.Event) -> None:
        replica = self._replica
        with closing(TopicReader(self._access, self._topic, "read_committed")) as reader:
            self._begin(reader)
            looked_s = float("-inf")
            while not stopped.is_set():
                if time.monotonic() - looked_s > LOOKS_EVERY_S:
                    ends, looked_s = reader.ends(), time.monotonic()
                    self._is_there()
                if records := reader.read(READS_S):
                    replica.take(((one.key, one.value) for one in records), reader.places())
                replica.has_read(ends)

    def _begin(self, reader: TopicReader) -> None:
        """Go where the replica stopped, if it has missed nothing there."""
        replica, begin, ends = self._replica, reader.begin(), reader.ends()
        places = replica.places
        if places:
            if places.keys() != begin.keys() or any(
                not begin[partition] <= place <= ends[partition] for partition, place in places.items()
            ):
                raise LeftError(f"topic {self._topic}: is not the one that was read before")
            if time.time() - replica.read_ns / 1e9 > self._lasts_s:
                raise LeftError(
                    f"topic {self._topic}: was not read for so long that it tells no more who is gone"
                )
        reader.go_to(places or begin)
        self._was_there = True

    def _is_there(self) -> None:
        if self._replica.away:
            log.warning("topic %s: is there", self._topic)
            self._replica.away = ""
