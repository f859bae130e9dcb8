"""Frames a second that the simulator draws on one core, and where the time goes. python benchmarks/simulator.py"""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from rich.console import Console
from rich.table import Table

from engines.people import renderer, sight
from engines.people.scene import Scene
from engines.people.sight import Sight
from pipeline.graphfile import GraphFile
from stages.source.simulated import Simulated

FRAMES, ROUNDS = 60, 3
COUNTS = (0, 2, 8)
PARTS = {
    "bodies: bones and skin": ((Scene, "actors"), (renderer, "move"), (renderer, "see")),
    "bodies: triangles": ((renderer, "draw"),),
    "bodies: light and colour": (
        (renderer, "illuminate"),
        (renderer, "samples_of"),
        (renderer, "block"),
        (renderer, "paint"),
    ),
    "shadows on the floor": ((renderer, "shadow_window"), (renderer, "darken")),
    "colour sensor": ((sight, "exposed"),),
    "depth sensor": ((sight, "depth_of"),),
}


def main() -> None:
    """Print the table."""
    started = time.perf_counter()
    sights = {people: _in_view(people) for people in COUNTS}
    for seen in sights.values():
        seen.frame(0, 0.0)
    console = Console()
    console.print(f"compiled, or read from the cache, in {time.perf_counter() - started:.1f} s")
    table = Table("640x480 colour and depth, one core", *(f"{people} people in view" for people in COUNTS))
    table.add_row("frames/s", *(f"{_per_second(seen):.0f}" for seen in sights.values()))
    parts = [_parts(seen) for seen in sights.values()]
    for name in (*PARTS, "everything else"):
        table.add_row(f"{name}, ms", *(f"{part[name]:.2f}" for part in parts))
    console.print(table)


def _in_view(people: int) -> Sight:
    """A camera straight above so many people who walk on the spot, all of them in its picture."""
    site = GraphFile.read(Path("configs/topview_rgbd.yaml")).site
    scene = Simulated("flat", site, people=people, seconds=10.0).scene()
    paths = np.zeros((400, people, 7))
    for person in range(people):
        paths[:, person, 0] = 4.0 + 0.9 * (person % 4 - 1.5)
        paths[:, person, 1] = 4.0 + 1.0 * (person // 4 - 0.5)
        paths[:, person, 2] = 0.8 * person
    paths[..., 3], paths[..., 6] = 1.2, 1.0
    paths[..., 4] = np.arange(400)[:, None] * 0.05 / 1.1
    return Sight(replace(scene, paths=paths), 0, 1)


def _per_second(seen: Sight) -> float:
    return median(FRAMES / _seconds(seen) for _ in range(ROUNDS))


def _seconds(seen: Sight) -> float:
    started = time.perf_counter()
    for index in range(FRAMES):
        seen.frame(index, 0.1 * (index % 60))
    return time.perf_counter() - started


def _parts(seen: Sight) -> dict[str, float]:
    """Milliseconds a frame of each part: the same work again, with a clock around every call."""
    spent: dict[str, float] = defaultdict(float)
    originals = [(owner, name, getattr(owner, name)) for calls in PARTS.values() for owner, name in calls]
    for part, calls in PARTS.items():
        for owner, name in calls:
            setattr(owner, name, _timed(getattr(owner, name), spent, part))
    try:
        whole = _seconds(seen)
    finally:
        for owner, name, original in originals:
            setattr(owner, name, original)
    parts = {name: 1000.0 * spent[name] / FRAMES for name in PARTS}
    return {**parts, "everything else": 1000.0 * whole / FRAMES - sum(parts.values())}


def _timed(function: Callable[..., Any], spent: dict[str, float], part: str) -> Callable[..., Any]:
    def timed(*arguments: Any) -> Any:
        started = time.perf_counter()
        try:
            return function(*arguments)
        finally:
            spent[part] += time.perf_counter() - started

    return timed


if __name__ == "__main__":
    main()
