"""Runs a graph on several hosts: each has its shards in threads, and steps go between them over ZeroMQ, as bytes.

The first host begins the run, and has the log; the others are told what to run (`serve`). A step from one of them to
another passes through the first.
"""

from __future__ import annotations

import logging
import queue
import time
import traceback
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from pipeline.cuts import Cut
from pipeline.executors._far import CONTROL, FarGate, Part
from pipeline.executors._link import plain, tallies
from pipeline.executors._net import LINGER_S, NEVER, Net
from pipeline.executors._plan import Plan
from pipeline.executors.reading import POLL_S
from pipeline.executors.threads import GRACE_S, wait_until_ended, wait_until_opened, watched, working
from pipeline.graph import Graph
from pipeline.instances import StageError
from pipeline.messages import Command
from pipeline.placement import LOG, taken
from pipeline.run import Run, ignore
from pipeline.stage import InputError
from pipeline.wire import decode, encode
from pipeline.worker import deliver

log = logging.getLogger(__name__)
MISTAKES = {"InputError": InputError, "StageError": StageError}
Plain = Mapping[str, Any]


def run(graph: Graph, run: Run, plan: Plan, job: Plain) -> None:
    """Run to the end, on the first host. The others get the job; what they say of themselves must be what it says
    under `same`.
    """
    plan.check(graph)
    told = [graph.before(node.id) for node in graph.nodes if Command in node.takes]
    if not all(any(plan.host_of(id) == plan.first for id in ids) for ids in told):
        run.commands.withhold()
    hosts = _Hosts(plan)
    net = Net(plan, plan.first, hosts)
    try:
        hosts.gather(net, run, job["same"])
        part = Part(plan, plan.first, graph, run, net)
        part.words = hosts.words
        hosts.begin(part, job)
        hosts.conduct(part)
    except BaseException as error:
        for host in plan.others:
            net.send(host, CONTROL, encode(("stop", str(error) or type(error).__name__)))
        net.close(LINGER_S / 3)
        raise
    net.close()


class _Hosts:
    """The other hosts, seen from the first."""

    def __init__(self, plan: Plan) -> None:
        self.words: queue.SimpleQueue[tuple[str, str, Any]] = queue.SimpleQueue()
        self._plan = plan
        self._said: dict[str, dict[str, Any]] = {host: {} for host in plan.others}

    def heard(self, peer: str, channel: int, data: bytes) -> None:
        kind, said = decode(data)
        self.words.put((peer, kind, said))

    def time_there(self, peer: str, now_ns: int) -> None:
        """Nobody needs it before the run."""

    def time_for(self, peer: str) -> int:
        return NEVER

    def tick(self) -> None:
        """Nothing is due before the run."""

    def gather(self, net: Net, run: Run, same: Plain) -> None:
        """Return when all are there, and would run the same."""
        until_s = time.monotonic() + self._plan.starts_s
        while missing := self._missing("hello"):
            self._listen(POLL_S)
            if run.is_finishing:
                raise KeyboardInterrupt
            if net.failure is not None:
                raise net.failure
            if time.monotonic() > until_s:
                text = f"has not come within {self._plan.starts_s:g} s"
                todo = f"run.py worker --graph GRAPH --placement {self._plan.path.stem} --host {missing[0]}"
                raise InputError(f"{self._plan.path}: host {missing[0]!r} {text}; start it there: {todo}")
        for host, said in self._said.items():
            for name, wanted in same.items():
                if said["hello"].get(name) != wanted:
                    told = f"has another {name} than host {self._plan.first!r}"
                    raise InputError(
                        f"{self._plan.path}: host {host!r} {told}; copy it there, and start both again"
                    )

    def begin(self, part: Part, job: Plain) -> None:
        net = part.net
        net.has_begun = True
        run = part.run
        start = (run.start.at_ns, run.start.states)
        told = {
            **job,
            "start": start,
            "barrier_ns": run.barrier_ns,
            "speed": run.speed,
            "seconds": run.seconds,
        }
        for host in self._plan.others:
            part.tell(host, "job", told)
        for node in part.graph.sources:
            host = self._plan.host_of(node.id)
            if node.is_live and host != self._plan.first:
                run.gates[node.camera_id] = FarGate(node.camera_id, partial(part.tell, host))

    def conduct(self, part: Part) -> None:
        links, run = part.links, part.run
        links.look = partial(self._look, part)
        with working(links, part.shards) as threads:
            wait_until_opened(len(threads), links)
            while self._missing("opened"):
                links.check()
                self._listen(POLL_S)
            run.opened()
            for host in self._plan.others:
                part.tell(host, "go")
            links.go.set()
            deliver(taken(links.placement.reads[LOG], partial(watched, links)), run)
            until_s = time.monotonic() + GRACE_S
            while self._missing("ended") and time.monotonic() < until_s:
                links.check()
                self._listen(POLL_S)
            wait_until_ended(threads, links)
        if missing := self._missing("ended"):
            raise StageError(f"host {missing[0]!r} has not ended {GRACE_S:g} s after its last step")
        for said in self._said.values():
            for id, tally in tallies(said["ended"]).items():
                run.watch.tally(id).add(tally)

    def _look(self, part: Part) -> None:
        self._listen(0.0)
        gone = [host for host in self._plan.others if "ended" not in self._said[host]]
        part.look(gone)

    def _missing(self, kind: str) -> list[str]:
        return [host for host, said in self._said.items() if kind not in said]

    def _listen(self, limit_s: float) -> None:
        """To one word; raises what failed on another host."""
        try:
            host, kind, said = self.words.get(timeout=limit_s) if limit_s else self.words.get_nowait()
        except queue.Empty:
            return
        if kind == "failed":
            mistake, text, trace = said
            error = MISTAKES[mistake](f"host {host}: {text}")
            error.add_note(f"where it ran:\n{trace}")
            raise error
        self._said[host][kind] = said


