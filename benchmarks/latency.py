"""How soon another process hears what a frame shows, of four cameras in real time:

python benchmarks/latency.py [FOLDER] [--fps N]

Without a FOLDER of recordings it records one. It is replayed at --speed 1 into Kafka, which it starts itself, and over
ZeroMQ; another process hears both. A frame arrives when it is due: what the graph lags behind counts. Events that say
where somebody was last are left out: they come when that has been over for a second.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "clients" / "python")]

import numpy as np  # noqa: E402
from broker import Broker, free_ports  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402
from sightline_client import subscribe  # noqa: E402

from pipeline._store_writer import Batch, Writer  # noqa: E402
from pipeline.choices import Choices  # noqa: E402
from pipeline.graphfile import GraphFile  # noqa: E402
from pipeline.session import Session  # noqa: E402

MAIN = ROOT / "configs" / "topview_rgbd.yaml"
KINDS = ("opened", "updated", "appeared", "observed", "reappeared")  # of the frame at whose time they are
OUT, COMMITTED = "out of the graph", "on the disk"
COMES_S, ENDS_S = 2.0, 3.0  # until those who hear are connected, and have heard the last
ROUNDS = 3
WARM_NS = 2_000_000_000  # in the beginning, when much runs for the first time
Times = dict[tuple[str, str, int], int]  # by kind, tracklet, capture time


def main() -> None:
    """Replay some times, and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--fps", type=int, default=30)
    parser.add_argument("--hears", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.hears:
        hear(given.hears)
        return
    with TemporaryDirectory() as made:
        folder = given.folder or recorded(Path(made) / "site", given.fps)
        broker = Broker(Path(made) / "kafka")
        broker.start()
        try:
            given_in = [Path(made) / f"round {number}" for number in range(ROUNDS)]
            rounds = [measured(one, folder, broker.servers) for one in given_in]
            Console(width=110, highlight=False).print(table(rounds))
        finally:
            broker.stop()
    print(f"load of the machine meanwhile: {os.getloadavg()[0]:.1f} (1 minute)")


def recorded(folder: Path, fps: int) -> Path:
    """Four cameras, ten seconds."""
    crowd = ("--people", "12", "--seconds", "10", "--fps", str(fps))
    command = [sys.executable, "run.py", "simulate", "--out", str(folder), *crowd]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return folder


def measured(folder: Path, recordings: Path, servers: str) -> dict[str, list[float]]:
    """One replay in real time, as two other processes hear it."""
    folder.mkdir()
    port = free_ports(1)[0]
    graph = written(folder, servers, port)
    session = Session(GraphFile.read(graph), Choices(replay=recordings, speed=1.0), folder / "run")
    urls = {
        "heard over ZeroMQ": f"zmq://localhost:{port}",
        "heard from Kafka": f"kafka://{servers}/{session.file.site.name}",
    }
    times, opened = marked(session), session.run.opened
    with ExitStack() as hearing:

        def begin() -> None:
            opened()
            for name, url in urls.items():
                hearing.enter_context(another(url, folder / name))
            time.sleep(COMES_S)

        session.run.opened = begin
        if session.conduct(say=print):
            raise SystemExit("the run did not end well")
        time.sleep(ENDS_S)
    times |= {name: heard((folder / name).open()) for name in urls}
    return {name: delays_ms(session, of) for name, of in times.items()}


def written(folder: Path, servers: str, port: int) -> Path:
    """The main graph, with both publishers."""
    (folder / "sites").symlink_to(MAIN.parent / "sites")
    publish = f'  kafka: {{servers: ["{servers}"]}}\n  zmq: {{bind: "tcp://127.0.0.1:{port}"}}\n'
    text = MAIN.read_text().replace("publish:\n", f"publish:\n{publish}")
    (folder / "graph.yaml").write_text(text)
    return folder / "graph.yaml"


def marked(session: Session) -> dict[str, Times]:
    """The times at which events leave the graph, and at which their cut has been written, as they come."""
    times: dict[str, Times] = {OUT: {}, COMMITTED: {}}
    emit, commit = session.store.emit, Writer.commit

    def emitting(event: Any) -> None:
        times[OUT][named(event)] = time.monotonic_ns()
        emit(event)

    def committing(writer: Writer, batch: Batch) -> None:
        commit(writer, batch)
        times[COMMITTED].update(dict.fromkeys(map(named, batch.events), time.monotonic_ns()))

    session.store.emit = emitting  # type: ignore[method-assign]
    Writer.commit = committing  # type: ignore[method-assign]
    return times


def named(event: Any) -> tuple[str, str, int]:
    """What an event is known by here and over there."""
    return getattr(event, "kind", ""), getattr(event, "tracklet_id", ""), event.captured_ns


@contextmanager
def another(url: str, path: Path) -> Iterator[None]:
    """A process that hears, and writes down when."""
    with path.open("w") as file:
        process = subprocess.Popen([sys.executable, __file__, "--hears", url], stdout=file)
        try:
            yield
        finally:
            process.terminate()
            process.wait()


def hear(url: str) -> None:
    """Print each event with the time, until somebody ends it."""
    for event in subscribe(url, families=("identity", "tracklet"), on_gap=print):
        print(json.dumps((*named(event), time.monotonic_ns())), flush=True)


def heard(lines: IO[str]) -> Times:
    """What that process has written."""
    with lines:
        rows = [json.loads(line) for line in lines if line.startswith("[")]
    return {(kind, about, captured_ns): at_ns for kind, about, captured_ns, at_ns in rows}


def delays_ms(session: Session, of: Times) -> list[float]:
    """From when a frame was due to each of the times that its events have."""
    captured_ns, clock_ns = session.run._pace._began or (0, 0)
    return [
        (at_ns - clock_ns - (event_ns - captured_ns)) / 1e6
        for (kind, about, event_ns), at_ns in of.items()
        if kind in KINDS and event_ns - captured_ns > WARM_NS and ("closed", about, event_ns) not in of
    ]


def table(rounds: Sequence[dict[str, list[float]]]) -> Table:
    """All rounds together."""
    made = Table("ms from a frame's arrival, at --speed 1", "events", "median", "p95", "p99", "most")
    for name in rounds[0]:
        ms = [one for delays in rounds for one in delays[name]]
        shown = [f"{value:.0f}" for value in (*np.percentile(ms, [50, 95, 99]), max(ms))]
        made.add_row(name, str(len(ms)), *shown)
    return made


if __name__ == "__main__":
    main()
