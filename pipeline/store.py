"""The site store: one SQLite file beside a run's logs that the run goes on from, whenever and however it has ended.

One transaction for each cut holds what has changed of every stage, where the sources are, the events that came out
since the cut before, and the sequence numbers that those got. Publishers see events only when it is over.
"""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from pipeline._keys_file import KEYS
from pipeline._store_changes import States
from pipeline._store_facts import At, Maker, Origin
from pipeline._store_file import (
    FAULTS,
    NAME,
    DamagedError,
    FaultError,
    StoreError,
    blamed,
    locked,
    set_aside,
)
from pipeline._store_gallery import GALLERY, Gallery
from pipeline._store_outbox import Taken
from pipeline._store_states import Sealing
from pipeline._store_writer import Base, Batch, Writer
from pipeline.commands import Commands
from pipeline.cuts import BEGINNING, Cut
from pipeline.events import Envelopes, Published, Sequences
from pipeline.messages import Event, Portrait, Positions
from pipeline.publish._days import aside
from pipeline.publish._drain import Drain
from pipeline.publish._positions import PositionLines
from pipeline.publish._publisher import Publisher
from pipeline.publish.log import EVENTS, POSITIONS, SYSTEM
from pipeline.vault import Vault
from pipeline.wire import uncollected

FILES = (
    NAME,
    f"{NAME}-wal",
    f"{NAME}-shm",
    KEYS,
    EVENTS,
    SYSTEM,
    POSITIONS,
)  # of one run: set aside together
LOGS = EVENTS, SYSTEM, POSITIONS
ENDS_S, FAILS_S = 10.0, 2.0  # how long publishers may take for what is left, at the end and after a failure
HELD_NS = 1_000_000_000  # in capture time: so long a cut may wait of which nothing is to be published
LIVE = "live"  # the source of what is no recording
BEGUN = ""  # among whom replicas were told of: that they have been told at all
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Keeping:
    """How often a cut is written, in capture time (by default every 0.08 s of live cameras, 1 s of recordings), and
    how many events may wait for a publisher that is away.
    """

    every_s: float | None = None
    max_waiting: int = 1_000_000

    def __post_init__(self) -> None:
        if self.every_s is not None and not 0.01 <= self.every_s <= 60:
            raise ValueError(f"every_s must be from 0.01 to 60, got {self.every_s}")
        if self.max_waiting < 1000:
            raise ValueError(f"max_waiting must be 1000 or more, got {self.max_waiting}")


@dataclass(frozen=True)
class Restored:
    """What a run goes on from."""

    origin: Origin
    cut: Cut = BEGINNING
    is_new: bool = True
    has_ended: bool = False  # nothing is left to do but to publish
    sequences: Sequences = field(default_factory=dict)
    taken: Mapping[str, Taken] = field(default_factory=dict)
    lengths: Mapping[str, int] = field(default_factory=dict)


