"""One run from a graph file to an exit status: inputs chosen, everything opened before anything is written, events
published, the ledger checked.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from secrets import token_hex
from typing import Any

from configs.build import ConfigError
from pipeline.events import Envelopes, Provenance
from pipeline.executors import inline, threads
from pipeline.graph import CAMERAS, EVENTS, Graph
from pipeline.graphfile import GraphFile
from pipeline.inputs import fingerprint, replayed, simulated
from pipeline.messages import Event, Message, Portrait, SystemEvent, Tracklet
from pipeline.publish._publisher import Publisher
from pipeline.report import Report
from pipeline.run import Run
from pipeline.watch import Row, unbalanced

EXECUTORS = {"threads": threads.run, "inline": inline.run}


@dataclass(frozen=True)
class Choices:
    """What a command line says beside the graph file."""

    replay: Path | None = None
    simulate: Mapping[str, Any] | None = None
    speed: float = 0.0
    executor: str = "threads"
    positions: bool = False
    portraits: bool = False
    extra: Mapping[str, Any] = field(default_factory=dict)  # more stages, by node

    def __post_init__(self) -> None:
        if self.replay and self.simulate is not None:
            raise ConfigError("--replay and --simulate exclude each other; choose one")
        if self.executor not in EXECUTORS:
            raise ConfigError(f"--executor: must be one of {', '.join(EXECUTORS)}, got {self.executor!r}")


@dataclass
class Session:
    """A run that has been checked and not begun."""

    file: GraphFile
    choices: Choices
    folder: Path
    report: Report = field(default_factory=Report)
    run: Run = field(init=False)
    graph: Graph = field(init=False)
    _publishers: dict[str, Publisher] = field(init=False)
    _cameras: Mapping[str, Any] = field(init=False)
    _closing: ExitStack = field(default_factory=ExitStack, init=False)

    def __post_init__(self) -> None:
        self._cameras = _cameras(self.file, self.choices)
        self.graph = _graph(self.file, self.choices, self._cameras)
        self._publishers = self.file.publishers(
            {"log": {"positions": True}} if self.choices.positions else {}
        )
        self.run = Run(self._take, speed=self.choices.speed, opened=self._open)

    @property
    def is_live(self) -> bool:
        """Whether a camera of this run cannot be asked to wait."""
        return any(node.is_live for node in self.graph.sources)

    def conduct(self) -> None:
        """Run to the end, and publish what comes of it."""
        with self._closing:
            EXECUTORS[self.choices.executor](self.graph, self.run)
            stopped = "asked to stop" if self.run.is_finishing else "at its end"
            self._take(SystemEvent("graph_stopped", "", time.time_ns(), stopped))

    def ledger(self) -> list[Row]:
        """What became of every frame."""
        return self.run.watch.ledger(self.graph)

    def unbalanced(self) -> list[str]:
        """What in the ledger does not add up, a sentence each."""
        return unbalanced(self.ledger(), self.graph)

    def lost(self) -> list[SystemEvent]:
        """What of the recordings could not be read."""
        return [] if self.is_live else [event for event in self.report.system if event.kind == "gap"]

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

    def _take(self, message: Message) -> None:
        event: Event = message  # type: ignore[assignment]  # a checked graph gives nothing else
        self.report.add(event)
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
    if choices.replay:
        return replayed(file.cameras, choices.replay)
    if choices.simulate is not None:
        return simulated(file.cameras, choices.simulate)
    return file.cameras


def _graph(file: GraphFile, choices: Choices, cameras: Mapping[str, Any]) -> Graph:
    extra = dict(choices.extra)
    if choices.portraits:
        tracklets = [node.id for node in file.graph(cameras).nodes if Tracklet in node.gives]
        if tracklets:
            extra["portraits"] = {"stage": "view", "from": tracklets}
    return file.graph(cameras, extra)


def every(cameras: Mapping[str, Any]) -> list[str]:
    """All cameras, as a `from` names them."""
    return [f"{CAMERAS}.{id}" for id in cameras]
