"""Live cameras: one that is silent holds up nobody, one that floods is dropped from by count, Ctrl-C lets the rest
through; and the ledger balances.
"""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

import pytest
import toys

from configs.build import ConfigError
from pipeline.admission import Admission
from pipeline.executors import inline, threads
from pipeline.graph import Graph, Node
from pipeline.messages import Detections, Frame, Heartbeat, Reset, SystemEvent, Tracks
from pipeline.run import Run, ignore
from pipeline.stage import Stage
from pipeline.watch import unbalanced


@dataclass
class Live(toys.Painted):
    """A camera that gives a frame every `every_s` of real time, after `quiet_s` of nothing."""

    live: ClassVar[bool] = True
    every_s: float = 0.01
    quiet_s: float = 0.0
    stopped: ClassVar[threading.Event] = threading.Event()

    def produce(self, from_ns: int) -> Iterator[Frame | Heartbeat | SystemEvent | Reset]:
        self.stopped.wait(self.quiet_s)
        for made in super().produce(from_ns):
            if self.stopped.is_set():
                return
            time.sleep(self.every_s)
            yield replace(made, captured_ns=time.monotonic_ns())


@dataclass
class Slow(Stage[Frame, Detections]):
    """A detector that takes its time."""

    seconds: float = 0.02

    def process(self, frame: Frame) -> Iterator[Detections]:
        time.sleep(self.seconds)
        yield from toys.Detect().process(frame)


class Ends(Stage[Tracks, SystemEvent]):
    def process(self, tracks: Tracks) -> Iterator[SystemEvent]:
        yield SystemEvent("source_up", tracks.camera_id, tracks.frame.captured_ns)


@pytest.fixture(autouse=True)
def _running():
    Live.stopped.clear()
    yield
    Live.stopped.set()


def graph(*cameras, seconds=0.0):
    ids = tuple(camera.id for camera in cameras)
    nodes = [
        Node("detect", Slow(seconds), ids),
        Node("track", toys.Track(), ("detect",)),
        Node("end", Ends(), ("track",)),
    ]
    return Graph([*cameras, *nodes])


def camera(id, admission=None, **given):
    return replace(toys.camera(id, Live, **given), admission=admission or Admission(wait_ms=60.0))


def test_a_silent_camera_holds_up_nobody():
    came, quiet = [], camera("quiet", quiet_s=30.0)
    watched = graph(camera("east", frames=40), quiet)
    run = Run(lambda event: came.append((event.camera_id, time.monotonic_ns() - event.captured_ns)))
    threading.Timer(1.0, run.finish).start()
    threads.run(watched, run)
    assert [id for id, _ in came] == ["east"] * 40
    waits_s = [wait / 1e9 for _, wait in came[5:]]
    assert sorted(waits_s)[len(waits_s) // 2] < 0.4
    assert unbalanced(run.watch.ledger(watched), watched) == []


def test_a_flood_is_dropped_from_at_one_place_and_the_ledger_balances():
    said = []
    tight = Admission(max_in_flight=2, max_queued=2, wait_ms=60.0)
    flooded = graph(camera("east", tight, frames=80, every_s=0.003), seconds=0.02)
    run = Run(said.append)
    threads.run(flooded, run)
    rows = {row.node: row for row in run.watch.ledger(flooded)}
    assert rows["east"].received == 80
    assert rows["east"].dropped["queue_full"] > 20
    assert rows["detect"].received == rows["track"].processed == rows["east"].processed
    assert unbalanced(list(rows.values()), flooded) == []
    gaps = [event for event in said if event.kind == "gap"]
    assert sum(gap.dropped for gap in gaps) == 80 - rows["east"].processed


def test_when_asked_to_finish_what_is_in_flight_comes_through():
    came = []
    running = graph(camera("east", frames=10_000))
    run = Run(came.append)
    threading.Timer(0.5, run.finish).start()
    threads.run(running, run)
    rows = run.watch.ledger(running)
    assert 0 < len(came) < 200
    assert unbalanced(rows, running) == []
    assert len(came) == rows[0].processed


def test_a_live_camera_is_refused_inline():
    with pytest.raises(ConfigError, match="east: a live camera cannot run inline; use --executor threads"):
        inline.run(graph(camera("east")), Run(ignore))


class Loses(Stage[Frame, Frame]):
    """Drops without a word, as no stage may."""

    def process(self, frame: Frame) -> Iterator[Frame]:
        if frame.index % 5:
            yield frame


def test_a_stage_that_loses_a_frame_is_found_out():
    nodes = [Node("loses", Loses(), ("east",)), Node("detect", Slow(0.0), ("loses",))]
    losing = Graph([toys.camera("east", frames=10), *nodes, Node("track", toys.Track(), ("detect",))])
    run = Run(ignore)
    inline.run(losing, run)
    assert unbalanced(run.watch.ledger(losing), losing) == ["loses: east: received 10 frames, accounts for 8"]


def test_replay_at_a_speed_takes_its_time_and_drops_nothing():
    paced = graph(toys.camera("east", frames=11, fps=20.0), toys.camera("west", frames=11, fps=20.0))
    began, run = time.monotonic(), Run(ignore, speed=2.0)
    threads.run(paced, run)
    assert 0.2 < time.monotonic() - began < 2.0
    assert [row.processed for row in run.watch.ledger(paced)] == [11] * 8
    total = run.watch.total("detect")
    assert total.messages == 22
    assert total.busy_ns > 0
