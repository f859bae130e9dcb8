"""What a run has to say at its end: identities and their paths, and the ledger. Gathers events as they pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from pipeline._presence import Presence
from pipeline._tables import printed, short
from pipeline.messages import CorrectionEvent, Event, IdentityEvent, Picture, Portrait, Positions, SystemEvent
from pipeline.watch import Row

POINT_EVERY_NS = 100_000_000  # of a path
MOST_TRACKLETS = 50_000  # remembered; of a run that lasts for weeks the latest
SYSTEM_EVENTS = 10_000
NOBODY = "Nobody was seen for long enough."
CUT_SHORT = "The run was cut short: what a node received and did not process was under way."


@dataclass
class Path:
    """One tracklet's way: how far it went, and where, if that is to be drawn."""

    camera_id: str
    first_ns: int
    last_ns: int = 0
    walked_m: float = 0.0  # as far as its places on the floor are known
    last_m: tuple[float, float] | None = None
    points_m: list[tuple[float, float]] = field(default_factory=list)
    height_m: float | None = None
    portrait: Picture | None = None
    _drawn_ns: int = -(10**18)

    @property
    def way_m(self) -> NDArray[np.float64]:
        """Where it went, as far as that is to be drawn: (n, 2)."""
        return np.array(self.points_m).reshape(-1, 2)

    def goes_to(self, x_m: float, y_m: float, now_ns: int, drawn: bool) -> None:
        if self.last_m is not None:
            self.walked_m += float(np.hypot(x_m - self.last_m[0], y_m - self.last_m[1]))
        self.last_m = (x_m, y_m)
        if drawn and now_ns - self._drawn_ns >= POINT_EVERY_NS:
            self.points_m.append((x_m, y_m))
            self._drawn_ns = now_ns


@dataclass(frozen=True)
class Person:
    """An identity and its paths, in the order in which they began."""

    identity_id: str
    paths: Sequence[Path]

    @property
    def cameras(self) -> list[str]:
        """In the order of visits, each once in a row."""
        visits = [path.camera_id for path in self.paths]
        return [camera for n, camera in enumerate(visits) if n == 0 or visits[n - 1] != camera]

    @property
    def seen_s(self) -> float:
        """How long it was in view, all cameras together."""
        return sum(max(0, path.last_ns - path.first_ns) for path in self.paths) / 1e9

    @property
    def walked_m(self) -> float | None:
        """Within cameras; the ways between them are not known, and of those that are not calibrated nothing is."""
        placed = [path.walked_m for path in self.paths if path.last_m is not None]
        return sum(placed) if placed else None

    @property
    def height_m(self) -> float | None:
        heights = [path.height_m for path in self.paths if path.height_m is not None]
        return float(np.median(heights)) if heights else None

    @property
    def details(self) -> tuple[str, str]:
        """Height and way, as people read them."""
        height = f"{self.height_m:.2f} m" if self.height_m is not None else "-"
        return height, f"walked {self.walked_m:.0f} m" if self.walked_m is not None else "way unknown"


class Report:
    """Remembers per identity what the table shows, merges and splits applied; paths and crops if `is_drawn`."""

    def __init__(self, is_drawn: bool = False) -> None:
        self._is_drawn = is_drawn
        self._paths: dict[str, Path] = {}  # by tracklet
        self._identity_of: dict[str, str] = {}  # by tracklet
        self.system: list[SystemEvent] = []
        self.remark = ""  # on what is not in it, below the table
        self.presence = Presence()

    def add(self, event: Event) -> None:
        """Take note of one event, in the order of the log."""
        self.presence.add(event)
        match event:
            case Positions():
                self._note(event)
            case IdentityEvent() if event.kind in ("appeared", "observed", "reappeared"):
                self._identity_of[event.tracklet_id] = event.identity_id
                path = self._path(event.tracklet_id, event.camera_id, event.captured_ns)
                path.height_m = event.height_m or path.height_m
            case CorrectionEvent():
                self._correct(event)
            case Portrait():
                self._path(event.tracklet_id, event.camera_id, event.captured_ns).portrait = event.color
            case SystemEvent():
                self.system = [*self.system[-SYSTEM_EVENTS:], event]

    @property
    def identities(self) -> int:
        """How many there are; any thread may ask."""
        return len(set(list(self._identity_of.values())))

    def people(self) -> list[Person]:
        """Everyone, in order of first appearance."""
        paths: dict[str, list[Path]] = {}
        for tracklet, path in self._paths.items():
            if tracklet in self._identity_of:
                paths.setdefault(self._identity_of[tracklet], []).append(path)
        people = [Person(id, sorted(some, key=lambda path: path.first_ns)) for id, some in paths.items()]
        return sorted(people, key=lambda person: (person.paths[0].first_ns, person.identity_id))

    def table(self) -> Table:
        """One row an identity."""
        rows = []
        for one in self.people():
            height = f"{one.height_m:.2f} m" if one.height_m is not None else "-"
            walked = f"{one.walked_m:.1f} m" if one.walked_m is not None else "-"
            counts = f"{one.seen_s:.0f} s", walked, str(len(one.paths))
            rows.append((short(one.identity_id), height, *counts, " > ".join(one.cameras)))
        headers = ("identity", "height", "in view", "walked", "tracklets", "path")
        remark = " ".join([NOBODY] * (not rows) + [self.remark] * bool(self.remark))
        return printed("Identities", headers, rows, remark or None)

    def _note(self, rows: Positions) -> None:
        for tracklet, (x_m, y_m) in zip(rows.tracklet_ids, rows.floor_m.tolist(), strict=True):
            path = self._path(tracklet, rows.camera_id, rows.captured_ns)
            path.last_ns = rows.captured_ns
            if not np.isnan(x_m):
                path.goes_to(x_m, y_m, rows.captured_ns, self._is_drawn)

    def _path(self, tracklet: str, camera_id: str, now_ns: int) -> Path:
        if tracklet not in self._paths:
            self._paths[tracklet] = Path(camera_id, now_ns, now_ns)
            if len(self._paths) > MOST_TRACKLETS:
                oldest = next(iter(self._paths))
                del self._paths[oldest]
                self._identity_of.pop(oldest, None)
        return self._paths[tracklet]

    def _correct(self, event: CorrectionEvent) -> None:
        if event.kind == "erased":
            for tracklet in [t for t, identity in self._identity_of.items() if identity in event.from_ids]:
                del self._identity_of[tracklet], self._paths[tracklet]
        for tracklet, identity in self._identity_of.items():
            self._identity_of[tracklet] = event.whose(tracklet, identity)


def ledger_table(rows: Sequence[Row], remark: str | None = None) -> Table:
    """The ledger: what came, what was processed, what was dropped and why; a remark below it."""
    cells = []
    for row in rows:
        dropped = [f"{count} {reason}" for reason, count in row.dropped.items()]
        if row.lost_outside:
            dropped.append(f"({row.lost_outside} lost by the device)")
        counts = str(row.received), str(row.processed), ", ".join(dropped) or "0"
        cells.append((row.node, row.camera_id, *counts))
    headers = ("node", "camera", "received", "processed", "dropped")
    return printed("Ledger (frames)", headers, cells, remark)
