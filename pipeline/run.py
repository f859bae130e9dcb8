"""One run of a graph: what it is told, and what it tells. The same for every executor."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from pipeline.admission import Clocks, Gate
from pipeline.commands import Commands
from pipeline.cuts import BEGINNING, Cut
from pipeline.messages import Detections, Frame, Heartbeat, Message
from pipeline.order import BEAT, LAST, Barrier, Place
from pipeline.watch import Watch


def ignore(_: object) -> None:
    """What takes messages or barriers that nobody wants."""


@dataclass
class Run:
    """`emit` gets what comes out of the graph, in one order; `take` the barriers, one every `barrier_ns` of
    capture time, or none. `opened` is called when every stage is open, before the first message.
    """

    emit: Callable[[Message], None]
    take: Callable[[Barrier], None] = ignore
    start: Cut = BEGINNING
    barrier_ns: int | None = None
    speed: float = 0.0  # times real time, for sources that are not live; 0 is as fast as it goes
    seconds: float | None = None  # of capture time that are read of each source that is not live, or all
    opened: Callable[[], None] = lambda: None
    watch: Watch = field(default_factory=Watch)
    gates: dict[str, Gate] = field(default_factory=dict)  # by camera, of the live sources
    clocks: Clocks = field(default_factory=Clocks)
    commands: Commands = field(default_factory=Commands)  # stages are told of them at barriers
    frames: int = field(default=0, init=False)  # of which everything has come out
    began_ns: int = field(default=0, init=False)  # when the first and the last of them were captured
    now_ns: int = field(default=0, init=False)
    last_ns: dict[str, int] = field(default_factory=dict, init=False)  # and the last of each camera
    _finishing: threading.Event = field(default_factory=threading.Event)
    _pace: Pace = field(init=False)

    def __post_init__(self) -> None:
        self._pace = Pace(self.speed, self._finishing)

    @property
    def is_finishing(self) -> bool:
        return self._finishing.is_set()

    def finish(self) -> None:
        """Sources end now; what they have given still goes through."""
        self._finishing.set()

    def came_out(self, place: Place) -> None:
        """All that came of this place has been delivered."""
        captured_ns, camera_id, index = place
        if not camera_id or index in (BEAT, LAST):
            return
        self.began_ns, self.now_ns = (self.began_ns if self.frames else captured_ns), captured_ns
        self.last_ns[camera_id] = captured_ns
        self.frames += 1
        if gate := self.gates.get(camera_id):
            gate.left()

    def wait_for(self, captured_ns: int) -> None:
        """Return when it is time to replay what was captured then."""
        self._pace.wait_for(captured_ns)

    def asked_for(self, messages: Iterable[Any]) -> Iterator[Any]:
        """The first `seconds` of a source that is not live; nothing is said of what comes after them."""
        if self.seconds is None:
            yield from messages
            return
        ends_ns: float | None = None
        said: list[Any] = []
        for message in messages:
            if not isinstance(message, Frame | Detections | Heartbeat):
                said.append(message)  # of what follows it
                continue
            ends_ns = message.captured_ns + self.seconds * 1e9 if ends_ns is None else ends_ns
            if message.captured_ns >= ends_ns:
                return
            yield from said
            yield message
            said = []
        yield from said


class Pace:
    """Lets capture time pass at a multiple of real time, in step for all who wait."""

    def __init__(self, speed: float, finishing: threading.Event) -> None:
        self._speed, self._finishing = speed, finishing
        self._lock = threading.Lock()
        self._began: tuple[int, int] | None = None  # capture time, and the monotonic clock then

    def wait_for(self, captured_ns: int) -> None:
        """Return when it is time, or when the run is finishing. The first to ask sets the clock."""
        if self._speed <= 0:
            return
        with self._lock:
            self._began = self._began or (captured_ns, time.monotonic_ns())
        captured, began = self._began
        due_ns = began + int((captured_ns - captured) / self._speed)
        left_s = (due_ns - time.monotonic_ns()) / 1e9
        if left_s > 0:
            self._finishing.wait(left_s)
