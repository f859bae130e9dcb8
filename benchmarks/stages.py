"""Where the time of a replay goes, and what detector and tracker take alone: python benchmarks/stages.py [FOLDER]

Without a FOLDER of recordings it records one, as replay.py does. Times are those of the processor, of a graph
in one thread, as each process of a replay runs its cameras.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from itertools import islice
from os import getloadavg
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from threading import Lock, local
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
from replay import recorded, said_of  # noqa: E402

from calibration.camera import Intrinsics, View  # noqa: E402
from engines.overhead_depth import OverheadDepth  # noqa: E402
from pipeline import _png  # noqa: E402
from pipeline._store_writer import Writer  # noqa: E402
from pipeline.choices import Choices  # noqa: E402
from pipeline.graphfile import GraphFile  # noqa: E402
from pipeline.messages import Detections, Frame  # noqa: E402
from pipeline.publish.log import Log  # noqa: E402
from pipeline.report import Report  # noqa: E402
from pipeline.session import Session  # noqa: E402
from pipeline.watch import Tally, Watch  # noqa: E402
from stages.detect import Detect  # noqa: E402
from stages.floor import Floor  # noqa: E402
from stages.source.recording import Recording  # noqa: E402
from stages.track.floor import Floor as Track  # noqa: E402

MAIN = ROOT / "configs" / "topview_rgbd.yaml"
ROUNDS = 3
SETTLED, TIMED = 60, 200  # frames: after so many the floor is known; so many are then timed
CROWD, FRAMES = 20, 600  # people before the tracker, and for how many frames
RGB = 2  # the type of colour in a PNG's header
REST = "order, hand-over, everything else"


class Clock:
    """Processor time by part, whatever thread it runs in; a part within a part is not the outer one's."""

    def __init__(self) -> None:
        self.spent_ns: Counter[str] = Counter()
        self._here, self._lock = local(), Lock()

    @contextmanager
    def on(self, part: str) -> Iterator[None]:
        outer = getattr(self._here, "part", "")
        self._turn_to(part)
        try:
            yield
        finally:
            self._turn_to(outer)

    def _turn_to(self, part: str) -> None:
        now_ns, before = time.thread_time_ns(), getattr(self._here, "part", "")
        if before:
            with self._lock:
                self.spent_ns[before] += now_ns - self._here.since_ns
        self._here.part, self._here.since_ns = part, now_ns


CLOCK = Clock()


@dataclass
class Clocked(Tally):
    """A tally that puts the work of its node on the clock."""

    part: str = field(default="", kw_only=True)

    @contextmanager
    def timed(self) -> Iterator[None]:
        with CLOCK.on(self.part):
            yield


class ClockedWatch(Watch):
    """A watch whose tallies do."""

    def tally(self, node_id: str) -> Tally:
        made = Clocked(part=node_id)
        self._tallies.setdefault(node_id, []).append(made)
        return made


def main(given: Sequence[str]) -> None:
    """Print the tables."""
    with TemporaryDirectory() as made:
        folder = Path(given[0]) if given else recorded(Path(made) / "site")
        print(f"{said_of(folder)}; load before: {getloadavg()[0]:.1f}\n")
        with _on_the_clock():
            replayed(folder)  # the first one loads compiled code
            runs = [replayed(folder) for _ in range(ROUNDS)]
        print(_shares(runs))
        print(_alone({**detector_ms(folder), "tracker, 20 people": tracker_ms()}))


def replayed(folder: Path) -> dict[str, float]:
    """Milliseconds a frame of each part, of one replay of the whole graph."""
    with TemporaryDirectory() as out:
        session = Session(GraphFile.read(MAIN), Choices(replay=folder, executor="inline"), Path(out) / "run")
        session.run.watch = ClockedWatch()
        CLOCK.spent_ns.clear()
        began_s = time.process_time()
        if session.conduct(say=print):
            raise SystemExit("the run did not end well")
        cpu_s = time.process_time() - began_s
    cameras = {node.id for node in session.graph.sources}
    frames = sum(row.received for row in session.ledger() if row.node in cameras)
    parts = {part: spent / 1e6 / frames for part, spent in CLOCK.spent_ns.items()}
    return {**parts, REST: 1e3 * cpu_s / frames - sum(parts.values())}


