"""Runs each shard in a thread of this process, joined by bounded channels; frames go by reference."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial

from pipeline.admission import Gate
from pipeline.executors.channels import Inlet, Outlet, ThreadChannel
from pipeline.executors.reading import POLL_S, StoppedError, arriving, put, read
from pipeline.graph import Graph
from pipeline.order import Step
from pipeline.placement import LOG, Edge, Placement, Shard, taken
from pipeline.run import Run
from pipeline.worker import deliver, work

SIZE = 8  # steps in a channel
# a worker that has not ended this long after the last step, a failure or a second Ctrl-C is left behind
GRACE_S, FAILED_S, HASTY_S = 10.0, 1.0, 0.3


@dataclass
class Links:
    """What joins the threads of one run, or of that part of it that this process has."""

    run: Run
    placement: Placement
    inlets: Mapping[tuple[str, str], Inlet]  # by writer and reader, where the reader is here
    outlets: Mapping[tuple[str, str], Outlet]  # where the writer is
    stop: threading.Event = field(default_factory=threading.Event)
    go: threading.Event = field(default_factory=threading.Event)  # everything is open
    opened: queue.SimpleQueue[str] = field(default_factory=queue.SimpleQueue)
    failures: queue.SimpleQueue[Exception] = field(default_factory=queue.SimpleQueue)
    look: Callable[[], None] = lambda: None  # for what else may go wrong

    def check(self) -> None:
        """Raise what a worker has failed with."""
        self.look()
        try:
            raise self.failures.get_nowait()
        except queue.Empty:
            return


def run(graph: Graph, run: Run, size: int = SIZE) -> None:
    """Run to the end, or until a stage fails. A full channel makes its writer wait."""
    placement = Placement(graph)
    room = size + graph.held_in_batches
    channels = {edge: ThreadChannel(room) for edge in placement.edges}
    links = Links(run, placement, channels, channels)
    run.watch.fills = lambda: {edge: (one.fill, one.size) for edge, one in channels.items()}
    with working(links, placement.shards.values()) as threads:
        wait_until_opened(len(threads), links)
        run.opened()
        links.go.set()
        stream = partial(watched, links)
        deliver(taken(placement.reads[LOG], stream), run)
        wait_until_ended(threads, links)  # after the last step there is only closing left to fail


@contextmanager
def working(links: Links, shards: Collection[Shard]) -> Iterator[list[threading.Thread]]:
    """While inside, each of the shards is in a thread; an error ends them all."""
    run = links.run
    for node in {shard.node.id: shard.node for shard in shards}.values():
        if node.is_live:
            run.gates[node.camera_id] = Gate(node.camera_id, node.admission, run.clocks)
    threads = [
        threading.Thread(target=_work, args=(shard, links), name=shard.name, daemon=True) for shard in shards
    ]
    try:
        for thread in threads:
            thread.start()
        yield threads
    except BaseException as error:
        links.stop.set()
        wait_until_ended(threads, links, HASTY_S if isinstance(error, KeyboardInterrupt) else FAILED_S)
        raise


def _work(shard: Shard, links: Links) -> None:
    """What a thread does: one worker between its channels."""
    name, placement = shard.name, links.placement
    inlets: dict[str, Inlet] = {w: links.inlets[w, r] for w, r in links.inlets if r == name}
    outlets: list[tuple[Edge, Outlet]] = [
        (placement.edges[name, reader], links.outlets[name, reader]) for reader in placement.out_of(name)
    ]
    try:
        inputs = taken(placement.reads[name], lambda writer: arriving(inlets[writer], links.stop))
        reading = partial(read, node=shard.node, run=links.run, stop=links.stop)
        with closing(work(shard, links.run, inputs, reading)) as steps:
            next(steps)
            links.opened.put(name)
            _wait_for(links.go, links.stop)
            for step in steps:
                for edge, outlet in outlets:
                    put(outlet, edge.part(step), links.stop)
    except StoppedError:
        pass
    except Exception as error:
        links.failures.put(error)


def _wait_for(go: threading.Event, stop: threading.Event) -> None:
    while not go.wait(POLL_S):
        if stop.is_set():
            raise StoppedError


def wait_until_opened(workers: int, links: Links) -> None:
    """Return when so many have said that they are open."""
    for _ in range(workers):
        while True:
            links.check()
            try:
                links.opened.get(timeout=POLL_S)
                break
            except queue.Empty:
                continue


def watched(links: Links, writer: str) -> Iterator[Step]:
    """What arrives at the log from one writer; raises what any worker fails with."""
    inlet = links.inlets[writer, LOG]
    while True:
        try:
            yield inlet.get(POLL_S)
        except queue.Empty:
            links.check()


def wait_until_ended(threads: list[threading.Thread], links: Links, limit_s: float = GRACE_S) -> None:
    """Return when all have, or after a while."""
    until = time.monotonic() + limit_s
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    if not links.stop.is_set():
        links.check()
