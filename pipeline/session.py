"""One run from a graph file to an exit status: inputs chosen, everything opened before anything is written, what an
earlier run in this folder has left gone on with, events published, the ledger checked.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from pathlib import Path
from secrets import token_hex
from typing import Any

from pipeline._signals import signals
from pipeline._store_facts import Origin
from pipeline._tables import clock
from pipeline.choices import EXECUTORS, FILM, Choices, cameras_of, graph_of
from pipeline.cuts import Cut
from pipeline.events import Envelopes, Provenance, rfc3339
from pipeline.executors import processes
from pipeline.executors._job import placed_run
from pipeline.graph import EVENTS, Graph
from pipeline.graphfile import GraphFile
from pipeline.inputs import fingerprint
from pipeline.messages import Event, Message, SystemEvent
from pipeline.order import END, Barrier
from pipeline.publish._publisher import Publisher
from pipeline.report import Report
from pipeline.retention import MANIFEST, Lives, register
from pipeline.run import Run, ignore
from pipeline.stage import InputError, NoCameraError
from pipeline.store import LIVE, Restored, Store
from pipeline.watch import LOST_OUTSIDE, Row, unbalanced

INTERRUPTED = 130
RUN_OTHERWISE = "or run with --replay DIR, or with --simulate"
RECORD_OTHERWISE = "'record' needs every camera of the graph; 'simulate' records simulated people without one"
NOBODY_S = {LOST_OUTSIDE, "untied_clock"}  # losses that are as they must be
TROUBLES = ("source_down", "source_stalled", "source_frozen", "clock_changed", "floor_lost", "floor_moved")
ENDED = "this run was at its end already; what still waited to be published has been"
# between two cuts: what is watched is out soon, what is replayed has no hurry
LEAST_S, LIVE_S, REPLAYED_S = 0.01, 0.08, 1.0


@dataclass
class Session:
    """A run that has been checked and not begun."""

    file: GraphFile
    choices: Choices
    folder: Path
    report: Report = field(init=False)
    run: Run = field(init=False)
    graph: Graph = field(init=False)
    store: Store = field(init=False)
    _kept: Restored = field(init=False)
    _publishers: dict[str, Publisher] = field(init=False)
    _cameras: Mapping[str, Any] = field(init=False)
    _closing: ExitStack = field(default_factory=ExitStack, init=False)
    _say: Callable[[str], None] = field(default=ignore, init=False)

    def __post_init__(self) -> None:
        self._cameras = cameras_of(self.file, self.choices)
        self.graph = graph_of(self.file, self.choices, self._cameras)
        self._publishers = {} if self.choices.record else self.file.publishers()
        self.report = Report(self.choices.is_drawn)
        self.store = Store(self.folder, self.file.keeping)
        self.run = Run(self._take, speed=self.choices.speed, seconds=self.choices.seconds, opened=self._open)
        if not self.choices.record:
            every_s = self.file.keeping.every_s or self._cut_every_s
            self.run = replace(
                self.run,
                take=self._cut,
                barrier_ns=round(every_s * 1e9),
                commands=self.store.commands,
            )

    @property
    def camera_ids(self) -> list[str]:
        """The cameras of this run."""
        return list(self._cameras)

    @property
    def videos(self) -> list[Path]:
        """Those that this run has written."""
        named = [
            path for node in self.graph.nodes if node.id == FILM for path in getattr(node.stage, "paths", ())
        ]
        return [path for path in named if path.exists()]

    @property
    def had_ended(self) -> bool:
        """Whether this run was at its end before it began."""
        return self._kept.has_ended

    @property
    def is_live(self) -> bool:
        """Whether a camera of this run cannot be asked to wait."""
        return any(node.is_live for node in self.graph.sources)

    @property
    def executor(self) -> str:
        """The one that was chosen, or else processes where there are cores and cameras for several."""
        several = min(len(os.sched_getaffinity(0)), len(self.graph.sources)) > 1
        suited = several and not processes.unfit(self.graph, self.choices.speed)
        return self.choices.executor or ("processes" if suited else "threads")

    @property
    def _cut_every_s(self) -> float:
        """In capture time, which a paced replay lets pass at a multiple of real time."""
        if self.is_live or not self.choices.speed:
            return LIVE_S if self.is_live else REPLAYED_S
        return min(max(LIVE_S * self.choices.speed, LEAST_S), REPLAYED_S)

    def conduct(self, say: Callable[[str], None]) -> int:
        """Run to the end, publish what comes of it, say what went wrong, and give the exit status."""
        self._say = say
        with self._closing, signals(self.run, say), self._advice():
            self._closing.callback(self.store.close)
            self._restore()
            self._closing.enter_context(self._lives().kept_to())
            if self._kept.has_ended:
                self._begin()
            else:
                placed = placed_run(self.file, self.choices, self.folder) if self.choices.placement else None
                (placed or EXECUTORS[self.executor])(self.graph, self.run)
                stopped = "asked to stop" if self.run.is_finishing else "at its end"
                self._take(SystemEvent("graph_stopped", "", time.time_ns(), stopped))
            self.store.end()
        if self.had_ended:
            say(f"{self.folder}: {ENDED}")
        unbalanced_ = unbalanced(self.ledger(), self.graph)
        for sentence in unbalanced_:
            say(f"the ledger does not balance: {sentence}")
        lost = self._lost()
        for gap in lost:
            say(f"{gap.camera_id}: {gap.detail}")
        if unbalanced_:
            return 1
        if lost:
            return 3
        return INTERRUPTED if self.run.is_finishing and not self.is_live else 0

    def progress(self) -> str:
        """How far the run has come, in one line; any thread may ask."""
        run, people = self.run, self.report.identities
        if not run.frames:
            return "starting; what has never run here is compiled first"
        planned_s = self.choices.seconds or (self.choices.simulate or {}).get("seconds")
        planned = f" of {clock(planned_s)}" if planned_s else ""
        who = f", {people} identities" if not self.choices.record else ""
        return f"{clock((run.now_ns - run.began_ns) / 1e9)}{planned}, {run.frames} frames{who}"

    def ledger(self) -> list[Row]:
        """What became of every frame."""
        return self.run.watch.ledger(self.graph)

    def _lost(self) -> list[SystemEvent]:
        """What could not be read of recordings, or not be recorded; a live camera drops as it must."""
        if self.is_live and not self.choices.record:
            return []
        gaps = [event for event in self.report.system if event.kind == "gap"]
        return [gap for gap in gaps if set(gap.counts) - NOBODY_S or not (gap.counts or self.is_live)]

    @contextmanager
    def _advice(self) -> Iterator[None]:
        """Say of a camera that is not there what this command can do without it."""
        try:
            yield
        except NoCameraError as error:
            otherwise = f"; {RECORD_OTHERWISE}" if self.choices.record else f", {RUN_OTHERWISE}"
            raise InputError(f"{error}{otherwise}") from error

    def _restore(self) -> None:
        """Look for what an earlier run has left here."""
        graph = self.file.runs_sha256
        source = LIVE if self.is_live else self._epoch()
        self._kept = Restored(Origin(self.file.site.name, graph, source, self._epoch()))
        if not self.choices.record:
            self._kept = self.store.restored(self._kept.origin)
        self.run.start = self._kept.cut
        if not self._kept.is_new:
            since = rfc3339(self._kept.cut.at_ns)
            self.report.remark = f"Counted from {since} on, where the run went on; its log is whole."

    def _lives(self) -> Lives:
        """How long files may lie there; what is recorded now is among them from here on."""
        told, site = self.file.retention, self.file.site.name
        if self.choices.record and self.is_live:
            files = [f"{camera_id}.db3" for camera_id in self._cameras]
            register(site, self.choices.record, [*files, MANIFEST])
        return Lives(site, self.folder, told.events, told.crops, told.recordings)

    def _open(self) -> None:
        """Every stage is open: from here on files are written."""
        if not self.choices.record:
            self._begin()
        self._take(SystemEvent("graph_started", "", time.time_ns(), self.file.path.stem))
        if self.is_live and not self._kept.is_new:
            for node in self.graph.sources:
                text = "nothing was seen from here on until this graph was started again"
                self._take(SystemEvent("gap", node.camera_id, self._kept.cut.of(node.camera_id), text))
        self.store.publish()
        self._kept = replace(self._kept, cut=replace(self._kept.cut, states={}))  # a large gallery, twice
        self.run.start = self._kept.cut
        if self.choices.seconds is not None and self.is_live:
            timer = threading.Timer(self.choices.seconds, self.run.finish)
            timer.daemon = True
            timer.start()

    def _begin(self) -> None:
        origin = Provenance(
            site=self.file.site.name,
            graph=self.file.path.stem,
            epoch=self._kept.origin.epoch,
            graph_sha256=self.file.sha256,
            purpose=self.file.retention.purpose,
            retention_class=self.file.retention.retention_class,
            producers={kind: node.id for node in self.graph.nodes for kind in node.gives & EVENTS},
        )
        positions = self.choices.positions or any(
            getattr(one, "positions", False) for one in self._publishers.values()
        )
        envelopes = Envelopes(origin, self._kept.sequences)
        self.store.begin(envelopes, self._publishers, self._kept, positions)

    def _take(self, message: Message) -> None:
        event: Event = message  # type: ignore[assignment]  # a checked graph gives nothing else
        self.report.add(event)
        if isinstance(event, SystemEvent) and event.kind in TROUBLES and not self.run.is_finishing:
            self._say(f"{event.camera_id}: {event.detail}")
        if not self.choices.record:
            self.store.emit(event)

    def _cut(self, barrier: Barrier) -> None:
        """Everything before the barrier has come out; behind the last one a run that was not done can go on."""
        if barrier.place != END:
            self.store.take(Cut(barrier.at_ns, barrier.states), may_wait=self.file.keeping.every_s is None)
        elif self.is_live or self.run.is_finishing:
            sources_ns = {node.camera_id: self._kept.cut.of(node.camera_id) for node in self.graph.sources}
            sources_ns |= {camera_id: last_ns + 1 for camera_id, last_ns in self.run.last_ns.items()}
            self.store.take(Cut(max(sources_ns.values()), barrier.states, sources_ns))
        else:
            self.store.take(Cut(barrier.at_ns, barrier.states), has_ended=True)

    def _epoch(self) -> str:
        """What makes the ids of this run's events: random when live, else the input and what is done with it."""
        if self.is_live:
            return token_hex(16)
        source = fingerprint(self._cameras) if self.choices.replay else repr(sorted(self._cameras.items()))
        return blake2b(f"{source}|{self.file.sha256}".encode(), digest_size=16).hexdigest()