@contextmanager
def _on_the_clock() -> Iterator[None]:
    """What is no node's, or is to be told apart from the rest of its node, goes on the clock too."""
    decode, produce = _png.decode_png, Recording.produce
    send, commit, add = Log.send, Writer.commit, Report.add
    _png.decode_png = _decoding(decode)
    Recording.produce = _reading(produce)  # type: ignore[method-assign]
    Log.send = _timed("log", send)  # type: ignore[method-assign]
    Writer.commit = _timed("store", commit)  # type: ignore[method-assign]
    Report.add = _timed("report", add)  # type: ignore[method-assign]
    try:
        yield
    finally:
        _png.decode_png, Recording.produce = decode, produce  # type: ignore[method-assign]
        Log.send, Writer.commit, Report.add = send, commit, add  # type: ignore[method-assign]


def _decoding(decode: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    def timed(png: bytes) -> Any:
        with CLOCK.on("decode colour" if png[25] == RGB else "decode depth"):
            return decode(png)

    return timed


def _reading(produce: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
    @wraps(produce)  # its annotations are the ports of the source
    def timed(*given: Any) -> Iterator[Any]:
        messages = produce(*given)
        while True:
            with CLOCK.on("read"):
                message = next(messages, None)
            if message is None:
                return
            yield message

    return timed


def _timed(part: str, call: Callable[..., Any]) -> Callable[..., Any]:
    def timed(*given: Any) -> Any:
        with CLOCK.on(part):
            return call(*given)

    return timed


def detector_ms(folder: Path) -> dict[str, float]:
    """What the detector takes of each camera's frames that show three people or more."""
    file, times = GraphFile.read(MAIN), dict[str, float]()
    for camera_id in file.cameras:
        source = Recording(camera_id, file.site, path=str(folder / f"{camera_id}.db3"))
        source.open()
        floor, taken = Floor(), list[float]()
        stage = Detect(_Timed(OverheadDepth(), taken))
        seen = (frame for frame in source.produce(0) if isinstance(frame, Frame))
        placed = (it for frame in seen for it in floor.process(frame) if isinstance(it, Frame))
        found = [next(iter(stage.process(frame))) for frame in islice(placed, SETTLED + TIMED)]
        source.close()
        several = [
            ms for ms, people in zip(taken[SETTLED:], found[-TIMED:], strict=False) if len(people) >= 3
        ]
        if several:
            mean = np.mean([len(people) for people in found[-TIMED:] if len(people) >= 3])
            times[f"detector, {camera_id}, {mean:.1f} people"] = median(several)
    return times


@dataclass
class _Timed:
    """An engine, and the milliseconds of each call."""

    of: Callable[..., Any]
    taken: list[float]

    def __call__(self, *given: Any) -> Any:
        began_ns = time.thread_time_ns()
        result = self.of(*given)
        self.taken.append((time.thread_time_ns() - began_ns) / 1e6)
        return result


def tracker_ms() -> float:
    """What the tracker takes for a frame of people who walk about on circles of their own."""
    track, view, taken = Track(), View(Intrinsics(640, 480, 390.0, 390.0, 320.0, 240.0)), list[float]()
    middles = 1.5 * np.stack(np.divmod(np.arange(CROWD), 5), axis=1)
    ones, boxes = np.ones(CROWD, np.float32), np.tile(np.float32([100, 100, 160, 160]), (CROWD, 1))
    noise = np.random.default_rng(0)
    for index in range(FRAMES):
        angles = 1.2 * index / 30 + np.arange(CROWD)
        ways = middles + 0.6 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        floor_m = (ways + noise.normal(0, 0.03, ways.shape)).astype(np.float32)
        frame = Frame("flat", index, index * 33_333_333, view)
        seen = Detections(frame, boxes, ones, floor_m, 1.7 * ones)
        began_ns = time.thread_time_ns()
        track.update(seen)
        taken.append((time.thread_time_ns() - began_ns) / 1e6)
    return median(taken)


def _shares(runs: Sequence[dict[str, float]]) -> str:
    """Medians of the runs, largest first."""
    times = {part: median(run.get(part, 0.0) for run in runs) for part in runs[0]}
    whole = sum(times.values())
    largest = sorted(times.items(), key=lambda row: -row[1])
    rows = [(part, f"{ms:.3f}", f"{ms / whole:.1%}") for part, ms in largest]
    return markdown(("part", "CPU ms a frame", "share"), [*rows, ("together", f"{whole:.3f}", "")])


def _alone(times: dict[str, float]) -> str:
    return markdown(
        ("alone, on one core", "CPU ms a frame"), [(name, f"{ms:.3f}") for name, ms in times.items()]
    )


def markdown(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table that documents can hold as it is."""
    lines = [headers, ["---"] * len(headers), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


if __name__ == "__main__":
    main(sys.argv[1:])
