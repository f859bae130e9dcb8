"""The one place where a live source's frames may be dropped, each one counted. Knows no stage."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from pipeline.messages import Frame, Heartbeat, Reset, SystemEvent

SAY_EVERY_NS = 1_000_000_000  # drops are gathered into one `gap` event a second, of capture time
LARGE_FRAME_MB = 5.0  # colour and depth of 1280 x 720
PATIENT_MS = 4000.0

Produced = Frame | Heartbeat | SystemEvent | Reset


@dataclass(frozen=True, slots=True)
class Admission:
    """How many frames of a live camera may be in the graph at once, how many wait before it, and which one
    goes when they are too many. `wait_ms` is how long others wait for this camera when it says nothing: a
    frame that comes later than that is dropped.
    """

    max_in_flight: int = 16
    max_queued: int = 8
    when_full: Literal["drop_oldest", "drop_newest", "block"] = "drop_oldest"
    wait_ms: float = 250.0

    def __post_init__(self) -> None:
        for name in ("max_in_flight", "max_queued"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be 1 or more, got {getattr(self, name)}")
        if self.wait_ms <= 0:
            raise ValueError(f"wait_ms must be above 0, got {self.wait_ms}")


def for_a_recording(cameras: int) -> Admission:
    """As deep as half of the free memory allows, and patient: what waits for a slow disk is not lost."""
    free_mb = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e6
    frames = int(free_mb / 2 / LARGE_FRAME_MB / cameras)
    return Admission(max_queued=max(Admission().max_queued, frames), wait_ms=PATIENT_MS)


class Gate:
    """Stands between one live source and the graph. A capture thread offers, the graph's thread takes."""

    def __init__(self, camera_id: str, settings: Admission, clocks: Clocks) -> None:
        self._camera_id, self._settings, self._clocks = camera_id, settings, clocks
        self._changed = threading.Condition()
        self._waiting: deque[Produced] = deque()
        self._in_flight = self._queued = 0
        self._passed_ns = -1  # everything up to here has been taken
        self._dropped: Counter[str] = Counter()
        self._said_ns = 0
        self._ended = False

    @property
    def queued(self) -> int:
        """How many frames wait to be let in."""
        return self._queued

    @property
    def in_flight(self) -> int:
        """How many are in the graph."""
        return self._in_flight

    def offer(self, message: Produced) -> None:
        """From the source, which waits here only under the policy `block`."""
        with self._changed:
            if isinstance(message, Frame):
                self._clocks.heard(self._camera_id, message.captured_ns)
                if not self._has_room(message):
                    return
                self._queued += 1
            self._waiting.append(message)
            self._changed.notify_all()

    def end(self) -> None:
        """The source has ended, or is not waited for any more; what has been offered is still taken."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def left(self) -> None:
        """A frame of this camera has come out of the graph."""
        with self._changed:
            self._in_flight -= 1
            self._changed.notify_all()

    def take(self) -> list[Produced] | None:
        """What is admitted now, in order of capture; a Heartbeat where the camera says nothing for long;
        nothing after a while; None at the end.
        """
        with self._changed:
            self._changed.wait_for(self._may_go, timeout=self._settings.wait_ms / 2000)
            return self._next()

    def _may_go(self) -> bool:
        if not self._waiting:
            return self._ended
        return not isinstance(self._waiting[0], Frame) or self._in_flight < self._settings.max_in_flight

    def _next(self) -> list[Produced] | None:
        if not self._may_go():
            return [] if self._waiting else self._heartbeat()
        if not self._waiting:
            return self._gaps(self._passed_ns) or None
        message = self._waiting.popleft()
        if not isinstance(message, Frame):
            if isinstance(message, Heartbeat):
                self._passed_ns = max(self._passed_ns, message.captured_ns)
            return [message]
        self._queued -= 1
        self._in_flight += 1
        self._passed_ns = message.captured_ns
        due = message.captured_ns - self._said_ns >= SAY_EVERY_NS
        return [*(self._gaps(message.captured_ns) if due else ()), message]

    def _has_room(self, frame: Frame) -> bool:
        """Whether the frame may wait; makes room for it where the settings say so."""
        if frame.captured_ns <= self._passed_ns:
            self._dropped["late"] += 1
            return False
        if self._settings.when_full == "block":
            self._changed.wait_for(lambda: self._ended or self._queued < self._settings.max_queued)
        if self._queued < self._settings.max_queued:
            return True
        self._dropped["queue_full"] += 1
        if self._settings.when_full == "drop_newest":
            return False
        oldest = next(message for message in self._waiting if isinstance(message, Frame))
        self._waiting.remove(oldest)
        self._queued -= 1
        return True

    def _heartbeat(self) -> list[Produced]:
        now_ns = self._clocks.now_ns(self._camera_id)
        if now_ns is None:
            return []
        silent_until_ns = now_ns - int(self._settings.wait_ms * 1e6)
        if silent_until_ns <= self._passed_ns:
            return []
        self._passed_ns = silent_until_ns
        return [Heartbeat(silent_until_ns)]

    def _gaps(self, at_ns: int) -> list[Produced]:
        if not self._dropped:
            return []
        counts, self._dropped, self._said_ns = dict(sorted(self._dropped.items())), Counter(), at_ns
        detail = "dropped before the graph: " + ", ".join(counts)
        dropped = sum(counts.values())
        return [SystemEvent("gap", self._camera_id, max(at_ns, 0), detail, dropped, counts)]


class Clocks:
    """What time it is where each live camera is, from the frames that came and a monotonic clock."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ahead_ns: dict[str, int] = {}  # of this machine's monotonic clock, by camera

    def heard(self, camera_id: str, captured_ns: int) -> None:
        """A frame has come: the camera's clock reads at least this."""
        ahead_ns = captured_ns - time.monotonic_ns()
        with self._lock:
            self._ahead_ns[camera_id] = ahead_ns

    def earliest_ns(self, camera_ids: Iterable[str]) -> int | None:
        """The present in capture time by the slowest of these cameras that were heard."""
        with self._lock:
            ahead = [self._ahead_ns[id] for id in camera_ids if id in self._ahead_ns]
        return time.monotonic_ns() + min(ahead) if ahead else None

    def now_ns(self, camera_id: str) -> int | None:
        """The present in capture time; by the slowest other camera for one that was never heard."""
        with self._lock:
            if not self._ahead_ns:
                return None
            ahead_ns = self._ahead_ns.get(camera_id, min(self._ahead_ns.values()))
        return time.monotonic_ns() + ahead_ns
