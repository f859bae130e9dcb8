"""Cameras in processes of their own: what they do is as in one, and whatever becomes of a process is said."""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
import toys
from jittery import graph

from configs.build import ConfigError
from pipeline.choices import Choices
from pipeline.executors import inline, processes
from pipeline.graph import Graph, Node
from pipeline.graphfile import GraphFile
from pipeline.instances import StageError
from pipeline.messages import Detections, Frame
from pipeline.run import Run, ignore
from pipeline.session import Session
from pipeline.stage import InputError, Memory, Stage

ROOT = Path(__file__).parents[2]
MAIN = ROOT / "configs" / "topview_rgbd.yaml"


@dataclass
class Seen(Stage[Frame, Detections]):
    """Does in its process what its name says when it is called for the tenth time, or in the method that is named."""

    memory = Memory.CAMERA
    does: str = ""
    method: str = "process"
    left: int = 10

    def _act(self, method):
        if method == self.method:
            self.left -= 1
            if self.left == 0 or method != "process":
                ACTS[self.does]()

    def open(self) -> None:
        self._act("open")

    def process(self, frame: Frame) -> Iterator[Detections]:
        self._act("process")
        yield from toys.Detect().process(frame)

    def finish(self) -> Iterator[Detections]:
        self._act("finish")
        return iter(())

    def close(self) -> None:
        self._act("close")


def fails():
    raise RuntimeError("out of memory")


def refuses():
    raise InputError("east.bag: line 3: not a recording; choose another")


def is_killed():
    os.kill(os.getpid(), signal.SIGKILL)


def warns():
    logging.getLogger("somewhere").warning("the lens of %s is dirty", "east")


ACTS = {
    "fail": fails,
    "refuse": refuses,
    "die": is_killed,
    "warn": warns,
    "hang": lambda: time.sleep(60),
    "nothing": lambda: None,
}


def children():
    """Of this process, zombies too; other tests may have a broker."""
    return {
        id for task in Path("/proc/self/task").iterdir() for id in (task / "children").read_text().split()
    }


def seen(does="nothing", method="process", frames=30):
    cameras = [toys.camera("east", frames=frames), toys.camera("west", frames=frames)]
    return Graph([*cameras, Node("seen", Seen(does=does, method=method), ("east", "west"))])


@pytest.fixture(autouse=True)
def _nobody_stays():
    before = children()
    yield
    assert children() == before


@pytest.mark.parametrize("method", ["open", "process", "finish", "close"])
def test_a_stage_that_fails_in_a_process_is_named(method):
    with pytest.raises(StageError, match=r"^seen: RuntimeError\('out of memory'\)"):
        processes.run(seen("fail", method), Run(ignore))


def test_says_where_in_its_process_a_stage_failed():
    with pytest.raises(StageError) as caught:
        processes.run(seen("fail"), Run(ignore))
    assert "in fails" in "".join(caught.value.__notes__)


class Damaged(toys.Painted):
    def open(self) -> None:
        refuses()


def test_a_mistake_in_the_input_keeps_its_words_and_nothing_is_said_to_be_open():
    said = []
    damaged = Graph(
        [toys.camera("west"), toys.camera("east", Damaged), Node("seen", Seen(), ("west", "east"))]
    )
    with pytest.raises(InputError) as caught:
        processes.run(damaged, Run(ignore, opened=lambda: said.append("opened")), most=2)
    assert str(caught.value) == "east.bag: line 3: not a recording; choose another"
    assert said == []


def test_a_process_that_is_killed_is_missed_at_once():
    began_s = time.monotonic()
    with pytest.raises(StageError, match="^(east|west): its process has died; has it been killed"):
        processes.run(seen("die"), Run(ignore), most=2)
    assert time.monotonic() - began_s < 10


