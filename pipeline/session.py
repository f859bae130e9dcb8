"""One run from a graph file to an exit status: inputs chosen, everything opened before anything is written, events
published, the ledger checked.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from pathlib import Path
from secrets import token_hex
from types import FrameType
from typing import Any

from configs.build import ConfigError
from pipeline.admission import for_a_recording
from pipeline.events import Envelopes, Provenance
from pipeline.executors import inline, processes, threads
from pipeline.graph import CAMERAS, EVENTS, Graph
from pipeline.graphfile import GraphFile
from pipeline.inputs import fingerprint, replayed, simulated
from pipeline.messages import (
    Event,
    Frame,
    IdentityEvent,
    Message,
    Portrait,
    Positions,
    SystemEvent,
    Tracklet,
    Tracks,
)
from pipeline.publish._publisher import Publisher
from pipeline.report import Report, clock
from pipeline.run import Run, ignore
from pipeline.stage import InputError, NoCameraError, engines
from pipeline.watch import LOST_OUTSIDE, Row, unbalanced

EXECUTORS = {"threads": threads.run, "processes": processes.run, "inline": inline.run}
INTERRUPTED, STOPS_WITHIN_S = 130, 10.0
FINISHING = "finishing what is in flight; Ctrl-C again ends at once"
RECORD, PORTRAITS, FILM = "record", "portraits", "film"
RUN_OTHERWISE = "or run with --replay DIR, or with --simulate"
RECORD_OTHERWISE = "'record' needs every camera of the graph; 'simulate' records simulated people without one"
NOBODY_S = {LOST_OUTSIDE, "untied_clock"}  # losses that are as they must be
TROUBLES = ("source_down", "source_stalled", "source_frozen", "clock_changed", "floor_lost", "floor_moved")


@dataclass(frozen=True)
class Choices:
    """What a command line says beside the graph file."""

    replay: Path | None = None
    simulate: Mapping[str, Any] | None = None
    cameras: Sequence[str] | None = None  # of the graph's, or all of them
    record: Path | None = None  # record the cameras there, and do nothing else
    seconds: float | None = None  # and then stop; of cameras by the clock, of recordings by their stamps
    speed: float = 0.0
    executor: str = ""  # or what suits
    positions: bool = False
    is_drawn: bool = False
    video: Path | None = None

    def __post_init__(self) -> None:
        if self.replay and self.simulate is not None:
            raise ConfigError("--replay and --simulate exclude each other; choose one")
        if self.executor and self.executor not in EXECUTORS:
            raise ConfigError(f"--executor: must be one of {', '.join(EXECUTORS)}, got {self.executor!r}")


@dataclass
class Session:
    """A run that has been checked and not begun."""

    file: GraphFile
    choices: Choices
    folder: Path
    report: Report = field(init=False)
    run: Run = field(init=False)
    graph: Graph = field(init=False)
    _publishers: dict[str, Publisher] = field(init=False)
    _cameras: Mapping[str, Any] = field(init=False)
    _closing: ExitStack = field(default_factory=ExitStack, init=False)
    _say: Callable[[str], None] = field(default=ignore, init=False)

    def __post_init__(self) -> None:
        more = {"log": {"positions": True}} if self.choices.positions else {}
        self._cameras = _cameras(self.file, self.choices)
        self.graph = _graph(self.file, self.choices, self._cameras)
        self._publishers = {} if self.choices.record else self.file.publishers(more)
        self.report = Report(self.choices.is_drawn)
        self.run = Run(self._take, speed=self.choices.speed, seconds=self.choices.seconds, opened=self._open)

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
    def is_live(self) -> bool:
        """Whether a camera of this run cannot be asked to wait."""
        return any(node.is_live for node in self.graph.sources)

    @property
    def executor(self) -> str:
        """The one that was chosen, or else processes where there are cores and cameras for several."""
        several = min(len(os.sched_getaffinity(0)), len(self.graph.sources)) > 1
        suited = several and not processes.unfit(self.graph, self.choices.speed)
        return self.choices.executor or ("processes" if suited else "threads")

    def conduct(self, say: Callable[[str], None]) -> int:
        """Run to the end, publish what comes of it, say what went wrong, and give the exit status."""
        self._say = say
        with self._closing, _signals(self.run, say), self._advice():
            EXECUTORS[self.executor](self.graph, self.run)
            stopped = "asked to stop" if self.run.is_finishing else "at its end"
            self._take(SystemEvent("graph_stopped", "", time.time_ns(), stopped))
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

    def _open(self) -> None:
        """Every stage is open: from here on files are written."""
        origin = Provenance(
            site=self.file.site.name,
            graph=self.file.path.stem,
            epoch=self._epoch(),
            graph_sha256=self.file.sha256,
            purpose=self.file.retention.purpose,
            retention_class=self.file.retention.retention_class,
            producers={kind: node.id for node in self.graph.nodes for kind in node.gives & EVENTS},
        )
        for publisher in self._publishers.values():
            self._closing.callback(publisher.close)
            publisher.open(self.folder, Envelopes(origin))
        self._take(SystemEvent("graph_started", "", time.time_ns(), self.file.path.stem))
        if self.choices.seconds is not None and self.is_live:
            timer = threading.Timer(self.choices.seconds, self.run.finish)
            timer.daemon = True
            timer.start()

    def _take(self, message: Message) -> None:
        event: Event = message  # type: ignore[assignment]  # a checked graph gives nothing else
        self.report.add(event)
        if isinstance(event, SystemEvent) and event.kind in TROUBLES and not self.run.is_finishing:
            self._say(f"{event.camera_id}: {event.detail}")
        if not isinstance(event, Portrait):
            for publisher in self._publishers.values():
                publisher.publish(event)

    def _epoch(self) -> str:
        """What makes the ids of this run's events: random when live, else the input and what is done with it."""
        if self.is_live:
            return token_hex(16)
        source = fingerprint(self._cameras) if self.choices.replay else repr(sorted(self._cameras.items()))
        return blake2b(f"{source}|{self.file.sha256}".encode(), digest_size=16).hexdigest()


