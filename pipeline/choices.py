"""What a command line says beside the graph file, and the cameras and stages that come of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from configs.build import ConfigError
from pipeline.admission import for_a_recording
from pipeline.executors import inline, processes, threads
from pipeline.graph import CAMERAS, Graph
from pipeline.graphfile import GraphFile
from pipeline.inputs import replayed, simulated
from pipeline.messages import Frame, IdentityEvent, Positions, Tracklet, Tracks
from pipeline.stage import engines

EXECUTORS = {"threads": threads.run, "processes": processes.run, "inline": inline.run}
RECORD, PORTRAITS, FILM = "record", "portraits", "film"


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
    placement: str = ""  # or on this host alone
    positions: bool = False
    is_drawn: bool = False
    video: Path | None = None

    def __post_init__(self) -> None:
        if self.replay and self.simulate is not None:
            raise ConfigError("--replay and --simulate exclude each other; choose one")
        if self.executor and self.placement:
            raise ConfigError("--executor: with --placement each host runs its part in threads; leave it out")
        if self.executor and self.executor not in EXECUTORS:
            raise ConfigError(f"--executor: must be one of {', '.join(EXECUTORS)}, got {self.executor!r}")


def folder_of(file: GraphFile, choices: Choices) -> Path:
    """Where a run goes that was not told: live cameras go on where they stopped, everything else begins anew."""
    if choices.replay is None and choices.simulate is None:
        return Path("var") / file.site.name
    return Path("var") / f"{file.path.stem}-{datetime.now(UTC):%Y%m%d-%H%M%S}"


def cameras_of(file: GraphFile, choices: Choices) -> Mapping[str, Any]:
    """Each source and its settings, by camera."""
    cameras = {id: file.cameras[id] for id in choices.cameras or file.cameras}
    if choices.replay:
        return replayed(cameras, choices.replay)
    if choices.simulate is not None:
        return simulated(cameras, choices.simulate)
    return cameras


def graph_of(file: GraphFile, choices: Choices, cameras: Mapping[str, Any]) -> Graph:
    """The graph, checked."""
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