class Store:
    """The store in a run's folder, and its publishers. `restored` looks at what there is, `begin` makes the rest."""

    def __init__(self, folder: Path, keeping: Keeping, seal: Callable[[Path], Sealing] = Vault) -> None:
        self.path = folder / NAME
        self.commands = Commands()
        self._folder, self._keeping, self._seal = folder, keeping, seal
        self._closing, self._lock = ExitStack(), -1
        self._base: Base | None = None
        self._writer: Writer | None = None
        self._events: list[Published] = []
        self._drains: list[Drain] = []
        self._positions: PositionLines | None = None
        self._held: list[States] = []  # of cuts that go with the next one
        self._written_ns = 0

    def restored(self, origin: Origin) -> Restored:
        """What the last cut holds, or that there is none; makes nothing. Raises StoreError where this is another run's
        store; a damaged one is set aside.
        """
        if not self.path.exists():
            return Restored(origin)
        self._take_lock()
        try:
            return self._read(origin)
        except DamagedError as error:
            if self._base:
                self._base.close()
                self._base = None
            logs = [path.name for name in LOGS for path in aside(self._folder / name)]
            ending = set_aside(self._folder, (*FILES, *logs))
            text = "%s; it and its logs are kept, their names end with %s, and the run begins anew"
            log.warning(text, error, ending)
            return Restored(origin)

    def begin(
        self, envelopes: Envelopes, publishers: Mapping[str, Publisher], kept: Restored, positions: bool
    ) -> None:
        """Open what is written, and take back from the logs what came after the last cut."""
        taken: dict[str, Taken] = {}
        for name, publisher in publishers.items():
            self._closing.callback(publisher.close)
            publisher.open(self._folder, kept.origin.site)
            number, mark = kept.taken.get(name, (0, None))
            publisher.resume(mark)
            taken[name] = number, publisher.mark()
            self._drains.append(Drain(name, publisher, number))
        if positions:
            life_s = min(
                (getattr(one, "events_s", math.inf) for one in publishers.values()), default=math.inf
            )
            self._positions = PositionLines(self._folder / POSITIONS, kept.lengths, life_s)
            self._closing.callback(self._positions.close)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._take_lock()
        base = self._opened()
        self._writer = Writer(base, envelopes, self._drains, self._positions, self._keeping.max_waiting)
        with base.transaction():
            base.outbox.leave(publishers)
        self._share(base, publishers.values(), kept.cut)
        base.sealing.keep_only(base.states.owners)
        facts = kept.origin, self._at(kept.cut, kept.has_ended), Maker.of(envelopes.provenance)
        for name, one in taken.items():
            self._writer.acknowledge(name, one)
        self._writer.commit(Batch(facts=facts))
        for drain in self._drains:
            drain.start(self.path, base.outbox.last, self._writer.acknowledge)
        self._writer.start(self.commands.ask)

    def emit(self, event: Event) -> None:
        """Take one event: it is published with the next cut."""
        if isinstance(event, Positions):
            if self._positions:
                self._positions.write(event)
        elif not isinstance(event, Portrait):  # that is for the eyes of whoever asked for a picture
            self._events.append(event)

    def publish(self) -> None:
        """Publish what is not of the graph's making, and so needs no cut."""
        events, self._events = self._events, []
        if self._writer:
            self._writer.put(Batch(events))

    def take(self, cut: Cut, has_ended: bool = False, may_wait: bool = False) -> None:
        """Write a cut, whose states are those that have changed. One that may wait goes with the next, if nothing is
        to be published of it. Raises what the store or a publisher failed with.
        """
        self.check()
        events, self._events = self._events, []
        if self._writer:
            outcomes = self.commands.done(cut.at_ns, events)
            self._held.append(cut.states)
            is_late = cut.at_ns - self._written_ns >= HELD_NS
            if events or outcomes or is_late or not may_wait:
                states, self._held, self._written_ns = self._held, [], cut.at_ns
                self._writer.put(Batch(events, states, (self._at(cut, has_ended),), outcomes))

    def end(self) -> None:
        """Write what is left and let it be published, as far as the publishers are there."""
        self.publish()
        if self._writer and self._writer.stop(ENDS_S):
            for drain in self._drains:
                drain.finish(ENDS_S)
        self.check()

    def close(self) -> None:
        """What came out after the last cut is given up: the run that goes on from there gives it again."""
        with ExitStack() as closing:
            closing.callback(self._give_back_lock)
            has_stopped = not self._writer or self._writer.stop(FAILS_S)
            if self._base and has_stopped:
                closing.callback(self._base.close)
            closing.push(self._closing.__exit__)
            for drain in self._drains:
                drain.finish(FAILS_S)
            if self._writer and has_stopped and not self._writer.failures:
                self._writer.commit(Batch())

    def check(self) -> None:
        """Raise what the writer or a publisher has failed with."""
        failures = [*self._writer.failures] if self._writer else []
        for failure in failures + [failure for drain in self._drains for failure in drain.failures]:
            raise failure

    def waiting(self) -> dict[str, int]:
        """How many events wait for each publisher, at most."""
        return {drain.name: drain.waiting for drain in self._drains}

    def _share(self, base: Base, publishers: Collection[Publisher], cut: Cut) -> None:
        """Tell replicas of the gallery what they do not know; or, where it is shared no more, that nobody is left."""
        told = base.outbox.shared()
        is_first = told.pop(BEGUN, None) is None
        sharing = next(filter(None, (one.sharing(is_first) for one in publishers)), None)
        if sharing is None and not any(GALLERY in one.families for one in publishers):
            return  # nobody can be told
        gallery = Gallery(sharing.key if sharing else None)
        with base.transaction():
            if sharing is not None and sharing.known is not None:
                told = dict.fromkeys(sharing.known, "")
                base.outbox.begin_to_share({**told, BEGUN: ""})
            base.outbox.share(gallery.begun(cut.states, told), gallery.key_name)
        base.gallery = gallery if sharing else None

    def _at(self, cut: Cut, has_ended: bool) -> At:
        lengths = self._positions.flush() if self._positions else {}
        return At(cut.at_ns, dict(cut.sources_ns), lengths, has_ended)

    def _opened(self) -> Base:
        if self._base is None:
            self._base = Base.opened(self.path, self._seal)
        return self._base

    def _read(self, origin: Origin) -> Restored:
        try:
            base = self._opened()
            facts = base.facts()
            if facts is None:
                return Restored(origin)
            found, at, _ = facts
            self._check_origin(found, origin)
            with uncollected():
                cut = Cut(at.at_ns, base.states.read(), at.sources_ns)
            base.check()
            return Restored(found, cut, False, at.has_ended, *base.outbox.read(), at.lengths)
        except FAULTS as error:
            raise blamed(self.path, error) from error
        except (FaultError, msgspec.DecodeError) as error:
            raise DamagedError(f"{self.path}: is damaged, {error}") from error

    def _check_origin(self, found: Origin, origin: Origin) -> None:
        if found.site != origin.site or found.graph != origin.graph:
            what = "another graph"
        elif (found.source == LIVE) != (origin.source == LIVE):
            what = "live cameras" if found.source == LIVE else "recordings"
        elif found.source != origin.source:
            what = "other recordings"
        else:
            return
        raise StoreError(
            f"{self.path}: holds a run of {what}; choose another --out, or go on with what it was"
        )

    def _take_lock(self) -> None:
        if self._lock < 0:
            self._lock = locked(self._folder)

    def _give_back_lock(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1
