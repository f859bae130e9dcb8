"""How fast a recorded site is replayed, beside the RealSense SDK's own playback of the same files, in one run:

python benchmarks/replay.py [FOLDER] [--minutes MINUTES]

Without a FOLDER of recordings it records one: four cameras, colour and depth, 640x480 at 30 frames a second, people in
every view. Each way runs in a process of its own; they take turns, and the table gives medians.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import takewhile
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

from pipeline.choices import Choices  # noqa: E402
from pipeline.graph import Graph, Node  # noqa: E402
from pipeline.graphfile import GraphFile  # noqa: E402
from pipeline.messages import Frame, Heartbeat, Reset, SystemEvent  # noqa: E402
from pipeline.publish._publisher import Publisher, Row  # noqa: E402
from pipeline.session import Session  # noqa: E402
from pipeline.stage import Source  # noqa: E402

MAIN = ROOT / "configs" / "topview_rgbd.yaml"
CROWD = {"people": 30, "seconds": 10, "fps": 30, "seed": 11}
ROUNDS = 3
LOOP_S = 2.0
OWN = "the whole graph, start to exit"
WITHIN = "the whole graph, once it is loaded"
THREADS = "the same, in threads of one process"
MEMORY = f"the whole graph, {LOOP_S:g} s looped in memory"
SDK = "the SDK's playback, nothing else done"
Given = Frame | Heartbeat | Reset | SystemEvent


@dataclass
class Looped(Source[Given]):
    """The first seconds of another source again and again, as it encoded them, with time going on."""

    of: Source[Any] = field(kw_only=True)
    rounds: int = field(kw_only=True)
    _frames: list[Frame] = field(default_factory=list, init=False)

    def open(self) -> None:
        self.of.open()
        frames = (frame for frame in self.of.produce(0) if isinstance(frame, Frame))
        first = next(frames)
        short = takewhile(lambda frame: frame.captured_ns - first.captured_ns < LOOP_S * 1e9, frames)
        self._frames = [first, *short]

    def produce(self, from_ns: int) -> Iterator[Given]:
        n, period_ns = len(self._frames), int(LOOP_S * 1e9)
        for turn in range(self.rounds):
            for frame in self._frames:
                at_ns = frame.captured_ns + turn * period_ns
                yield replace(frame, index=frame.index + turn * n, captured_ns=at_ns)


@dataclass
class Timed:
    """A publisher, and the time that it takes."""

    of: Publisher
    busy_ns: int = 0

    def send(self, rows: Sequence[Row]) -> int:
        began = time.perf_counter_ns()
        sent = self.of.send(rows)
        self.busy_ns += time.perf_counter_ns() - began
        return sent

    def __getattr__(self, name: str) -> Any:
        return getattr(self.of, name)


def main() -> None:
    """Take turns, and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--minutes", type=float, default=10.0, help="of the loop that memory is watched in")
    parser.add_argument("--way", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.way:
        print(json.dumps(WAYS[given.way](given.folder, given.minutes)))
        return
    with TemporaryDirectory() as made:
        compare(given.folder or recorded(Path(made) / "site"), given.minutes)


def compare(folder: Path, minutes: float) -> None:
    """All tables of one folder of recordings."""
    out = Console(width=110, highlight=False)
    out.print(said_of(folder))
    took: dict[str, list[dict[str, Any]]] = {name: [] for name in (SDK, OWN, WITHIN, THREADS, MEMORY)}
    for turn in range(ROUNDS + 1):
        for name, results in took.items():
            result = apart(name, folder, 60 * LOOP_S / 60)
            if turn:  # the first one fills caches
                results.append(result)
    out.print(speeds(took))
    out.print(shares(took[WITHIN][-1]))
    loop = apart(MEMORY, folder, minutes)
    table = Table("minute of the loop", "held, MiB", title="Memory")
    for at_s, bytes_ in loop["marks"]:
        table.add_row(f"{at_s / 60:.1f}", f"{bytes_ / 2**20:.0f}")
    out.print(table)
    out.print(f"load of the machine meanwhile: {os.getloadavg()[2]:.1f} (15 minutes)")


def recorded(folder: Path) -> Path:
    """A site of people, recorded through the SDK."""
    options = [word for name, value in CROWD.items() for word in (f"--{name}", str(value))]
    command = [sys.executable, str(ROOT / "run.py"), "simulate", "--out", str(folder), *options]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return folder


def said_of(folder: Path) -> str:
    """How much there is in the recordings."""
    from engines.evaluate.truth import read_truth

    cameras = json.loads((folder / "manifest.json").read_text())["cameras"]
    frames = sum(camera["frames"] for camera in cameras.values())
    mb = sum(path.stat().st_size for path in folder.glob("*.db3")) / 1e6 / frames
    people = ""
    if (folder / "truth").is_dir():
        rows = sum(int(there.counts.sum()) for there in read_truth(folder))
        people = f", {rows / frames:.2f} people in each view on average"
    return f"{len(cameras)} cameras, {frames} frame sets, {mb:.2f} MB each{people}"


def apart(name: str, folder: Path, minutes: float) -> dict[str, Any]:
    """One way in a process of its own: what it says, its seconds from start to exit, its peak memory."""
    began = time.perf_counter()
    command = [sys.executable, __file__, str(folder), "--minutes", str(minutes), "--way", name]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    said = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(f"{name}: failed")
    whole_s = time.perf_counter() - began
    return {"whole_s": whole_s, "peak_mib": usage.ru_maxrss / 1024, **json.loads(said.splitlines()[-1])}


def by_graph(folder: Path, _: float, executor: str = "") -> dict[str, Any]:
    """The replay as `run.py --replay` makes it."""
    with TemporaryDirectory() as out:
        session = Session(GraphFile.read(MAIN), Choices(replay=folder, executor=executor), Path(out) / "run")
        return {**conducted(session), "captured_s": captured_s(session)}


def from_memory(folder: Path, minutes: float) -> dict[str, Any]:
    """The same graph on a loop held in memory as it was recorded, without the disk."""
    rounds = int(minutes * 60 / LOOP_S)
    with TemporaryDirectory() as out:
        session = Session(GraphFile.read(MAIN), Choices(replay=folder), Path(out) / "run")
        session.graph = Graph([_looped(node, rounds) for node in session.graph.nodes])
        ran = conducted(session)
    return {**ran, "captured_s": rounds * LOOP_S}


def _looped(node: Node, rounds: int) -> Node:
    source = node.stage
    if not isinstance(source, Source):
        return node
    return replace(node, stage=Looped(source.camera_id, source.site, of=source, rounds=rounds))


@dataclass
class Memory:
    """What all processes of a run hold, a page that several share counted once; looked at all the time."""

    of: Session
    marks: list[tuple[float, int]] = field(default_factory=list)  # every 30 s of capture: seconds, bytes
    peak: int = 0
    _ended: Event = field(default_factory=Event)

    def __enter__(self) -> Memory:
        Thread(target=self._look, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()

    def _look(self) -> None:
        run = self.of.run
        while not self._ended.wait(0.1):
            now_s, held = (run.now_ns - run.began_ns) / 1e9, held_bytes()
            self.peak = max(self.peak, held)
            if run.frames and now_s // 30 >= len(self.marks):
                self.marks.append((now_s, held))


def held_bytes() -> int:
    """Of this process and those that it has begun."""
    me = os.getpid()
    children = Path(f"/proc/{me}/task/{me}/children").read_text().split()
    total = 0
    for process in (me, *children):
        with suppress(OSError):  # it has just ended
            lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
            total += next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
    return total << 10


def conducted(session: Session) -> dict[str, Any]:
    """One run, and the time of its nodes and of its log."""
    logs = {name: Timed(log) for name, log in session._publishers.items()}
    session._publishers = logs  # type: ignore[assignment]
    began = time.perf_counter()
    with Memory(session) as memory:
        status = session.conduct(say=print)
    if status:
        raise SystemExit("the run did not end well")
    seconds = time.perf_counter() - began
    frames = sum(frames_of(session))
    busy = {node.id: session.run.watch.total(node.id).busy_ns / 1e9 for node in session.graph.nodes}
    busy |= {name: log.busy_ns / 1e9 for name, log in logs.items()}
    return {
        "seconds": seconds,
        "frames": frames,
        "busy_s": busy,
        "cpu_s": sum(os.times()[:4]),
        "peak_mib": memory.peak / 2**20,
        "marks": memory.marks,
    }


def captured_s(session: Session) -> float:
    """How long the recordings last: frames at the rate they were taken at."""
    return max(frames_of(session)) / float(CROWD["fps"])


def frames_of(session: Session) -> list[int]:
    """How many each camera gave."""
    sources = {node.id for node in session.graph.sources}
    return [row.received for row in session.ledger() if row.node in sources]


def by_sdk(folder: Path, _: float) -> dict[str, Any]:
    """Every file through the SDK at once, decoded and dropped."""
    from stages.source._sdk import Playback

    counts: list[int] = []

    def play(path: Path) -> None:
        playback = Playback(path)
        playback.open()
        counts.append(sum(1 for shot in playback.shots() if shot.stream == "depth"))
        playback.close()

    threads = [Thread(target=play, args=(path,)) for path in sorted(folder.glob("*.db3"))]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - began
    return {"seconds": seconds, "frames": sum(counts), "captured_s": max(counts) / float(CROWD["fps"])}


WAYS = {
    SDK: by_sdk,
    OWN: by_graph,
    WITHIN: by_graph,
    THREADS: partial(by_graph, executor="threads"),
    MEMORY: from_memory,
}


def speeds(took: dict[str, list[dict[str, Any]]]) -> Table:
    """Each way as a multiple of real time."""
    table = Table("way", "x real time", "of the SDK's", "peak memory, MiB", title="Replay")
    sdk = median(one["captured_s"] / one["seconds"] for one in took[SDK])
    for name, results in took.items():
        clock = "whole_s" if name == OWN else "seconds"
        times = median(one["captured_s"] / one[clock] for one in results)
        peak = median(one["peak_mib"] for one in results)
        table.add_row(name, f"{times:.2f}", f"{times / sdk:.2f}", f"{peak:.0f}")
    return table


def shares(run: dict[str, Any]) -> Table:
    """Where the time goes, by the clock: of all processes, which wait for a core in it too."""
    table = Table("node", "ms a frame", "share", title="Where the time goes")
    busy, frames = run["busy_s"], run["frames"]
    rows = {name: seconds for name, seconds in busy.items() if seconds}
    for name, seconds in sorted(rows.items(), key=lambda row: -row[1]):
        table.add_row(name, f"{1e3 * seconds / frames:.3f}", f"{seconds / sum(rows.values()):.1%}")
    table.add_row("processor, of all cores", f"{1e3 * run['cpu_s'] / frames:.3f}", "")
    return table


if __name__ == "__main__":
    main()
