"""What a run has to say at its end: identities and their paths, and the ledger. Gathers events as they pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from rich.table import Table

from pipeline.messages import CorrectionEvent, Event, IdentityEvent, Picture, Portrait, SystemEvent

PORTRAITS = 6  # of one identity, in the picture


@dataclass
class Sightings:
    """Where one identity was: times in nanoseconds, positions in metres, and the camera of each."""

    points: list[tuple[int, float, float, str]] = field(default_factory=list)
    tracklets: dict[str, None] = field(default_factory=dict)  # a dict for its order
    heights_m: list[float] = field(default_factory=list)

    @property
    def cameras(self) -> list[str]:
        """In the order of visits, each once in a row."""
        visits = [point[3] for point in self.points]
        return [camera for n, camera in enumerate(visits) if n == 0 or visits[n - 1] != camera]

    @property
    def walked_m(self) -> float:
        """Length of the path within cameras; the way between two cameras is not counted."""
        places = np.array([point[1:3] for point in self.points])
        together = [a[3] == b[3] for a, b in zip(self.points, self.points[1:], strict=False)]
        return float(np.linalg.norm(np.diff(places, axis=0), axis=1)[together].sum()) if together else 0.0


class Report:
    """Remembers per identity what the table and the picture show, merges and splits applied."""

    def __init__(self) -> None:
        self._by_tracklet: dict[str, Sightings] = {}
        self._identity_of: dict[str, str] = {}  # by tracklet
        self._portraits: dict[str, Picture] = {}  # by tracklet
        self.system: list[SystemEvent] = []

    def add(self, event: Event) -> None:
        """Take note of one event, in the order of the log."""
        match event:
            case IdentityEvent() if event.kind in ("appeared", "observed", "reappeared"):
                self._identity_of[event.tracklet_id] = event.identity_id
                seen = self._by_tracklet.setdefault(event.tracklet_id, Sightings())
                if event.floor is not None:
                    at = (event.captured_ns, event.floor.x_m, event.floor.y_m, event.camera_id)
                    seen.points.append(at)
                if event.height_m is not None:
                    seen.heights_m.append(event.height_m)
            case CorrectionEvent():
                self._correct(event)
            case Portrait():
                self._portraits[event.tracklet_id] = event.color
            case SystemEvent():
                self.system.append(event)

    def identities(self) -> dict[str, Sightings]:
        """Sightings by identity, in order of first appearance."""
        joined: dict[str, Sightings] = {}
        for tracklet, seen in self._by_tracklet.items():
            one = joined.setdefault(self._identity_of[tracklet], Sightings())
            one.points.extend(seen.points)
            one.heights_m.extend(seen.heights_m)
            one.tracklets[tracklet] = None
        for one in joined.values():
            one.points.sort()
        return joined

    def portraits(self) -> dict[str, list[Picture]]:
        """Crops by identity, a few of each."""
        pictures = {
            identity: [self._portraits[t] for t in seen.tracklets if t in self._portraits][:PORTRAITS]
            for identity, seen in self.identities().items()
        }
        return {identity: some for identity, some in pictures.items() if some}

    def table(self) -> Table:
        """One row an identity."""
        table = Table("identity", "height", "seen for", "walked", "tracklets", "path", title="Identities")
        for identity, seen in self.identities().items():
            height = f"{np.median(seen.heights_m):.2f} m" if seen.heights_m else "-"
            lasted_s = (seen.points[-1][0] - seen.points[0][0]) / 1e9 if seen.points else 0.0
            path = " > ".join(seen.cameras)
            table.add_row(
                short(identity),
                height,
                f"{lasted_s:.0f} s",
                f"{seen.walked_m:.1f} m",
                str(len(seen.tracklets)),
                path,
            )
        return table

    def _correct(self, event: CorrectionEvent) -> None:
        for tracklet, identity in self._identity_of.items():
            if event.kind == "merged" and identity in event.from_ids:
                self._identity_of[tracklet] = event.to_ids[0]
            elif event.kind == "split" and tracklet in event.tracklet_ids:
                self._identity_of[tracklet] = event.to_ids[-1]


def short(identity_id: str) -> str:
    """The part of an identity that tells it from others on a screen."""
    return f"{identity_id[:2]}{identity_id[-6:]}"


def ledger_table(rows: Sequence[Sequence[object]], headers: Sequence[str]) -> Table:
    """The ledger: what came, what was processed, what was dropped and why."""
    table = Table(*headers, title="Ledger")
    for row in rows:
        table.add_row(*(str(cell) for cell in row))
    return table
