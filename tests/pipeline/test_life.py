"""A stage is opened where it runs, always finished and always closed; a source that blocks can be stopped."""

import os
import signal
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import pytest
import toys
from builders import IDENTITY_EVENT

from pipeline.executors import inline, threads
from pipeline.graph import Graph, Node
from pipeline.instances import StageError
from pipeline.messages import Frame, Heartbeat, IdentityEvent, Reset, SystemEvent
from pipeline.run import Run, ignore
from pipeline.stage import Memory, Stage

Produced = Frame | Heartbeat | SystemEvent | Reset
HAPPENED: list[str] = []  # what the stages in this process did


RUNS = pytest.mark.parametrize("run", [inline.run, threads.run], ids=["inline", "threads"])


@dataclass
class Tells(Stage[Frame, IdentityEvent]):
    """Fails in the method that is named, and tells what was called."""

    memory = Memory.CAMERA
    fails_in: str = ""
    _lock: object = field(default=None, init=False)  # cannot be copied

    def _tell(self, method: str) -> None:
        HAPPENED.append(method)
        if method == self.fails_in:
            raise RuntimeError(f"no {method}")

    def open(self) -> None:
        self._lock = threading.Lock()
        self._tell("open")

    def process(self, frame: Frame) -> Iterable[IdentityEvent]:
        self._tell("process")
        return ()

    def finish(self) -> Iterator[IdentityEvent]:
        self._tell("finish")
        yield IDENTITY_EVENT

    def close(self) -> None:
        self._tell("close")


class TellsOfAll(Tells):
    memory = Memory.SITE


@dataclass
class Fails(toys.Painted):
    method: str = "produce"

    def open(self) -> None:
        if self.method == "open":
            raise OSError("no such camera")

    def produce(self, from_ns: int) -> Iterator[Produced]:
        yield from super().produce(from_ns)
        if self.method == "produce":
            raise OSError("cable pulled")

    def close(self) -> None:
        if self.method == "close":
            raise OSError("still busy")


class Blocks(toys.Painted):
    def produce(self, from_ns: int) -> Iterator[Produced]:
        yield from super().produce(from_ns)
        time.sleep(60)

    def close(self) -> None:
        HAPPENED.append("close")


def tells(stage, frames=2):
    cameras = [toys.camera("east", frames=frames), toys.camera("west", frames=frames)]
    return Graph([*cameras, Node("tells", stage, ("east", "west"))])


@pytest.fixture(autouse=True)
def _nothing_happened():
    HAPPENED.clear()


@RUNS
def test_opens_and_closes_an_instance_per_camera(run):
    out = []
    run(tells(Tells()), Run(out.append))
    assert [HAPPENED.count(m) for m in ("open", "process", "finish", "close")] == [2, 4, 2, 2]
    assert out == [IDENTITY_EVENT, IDENTITY_EVENT]


@RUNS
def test_finishes_although_no_message_came(run):
    out = []
    run(tells(TellsOfAll(), frames=0), Run(out.append))
    assert out == [IDENTITY_EVENT]


@RUNS
@pytest.mark.parametrize("method", ["open", "process", "finish", "close"])
def test_closes_after_a_failure(run, method):
    with pytest.raises(StageError, match=rf"tells: RuntimeError\('no {method}'\)"):
        run(tells(Tells(fails_in=method)), Run(ignore))
    assert HAPPENED.count("open") == HAPPENED.count("close") > 0


@RUNS
@pytest.mark.parametrize(
    ("method", "message"),
    [
        ("open", r"cams: OSError\('no such camera'\), while opening"),
        ("produce", r"cams: OSError\('cable pulled'\), while producing"),
        ("close", r"cams: OSError\('still busy'\), while closing"),
    ],
)
def test_names_a_source_that_fails(run, method, message):
    graph = Graph([toys.camera("cams", Fails, method=method, frames=2), Node("tells", Tells(), ("cams",))])
    with pytest.raises(StageError, match=message):
        run(graph, Run(ignore))


@pytest.fixture
def ctrl_c():
    """Ctrl-C as at a terminal: what is started in the background ignores it from birth."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@RUNS
def test_ctrl_c_ends_a_source_that_blocks(run, ctrl_c):
    graph = Graph([toys.camera("cams", Blocks, frames=1), Node("tells", Tells(), ("cams",))])
    began = time.monotonic()
    threading.Timer(3.0, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        run(graph, Run(ignore))
    assert time.monotonic() - began < 10


@RUNS
def test_who_is_in_view_when_a_camera_ends_is_not_held_until_the_others_end(run):
    cameras = [toys.camera("east", frames=4), toys.camera("west", frames=100)]
    ids = ("east", "west")
    nodes = [Node("detect", toys.Detect(), ids), Node("track", toys.Track(), ("detect",))]
    nodes += [
        Node("tracklets", toys.Collect(length=1000), ("track",)),
        Node("embed", toys.Embed(), ("tracklets",)),
    ]
    came = []
    told = Run(lambda event: came.append((event.camera_id, told.frames)))
    run(Graph([*cameras, *nodes, Node("match", toys.Match(), ("embed",))]), told)
    assert {camera for camera, _ in came} == {"east", "west"}
    assert [frames for camera, frames in came if camera == "east"] == [7, 7]  # west has given three


@dataclass
class TellsLess(Tells):
    def process(self, frame: Frame) -> Iterable[IdentityEvent]:
        self._tell(f"{frame.camera_id} {frame.index}")
        return ()


@RUNS
def test_of_each_source_only_the_seconds_asked_for_are_read_and_the_run_is_at_its_end(run):
    """The cameras begin 200 ms apart; of 25 frames a second, 0.12 s are three."""
    cameras = [toys.camera("east"), toys.camera("west", lag_ms=200.0, jump_at=3)]
    out = []
    asked = Run(out.append, seconds=0.12)
    run(Graph([*cameras, Node("tells", TellsLess(), ("east", "west"))]), asked)
    told = sorted(one for one in HAPPENED if " " in one)
    assert told == ["east 0", "east 1", "east 2", "west 0", "west 1", "west 2"]
    assert out == [IDENTITY_EVENT, IDENTITY_EVENT]  # of finish, and nothing of a jump after the end
    assert not asked.is_finishing


class Refuses(toys.Painted):
    def produce(self, from_ns: int) -> Iterator[Produced]:
        raise OSError("wrong password")


@RUNS
def test_names_a_source_that_fails_before_its_first_message(run):
    graph = Graph([toys.camera("cams", Refuses), Node("tells", Tells(), ("cams",))])
    with pytest.raises(StageError, match=r"cams: OSError\('wrong password'\), while producing"):
        run(graph, Run(ignore))


class GoesBackInTime(toys.Painted):
    def produce(self, from_ns: int) -> Iterator[Produced]:
        yield from reversed(list(super().produce(from_ns)))


def test_refuses_a_source_that_goes_back_in_time():
    graph = Graph([toys.camera("cams", GoesBackInTime, frames=2), Node("tells", Tells(), ("cams",))])
    with pytest.raises(StageError, match="cams: gave .* after .*; a source gives what it captured in order"):
        inline.run(graph, Run(ignore))
