"""What one host has of a run that several share: its shards, and ways to those that it reads or that read it."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from pipeline.admission import Admission, Clocks, Gate
from pipeline.executors._net import NEVER, Net
from pipeline.executors._plan import Plan
from pipeline.executors.channels import Inlet, Outlet, ThreadChannel
from pipeline.executors.threads import SIZE, Links
from pipeline.graph import Graph
from pipeline.instances import StageError
from pipeline.placement import LOG, Placement, Shard
from pipeline.run import Run
from pipeline.wire import WireError, decode, encode

CONTROL, TAKEN = 0, 1 << 31  # channels: words; the edges from 1 on; and of each how many steps were taken
ELSEWHERE = "~elsewhere"  # as a camera: the clock of cameras on other hosts


class _Outlet:
    """To a reader on another host, which answers each step it takes: so no more than `size` are on their way."""

    def __init__(self, send: Callable[[bytes], None], size: int) -> None:
        self._send = send
        self.room: queue.SimpleQueue[None] = queue.SimpleQueue()
        for _ in range(size):
            self.room.put(None)

    def put(self, value: Any, timeout: float) -> None:
        try:
            self.room.get(timeout=timeout)
        except queue.Empty:
            raise queue.Full from None
        self._send(encode(value))


class _Inlet:
    """From a writer on another host."""

    def __init__(self, writer: str, answer: Callable[[], None]) -> None:
        self.come: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._writer, self._answer = writer, answer

    def get(self, timeout: float) -> Any:
        data = self.come.get(timeout=timeout)
        self._answer()
        try:
            return decode(data)
        except WireError as error:
            raise StageError(f"{self._writer}: what it sent from another host is {error}") from error


class FarGate(Gate):
    """Where frames of a camera on another host are counted out."""

    def __init__(self, camera_id: str, tell: Callable[[str, Any], None]) -> None:
        super().__init__(camera_id, Admission(), Clocks())
        self._id, self._tell = camera_id, tell

    def left(self) -> None:
        self._tell("left", self._id)


@dataclass
class Part:
    """What one host has of a run: its shards, and its end of the network."""

    plan: Plan
    host: str
    graph: Graph
    run: Run
    net: Net
    words: queue.SimpleQueue[tuple[str, str, Any]] = field(
        default_factory=queue.SimpleQueue
    )  # host, kind, rest
    links: Links = field(init=False)
    is_told: bool = False  # to finish

    def __post_init__(self) -> None:
        placement, size = Placement(self.graph), SIZE + self.graph.held_in_batches
        inlets: dict[tuple[str, str], Inlet] = {}
        outlets: dict[tuple[str, str], Outlet] = {}
        self._ways: dict[int, tuple[str, str]] = {}  # hosts of writer and reader, by the number of an edge
        self._far_inlets: dict[int, _Inlet] = {}
        self._far_outlets: dict[int, _Outlet] = {}
        self._now_ns: dict[str, int] = {}
        for number, edge in enumerate(placement.edges, 1):
            writer, reader = (self.host_of(name) for name in edge)
            self._ways[number] = writer, reader
            if writer == reader == self.host:
                inlets[edge] = outlets[edge] = ThreadChannel(size)
            elif reader == self.host:
                inlets[edge] = self._far_inlets[number] = _Inlet(edge[0], partial(self._answer, number))
            elif writer == self.host:
                outlets[edge] = self._far_outlets[number] = _Outlet(partial(self._send, number), size)
        self.links = Links(self.run, placement, inlets, outlets, look=self.look)
        self.net.listen(self)

    @property
    def shards(self) -> list[Shard]:
        return [s for s in self.links.placement.shards.values() if self.plan.host_of(s.node.id) == self.host]

    def host_of(self, shard: str) -> str:
        """Of a shard's name; the log is on the first host."""
        return self.plan.first if shard == LOG else self.plan.host_of(shard.rpartition(".")[0])

    def tell(self, host: str, kind: str, said: Any = None) -> None:
        self.net.send(host, CONTROL, encode((kind, said)))

    def heard(self, peer: str, channel: int, data: bytes) -> None:
        if channel == CONTROL:
            kind, said = decode(data)
            self._word(peer, kind, said)
            return
        number, is_answer = channel & ~TAKEN, bool(channel & TAKEN)
        to = self._ways[number][0 if is_answer else 1]
        if to != self.host:
            self.net.send(to, channel, data)
        elif is_answer:
            self._far_outlets[number].room.put(None)
        else:
            self._far_inlets[number].come.put(data)

    def time_there(self, peer: str, now_ns: int) -> None:
        if now_ns != NEVER:
            self._now_ns[peer] = now_ns
            if self.host != self.plan.first:
                self.run.clocks.heard(ELSEWHERE, now_ns)

    def time_for(self, peer: str) -> int:
        """How late it is for the slowest camera that this host knows of, but for those of the peer."""
        own = self.run.clocks.earliest_ns([s.node.camera_id for s in self.shards if s.node.is_live])
        known = [ns for host, ns in self._now_ns.items() if host != peer and self.host == self.plan.first]
        return min([*known, *([own] if own is not None else [])], default=NEVER)

    def tick(self) -> None:
        """Whoever is asked to finish tells the others."""
        if self.run.is_finishing and not self.is_told:
            self.is_told = True
            for host in self.plan.others if self.host == self.plan.first else [self.plan.first]:
                self.tell(host, "finish")

    def look(self, peers: Iterable[str] = ()) -> None:
        """Raise what went wrong on the network, or that one of these hosts is gone."""
        if self.net.failure is not None:
            raise StageError(f"the network of host {self.host!r}: {self.net.failure}") from self.net.failure
        for peer in peers:
            if self.net.silent_s(peer) > self.plan.silent_s:
                text = f"has said nothing for {self.plan.silent_s:g} s; is it on, and its network?"
                raise StageError(f"host {peer!r} {text}")

    def _send(self, number: int, data: bytes) -> None:
        self.net.send(self._next(self._ways[number][1]), number, data)

    def _answer(self, number: int) -> None:
        self.net.send(self._next(self._ways[number][0]), number | TAKEN, b"")

    def _next(self, host: str) -> str:
        """The neighbour on the way there."""
        return host if self.host == self.plan.first else self.plan.first

    def _word(self, peer: str, kind: str, said: Any) -> None:
        match kind:
            case "left":
                self.run.gates[said].left()
            case "finish":
                self.run.finish()
            case _:
                self.words.put((peer, kind, said))
