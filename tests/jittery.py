"""A graph in which every stage sleeps as it likes; its log must not care. Run it: python jittery.py threads"""

import hashlib
import os
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import toys

from pipeline.executors import inline, processes, threads
from pipeline.graph import Graph, Node
from pipeline.messages import Detections, Frame, Heartbeat, Reset, SystemEvent
from pipeline.run import Run
from pipeline.stage import Stage
from stages.sync import Sync


def doze():
    if not os.environ.get("AWAKE"):
        time.sleep(random.choice((0, 0, 0.001, 0.002)))


class Dozing:
    def process_many(self, messages):
        doze()
        return super().process_many(messages)


class Camera(toys.Beating):
    def produce(self, from_ns: int) -> Iterator[Frame | Heartbeat | SystemEvent | Reset]:
        for message in super().produce(from_ns):
            doze()
            yield message


@dataclass
class Some(Dozing, Stage[Detections, Detections]):
    """Lets through one frame in `every`."""

    every: int = 1

    def process(self, detections: Detections) -> Iterator[Detections]:
        if detections.frame.index % self.every == 0:
            yield detections


class Groups(Dozing, Sync):
    pass


class Detect(Dozing, toys.Detect):
    pass


class Track(Dozing, toys.Track):
    pass


class Collect(Dozing, toys.Collect):
    pass


class Embed(Dozing, toys.Embed):
    pass


class Match(Dozing, toys.Match):
    pass


def graph(shards=2, frames=24, together=True):
    """Four cameras, of which two end early and one has a clock that jumps; a diamond that drops half. Brings frames of
    one moment together, or only what the tracklets look like.
    """
    cameras = ("south", "north", "west", "east")
    short = {"frames": frames // 2, "fps": 30.0}
    return Graph(
        [
            toys.camera("east", Camera, frames=frames),
            toys.camera("west", Camera, frames=frames, lag_ms=4.0, jump_at=9),
            toys.camera("north", Camera, **short),
            toys.camera("south", Camera, **short),
            *([Node("sync", Groups(window_ms=15.0), cameras)] if together else []),
            Node("detect", Detect(), ("sync",) if together else cameras),
            Node("all", Some(), ("detect",), shards),
            Node("half", Some(every=2), ("detect",)),
            Node("track", Track(), ("half", "all"), shards),
            Node("tracklets", Collect(), ("track",), 2 * shards - 1),
            Node("embed", Embed(), ("tracklets",), shards),
            Node("match", Match(), ("embed",)),
        ]
    )


RUNS = {"inline": inline.run, "threads": threads.run, "tight": partial(threads.run, size=1)}
APART = {**RUNS, **{f"{n} processes": partial(processes.run, most=n) for n in (1, 2, 3, 4)}}


def log(name, shards=2, together=True, **given):
    events = []
    APART[name](graph(shards, together=together), Run(events.append, **given))
    return events


def sha256(events):
    return hashlib.sha256("\n".join(map(repr, events)).encode()).hexdigest()


if __name__ == "__main__":
    sys.stdout.write(sha256(log(sys.argv[1])))