@pytest.fixture
def ctrl_c():
    """Ctrl-C as at a terminal: what is started in the background ignores it from birth."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_a_process_that_hangs_is_killed_when_the_run_breaks_off(ctrl_c):
    began_s = time.monotonic()
    threading.Timer(2.0, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        processes.run(seen("hang"), Run(ignore))
    assert time.monotonic() - began_s < 10


def test_what_is_logged_in_a_process_is_logged_here(caplog):
    processes.run(seen("warn"), Run(ignore))
    assert [(one.name, one.levelname, one.getMessage()) for one in caplog.records] == [
        ("somewhere", "WARNING", "the lens of east is dirty")
    ] * 2


def test_counts_what_happens_in_processes():
    ledgers = []
    for executor in (inline, processes):
        apart = graph(together=False)
        run = Run(ignore)
        executor.run(apart, run)
        ledgers.append(run.watch.ledger(apart))
        assert run.watch.total("detect").messages == 72
        assert run.watch.total("detect").busy_ns > 0
    assert ledgers[0] == ledgers[1]
    assert len(ledgers[0]) > 10


def test_asked_to_finish_it_gives_what_was_in_flight():
    apart, came = seen(frames=100_000), []
    run = Run(ignore)
    run.came_out = lambda place: (came.append(place), len(came) == 300 and run.finish())
    processes.run(apart, run)
    rows = run.watch.ledger(apart)
    assert all(row.balances for row in rows)
    given = {row.camera_id: row.processed for row in rows if row.node in ("east", "west")}
    assert 300 <= sum(given.values()) < 150_000
    assert {row.camera_id: row.received for row in rows if row.node == "seen"} == given


def test_what_was_counted_is_told_although_the_run_breaks_off():
    cameras = [toys.camera("east", frames=100_000), toys.camera("west", frames=100_000)]
    apart = Graph([*cameras, Node("seen", Seen(does="fail", left=200), ("east", "west"))])
    run = Run(ignore)
    with suppress(StageError):
        processes.run(apart, run)
    assert run.watch.total("seen").received["east"] > 100


@pytest.mark.parametrize(
    ("why", "given", "speed"),
    [
        ("graph.sync: would get frames from other processes; use --executor threads", graph(), 0.0),
        ("--executor processes goes as fast as it can; leave --speed out, or use threads", seen(), 1.0),
    ],
)
def test_refuses_what_cannot_run_apart(why, given, speed):
    with pytest.raises(ConfigError) as refused:
        processes.run(given, Run(ignore, speed=speed))
    assert str(refused.value) == why


def chosen(tmp_path, **choices):
    return Session(GraphFile.read(MAIN), Choices(**choices), tmp_path / "run").executor


def test_chooses_processes_for_what_can_wait_and_threads_for_the_rest(tmp_path):
    crowd = {"people": 1, "seconds": 1.0, "fps": 10.0, "seed": 1}
    assert chosen(tmp_path) == "threads"  # live
    assert chosen(tmp_path, simulate=crowd, speed=1.0) == "threads"
    assert chosen(tmp_path, simulate=crowd, cameras=("flat",)) == "threads"
    assert chosen(tmp_path, simulate=crowd, executor="inline") == "inline"
    several = len(os.sched_getaffinity(0)) > 1
    assert chosen(tmp_path, simulate=crowd) == ("processes" if several else "threads")


def test_a_live_camera_is_refused(tmp_path):
    live = Session(GraphFile.read(MAIN), Choices(executor="processes"), tmp_path / "run")
    with pytest.raises(
        ConfigError, match="a live camera cannot run in a process of its own; use --executor threads"
    ):
        processes.run(live.graph, live.run)


def test_processes_do_not_outlive_the_one_that_began_them():
    code = (
        "import sys; sys.path[:0] = sys.argv[1:]\n"
        "from pipeline.executors import processes\n"
        "from pipeline.run import Run, ignore\n"
        "from test_processes import seen\n"
        "processes.run(seen(frames=10**9), Run(ignore, opened=lambda: print('open', flush=True)), most=2)\n"
    )
    paths = [str(ROOT), str(ROOT / "tests"), str(Path(__file__).parent)]
    parent = subprocess.Popen([sys.executable, "-c", code, *paths], stdout=subprocess.PIPE, text=True)
    assert parent.stdout.readline() == "open\n"
    children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
    assert len(children) == 2
    parent.kill()
    parent.communicate()
    until_s = time.monotonic() + 10
    while any(Path(f"/proc/{child}").exists() for child in children):
        assert time.monotonic() < until_s
        time.sleep(0.05)
