"""What the store costs the main job, and how soon a run with a large gallery goes on, in one run:

python benchmarks/store.py [FOLDER] [--vectors N]

Without a FOLDER of recordings it records one, as benchmarks/replay.py does. With and without a store take turns, each
in a process of its own, and what counts is the processor time of all its processes, from the first frame to the last.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

import numpy as np  # noqa: E402
from replay import MAIN, recorded, said_of  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

from pipeline._store_facts import Origin  # noqa: E402
from pipeline.choices import Choices  # noqa: E402
from pipeline.cuts import Cut  # noqa: E402
from pipeline.events import Envelopes, Provenance  # noqa: E402
from pipeline.graphfile import GraphFile  # noqa: E402
from pipeline.instances import Instances  # noqa: E402
from pipeline.keyed import Keyed  # noqa: E402
from pipeline.messages import Event, Identity, Portrait, Positions, Sighting, SystemEvent, Tracklet  # noqa: E402
from pipeline.placement import Shard  # noqa: E402
from pipeline.publish._lines import Lines  # noqa: E402
from pipeline.publish.log import EVENTS, SYSTEM  # noqa: E402
from pipeline.session import LIVE_S, Session  # noqa: E402
from pipeline.stage import Source  # noqa: E402
from pipeline.store import Keeping, Restored, Store  # noqa: E402
from pipeline.wire import encode  # noqa: E402

ROUNDS = 7
WITH, WITHOUT = "with the store", "events straight to their file, no cuts"
OFTEN = f"with a cut every {LIVE_S:g} s, as of live cameras"
DIMENSION, SIGHTINGS = 740, 12  # of a vector of the main job; remembered of one person


class Unkept(Store):
    """Writes each event to its file as it comes, and keeps nothing."""

    def restored(self, origin: Origin) -> Restored:
        return Restored(origin)

    def begin(self, envelopes: Envelopes, publishers: Any, kept: Restored, positions: bool) -> None:
        self._envelopes = envelopes
        self._files = {name: Lines(self._folder / name) for name in (EVENTS, SYSTEM)}

    def emit(self, event: Event) -> None:
        if not isinstance(event, Positions | Portrait):
            name = SYSTEM if isinstance(event, SystemEvent) else EVENTS
            self._files[name].write([self._envelopes.wrap(event)])

    def publish(self) -> None:
        pass

    def end(self) -> None:
        pass


def main() -> None:
    """Take turns, and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--vectors", type=int, default=100_000, help="0: no restart is tried")
    parser.add_argument("--way", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.way:
        print(json.dumps(by_graph(given.folder, given.way)))
        return
    out = Console(width=110, highlight=False)
    if given.vectors:
        out.print(restarts(given.vectors))
    with TemporaryDirectory() as made:
        folder = given.folder or recorded(Path(made) / "site")
        out.print(said_of(folder))
        out.print(costs(folder))
    out.print(f"load of the machine meanwhile: {os.getloadavg()[2]:.1f} (15 minutes)")


def costs(folder: Path) -> Table:
    """Processor time of the main job, with and without."""
    took: dict[str, list[dict[str, float]]] = {WITHOUT: [], WITH: [], OFTEN: []}
    for turn in range(ROUNDS + 1):
        for name, results in took.items():
            result = apart(folder, name)
            if turn:  # the first one fills caches
                results.append(result)
    table = Table("way", "processor, s", "ratio", "clock, s", title="What the store costs the main job")
    base = median(one["cpu_s"] for one in took[WITHOUT])
    for name, results in took.items():
        cpu_s, clock_s = (median(one[of] for one in results) for of in ("cpu_s", "seconds"))
        table.add_row(name, f"{cpu_s:.2f}", f"{cpu_s / base:.3f}", f"{clock_s:.2f}")
    for name in (WITH, OFTEN):
        pairs = [kept["cpu_s"] / bare["cpu_s"] for bare, kept in zip(took[WITHOUT], took[name], strict=True)]
        table.add_row(f"{name}: median of the ratios, turn by turn", "", f"{median(pairs):.3f}", "")
    return table


def apart(folder: Path, way: str) -> dict[str, float]:
    """One run in a process of its own."""
    command = [sys.executable, __file__, str(folder), "--way", way]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def by_graph(folder: Path, way: str) -> dict[str, float]:
    """The replay as `run.py --replay` makes it, from the first frame on."""
    with TemporaryDirectory(dir=folder.parent) as out:
        session = Session(GraphFile.read(MAIN), Choices(replay=folder), Path(out) / "run")
        if way == WITHOUT:
            session.store = Unkept(session.folder, Keeping())
            session.run = replace(session.run, barrier_ns=None)
        if way == OFTEN:
            for node in session.graph.nodes:
                if hasattr(node.stage, "is_live") and not isinstance(node.stage, Source):
                    node.stage.is_live = True  # type: ignore[attr-defined]
            session.run = replace(session.run, barrier_ns=round(LIVE_S * 1e9))
        began, began_s = time.perf_counter(), sum(os.times()[:4])
        if session.conduct(say=print):
            raise SystemExit("the run did not end well")
        return {"seconds": time.perf_counter() - began, "cpu_s": sum(os.times()[:4]) - began_s}


def restarts(vectors: int) -> Table:
    """A store with a gallery of so many vectors, as the main job's matcher keeps them, until that matcher has it."""
    file = GraphFile.read(MAIN)
    node = next(node for node in file.graph().nodes if node.id == "match")
    origin = Origin("site", "graph", "live", "epoch")
    with TemporaryDirectory() as folder:
        path = Path(folder)
        filled(Store(path, Keeping()), origin, vectors)
        began, began_s = time.perf_counter(), time.process_time()
        with closing(Store(path, Keeping())) as store:
            kept = store.restored(origin)
            read_s = time.perf_counter() - began
            with Instances(Shard(node, 0)) as instances:
                instances.start(kept.cut.states["match"])
                whole_s, cpu_s = time.perf_counter() - began, time.process_time() - began_s
                people = len(instances.of("")._identities)
        mb = store.path.stat().st_size / 1e6
    table = Table(
        "vectors",
        "identities",
        "store, MB",
        "read, s",
        "restored, s",
        "processor, s",
        title="Going on with a large gallery",
    )
    table.add_row(str(vectors), str(people), f"{mb:.0f}", f"{read_s:.2f}", f"{whole_s:.2f}", f"{cpu_s:.2f}")
    return table


def filled(store: Store, origin: Origin, vectors: int) -> None:
    """A store with a gallery."""
    envelopes = Envelopes(Provenance("site", "graph", "epoch", "0" * 64))
    with closing(store):
        store.begin(envelopes, {}, Restored(origin), False)
        for first in range(0, vectors, 1000 * SIGHTINGS):
            people: Keyed[Identity] = Keyed()
            for number in range(first, min(vectors, first + 1000 * SIGHTINGS), SIGHTINGS):
                people.put(f"P-{number}", somebody(number))
            store.take(Cut(1, {"match": {"": encode({"_identities": people.changes()})}}))
        store.end()


def somebody(number: int) -> Identity:
    """With as many sightings as are remembered."""
    random = np.random.default_rng(number)
    looks = random.random((SIGHTINGS, DIMENSION), np.float32)
    sightings = tuple(
        Sighting(seen(f"T-{number + n}", random), looks[n], 3, "overhead_descriptor/rgbd", False)
        for n in range(SIGHTINGS)
    )
    return Identity(f"P-{number}", number, sightings, True, number, number)


def seen(id: str, random: np.random.Generator) -> Tracklet:
    """A tracklet with all that one has."""
    two, four = (lambda: random.random(2, np.float32)), random.random((2, 2), np.float32)
    places = {"entered_floor_m": two(), "floor_m": two(), "velocity_m_s": two(), "covariance_m2": four}
    shares = {"visibility": 1.0, "detection_score": 0.9, "track_score": 0.9}
    return Tracklet(
        "flat", id, "closed", 1, 2, **places, floor_frame="site", height_m=1.7, **shares, frame_index=7,
        clock="global_time", box=random.random(4, np.float32), image_size_px=(640, 480), modality="rgbd",
        calibration_id="recorded-1", crops=(),
    )  # fmt: skip


if __name__ == "__main__":
    main()