def serve(
    plan: Plan, host: str, same: Plain, graph_of: Callable[[Plain], Graph], began: Callable[[Run], None]
) -> None:
    """Take part in one run, on another host than the first. `graph_of` makes the graph of a job; `began` is called
    with what can be asked to finish.
    """
    waiting = _Hosts(plan)
    net = Net(plan, host, waiting)
    try:
        net.send(plan.first, CONTROL, encode(("hello", dict(same))))
        job = _job(net, waiting)
        net.has_begun = True
        graph = graph_of(job)
        at_ns, states = job["start"]
        part_run = Run(
            ignore,
            start=Cut(at_ns, states),
            barrier_ns=job["barrier_ns"],
            speed=job["speed"],
            seconds=job["seconds"],
        )
        part = Part(plan, host, graph, part_run, net)
        part.words = waiting.words
        began(part_run)
        _take_part(part)
    except BaseException as error:
        kind = next((name for name, one in MISTAKES.items() if isinstance(error, one)), "StageError")
        trace = "".join(traceback.format_exception(error))
        if not isinstance(error, _EndedError):
            net.send(plan.first, CONTROL, encode(("failed", (kind, str(error) or repr(error), trace))))
        net.close(LINGER_S / 3)
        raise
    net.close()


class _EndedError(StageError):
    """The first host has ended the run."""


def _job(net: Net, waiting: _Hosts) -> Plain:
    """Wait for it, however long that takes."""
    while True:
        if net.failure is not None:
            raise net.failure
        try:
            _, kind, said = waiting.words.get(timeout=POLL_S)
        except queue.Empty:
            continue
        if kind == "job":
            job: Plain = said
            return job
        raise _EndedError(f"the first host has ended the run: {said}")


def _take_part(part: Part) -> None:
    links, first = part.links, part.plan.first
    go = False

    def look() -> None:
        nonlocal go
        part.look([first])
        while not part.words.empty():
            _, kind, said = part.words.get()
            if kind == "stop":
                raise _EndedError(f"the first host has ended the run: {said}")
            go = go or kind == "go"

    links.look = look
    with working(links, part.shards) as threads:
        wait_until_opened(len(threads), links)
        part.tell(first, "opened")
        while not go:
            links.check()
            time.sleep(POLL_S)
        links.go.set()
        while any(thread.is_alive() for thread in threads):
            links.check()
            time.sleep(POLL_S)
        wait_until_ended(threads, links)
    part.tell(first, "ended", plain(part.run.watch.totals))
