"""What happens at each node, seen from outside the stages: messages, frames, drops by reason, and time spent."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields

from pipeline.graph import Graph, Node
from pipeline.messages import Detections, Frame, FrameSet, Message, Reset, SystemEvent, Tracks

BEARERS = frozenset({Frame, FrameSet, Detections, Tracks})  # the messages that carry frames on
LOST_OUTSIDE = "device"  # the reason of a gap that came about before the source could see the frame


@dataclass
class Tally:
    """What one shard of a node took and gave. Only that shard writes it, so nobody waits."""

    received: Counter[str] = field(default_factory=Counter)  # frames by camera
    given: Counter[str] = field(default_factory=Counter)  # frames by camera
    dropped: Counter[tuple[str, str]] = field(default_factory=Counter)  # frames by camera and reason
    messages: int = 0
    busy_ns: int = 0
    by_log2_us: Counter[int] = field(default_factory=Counter)  # calls by the logarithm of their microseconds

    def took(self, messages: Iterable[Message]) -> None:
        for message in messages:
            self.messages += not isinstance(message, Reset)
            for frame in frames_in(message):
                self.received[frame.camera_id] += 1

    def gave(self, messages: Iterable[Message]) -> None:
        for message in messages:
            if isinstance(message, SystemEvent):
                self._note(message)
            else:
                for frame in frames_in(message):
                    self.given[frame.camera_id] += 1

    def add(self, other: Tally) -> None:
        """What another one counted too."""
        # copies, made at once: the other one may be counting
        self.received.update(dict(other.received))
        self.given.update(dict(other.given))
        self.dropped.update(dict(other.dropped))
        self.by_log2_us.update(dict(other.by_log2_us))
        self.messages += other.messages
        self.busy_ns += other.busy_ns

    def become(self, other: Tally) -> None:
        """Have counted what the other one has."""
        for counted in fields(self):
            setattr(self, counted.name, getattr(other, counted.name))

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Everything inside is work of this node."""
        began = time.perf_counter_ns()
        try:
            yield
        finally:
            spent = time.perf_counter_ns() - began
            self.busy_ns += spent
            self.by_log2_us[(spent // 1000).bit_length()] += 1

    def _note(self, event: SystemEvent) -> None:
        if event.kind == "gap":
            for reason, count in event.counts.items():
                self.dropped[event.camera_id, reason] += count


@dataclass(frozen=True)
class Row:
    """One line of the ledger: `received = processed + dropped`, or it does not balance."""

    node: str
    camera_id: str
    received: int
    processed: int
    dropped: dict[str, int]  # by reason
    lost_outside: int  # frames that a device says it lost before the source saw them; not in `received`

    @property
    def balances(self) -> bool:
        return self.received == self.processed + sum(self.dropped.values())


class Watch:
    """The tallies of a run, and the ledger that they make."""

    def __init__(self) -> None:
        self._tallies: dict[str, list[Tally]] = {}  # by node
        # how many steps wait between two shards, and how many may; whoever joins them says so
        self.fills: Callable[[], Mapping[tuple[str, str], tuple[int, int]]] = dict

    def tally(self, node_id: str) -> Tally:
        """A new one, for one shard."""
        made = Tally()
        self._tallies.setdefault(node_id, []).append(made)
        return made

    @property
    def totals(self) -> dict[str, Tally]:
        """What was done, by node."""
        return {id: self.total(id) for id in self._tallies}

    def total(self, node_id: str) -> Tally:
        """What all shards of a node did."""
        total = Tally()
        for tally in self._tallies.get(node_id, ()):
            total.add(tally)
        return total

    def ledger(self, graph: Graph) -> list[Row]:
        """A row for each camera at each node that gets frames, in running order."""
        return [row for node in graph.nodes for row in self._rows(graph, node)]

    def _rows(self, graph: Graph, node: Node) -> Iterator[Row]:
        """A node that passes frames on has processed what it gave; one that does not, what it did not drop."""
        total = self.total(node.id)
        is_source, passes_on = node in graph.sources, bool(node.gives & BEARERS)
        for camera_id in sorted({*total.received, *total.given, *(camera for camera, _ in total.dropped)}):
            dropped = {r: n for (camera, r), n in sorted(total.dropped.items()) if camera == camera_id}
            outside = dropped.pop(LOST_OUTSIDE, 0)
            lost = sum(dropped.values())
            received = total.given[camera_id] + lost if is_source else total.received[camera_id]
            processed = total.given[camera_id] if passes_on else received - lost
            yield Row(node.id, camera_id, received, processed, dropped, outside)


def unbalanced(rows: Sequence[Row], graph: Graph) -> list[str]:
    """What does not add up, a sentence each: within a node, and from a node to those that read it."""
    wrong = [
        f"{row.node}: {row.camera_id}: received {row.received} frames, accounts for "
        f"{row.processed + sum(row.dropped.values())}"
        for row in rows
        if not row.balances
    ]
    by_place = {(row.node, row.camera_id): row for row in rows}
    for (id, camera_id), row in by_place.items():
        for reader in graph.readers(id):
            there = by_place.get((reader.id, camera_id))
            if reader.takes & BEARERS and row.processed > (there.received if there else 0):
                got = there.received if there else 0
                wrong.append(f"{reader.id}: {camera_id}: got {got} of the {row.processed} frames of {id}")
    return wrong


def frames_in(message: Message) -> tuple[Frame, ...]:
    """The frames that a message carries."""
    match message:
        case Frame():
            return (message,)
        case Detections() | Tracks():
            return (message.frame,)
        case FrameSet():
            return message.frames
    return ()
