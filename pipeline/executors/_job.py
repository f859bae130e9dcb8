"""What the first host of a run tells the others to run, as plain values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from configs.build import ConfigError, closest
from pipeline.events import CODE_VERSION
from pipeline.executors import zmq
from pipeline.executors._plan import Plan
from pipeline.graph import Graph
from pipeline.graphfile import GraphFile
from pipeline.run import Run
from pipeline.wire import VERSION

STEPS = 2  # the form of a step between hosts, beside that of the values in it
PATHS = ("replay", "video", "record")  # those of the choices


def plan_of(file: GraphFile, name: str) -> Plan:
    """The placement of this name, beside the graph file."""
    folder = file.path.parent / "placements"
    if not (folder / f"{name}.yaml").is_file():
        found = sorted(path.stem for path in folder.glob("*.yaml"))
        raise ConfigError(f"--placement: there is no {folder / name}.yaml{closest(name, found)}")
    return Plan.read(folder / f"{name}.yaml")


def same(file: GraphFile, plan: Plan) -> dict[str, str]:
    """What all hosts must have alike."""
    placed = sha256(repr((list(plan.hosts.items()), sorted(plan.nodes.items()))).encode()).hexdigest()
    return {
        "version": f"{CODE_VERSION} wire {VERSION} steps {STEPS}",
        "graph": file.sha256,
        "placement": placed,
    }


def placed_run(file: GraphFile, choices: Any, folder: Path) -> Callable[[Graph, Run], None]:
    """Runs a graph as these choices place it. The others get all that they need to build the same graph."""
    plan = plan_of(file, choices.placement)
    told = {name: str(value) if isinstance(value, Path) else value for name, value in asdict(choices).items()}
    return partial(zmq.run, plan=plan, job={"same": same(file, plan), "choices": told, "folder": str(folder)})


def choices_of(job: Mapping[str, Any]) -> dict[str, Any]:
    """The choices again."""
    return {name: Path(v) if name in PATHS and v is not None else v for name, v in job["choices"].items()}