def _cameras(file: GraphFile, choices: Choices) -> Mapping[str, Any]:
    cameras = {id: file.cameras[id] for id in choices.cameras or file.cameras}
    if choices.replay:
        return replayed(cameras, choices.replay)
    if choices.simulate is not None:
        return simulated(cameras, choices.simulate)
    return cameras


def _graph(file: GraphFile, choices: Choices, cameras: Mapping[str, Any]) -> Graph:
    if choices.record:
        settings = {"out": str(choices.record), "seconds": choices.seconds}
        graph = file.graph(cameras, {RECORD: {"stage": "record", "from": CAMERAS, **settings}})
        deep = for_a_recording(len(cameras))
        return Graph([replace(node, admission=deep) for node in graph.nodes])
    graph, more = file.graph(cameras), {}
    if choices.simulate is not None:
        _check_simulated(graph)
    if choices.is_drawn and (tracklets := _givers(graph, Tracklet)):
        more[PORTRAITS] = {"stage": "view", "from": tracklets}
    if choices.video is not None:
        more[FILM] = _film(graph, choices.video, list(cameras))
    for name in more.keys() & file.stages.keys():
        raise ConfigError(f"{file.path}: graph.{name}: --picture and --video need this name; choose another")
    return file.graph(cameras, {**file.stages, **more}) if more else graph


def _check_simulated(graph: Graph) -> None:
    """Simulated people are drawn for depth from above; raises ConfigError where a network is to find them."""
    for node in graph.nodes:
        for name, engine in engines(node.stage).items():
            reads = getattr(engine, "reads", "depth")
            if Frame in node.takes and reads != "depth":
                text = (
                    f"finds people in {reads}, and simulated people are for cameras that see depth from above"
                )
                raise ConfigError(f"--simulate: {node.where}.{name} {text}; run this graph with --replay DIR")


def _film(graph: Graph, video: Path, cameras: Sequence[str]) -> dict[str, Any]:
    """The stage that films: it is told who somebody is before it sees them."""
    tracks = _givers(graph, Tracks)
    if not tracks:
        raise ConfigError("--video: this graph follows nobody; leave it out, or let the graph track people")
    told = [*_givers(graph, IdentityEvent), *_givers(graph, Positions), *tracks]
    return {"stage": "film", "from": list(dict.fromkeys(told)), "out": str(video), "cameras": cameras}


def _givers(graph: Graph, kind: type) -> list[str]:
    return [node.id for node in graph.nodes if kind in node.gives]


@contextmanager
def _signals(run: Run, say: Callable[[str], None]) -> Iterator[None]:
    """The first Ctrl-C or SIGTERM lets what is in flight finish; a second one, or ten seconds, ends at once."""
    timer = threading.Timer(STOPS_WITHIN_S, os.kill, (os.getpid(), signal.SIGINT))
    timer.daemon = True
    # by a thread: this one may be in the middle of a word itself when the signal comes
    saying = threading.Thread(target=say, args=(FINISHING,))
    is_first = True

    def stop(_number: int, _frame: FrameType | None) -> None:
        nonlocal is_first
        if not is_first:
            raise KeyboardInterrupt
        is_first = False
        run.finish()
        saying.start()
        timer.start()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        timer.cancel()  # what follows the run, hashes of a recording, may take longer
        for number, handler in before.items():
            signal.signal(number, handler)
        if not is_first:
            saying.join()
