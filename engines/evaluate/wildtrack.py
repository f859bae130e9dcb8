"""The annotations of WILDTRACK (Chavdarova et al. 2018): people on a grid on the floor, and boxes in seven views."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np

from configs.known import known
from engines.evaluate.truth import CameraTruth

FOLDER = "annotations_positions"
INTERVAL_NS = 500_000_000  # annotated twice a second
ROWS, CELL_M, CORNER_M = 480, 0.025, (-3.0, -9.0)  # section 3.1: 480 x 1440 cells of 2.5 cm
UNKNOWN_M = float("nan")


class _View(msgspec.Struct):
    number: int = msgspec.field(name="viewNum")
    left: float = msgspec.field(name="xmin")
    top: float = msgspec.field(name="ymin")
    right: float = msgspec.field(name="xmax")
    bottom: float = msgspec.field(name="ymax")

    @property
    def is_seen(self) -> bool:
        return self.right > 0


class _Person(msgspec.Struct):
    person: int = msgspec.field(name="personID")
    position: int = msgspec.field(name="positionID")
    views: list[_View]


def is_wildtrack(place: Path) -> bool:
    """Whether a folder is one of WILDTRACK's annotations."""
    return (place / FOLDER).is_dir()


def read_wildtrack(place: Path) -> tuple[CameraTruth, ...]:
    """The truth of the cameras C1 to C7; frames are the annotated ones, from 0. Raises ValueError with the file."""
    files = sorted((place / FOLDER).glob("*.json"))
    if not files:
        raise ValueError(f"{place / FOLDER}: holds no annotations; name the folder of WILDTRACK")
    frames = [_read(file) for file in files]
    views = sorted({view.number for people in frames for one in people for view in one.views})
    return tuple(_camera(frames, view) for view in views)


def floor_of(position: int) -> tuple[float, float]:
    """The place of a cell of the grid, in metres."""
    return CORNER_M[0] + CELL_M * (position % ROWS), CORNER_M[1] + CELL_M * (position // ROWS)


def _read(file: Path) -> list[_Person]:
    try:
        return msgspec.json.decode(file.read_bytes(), type=known(list[_Person]))
    except msgspec.DecodeError as error:
        raise ValueError(f"{file}: {error}; give the annotations as they were published") from error


def _camera(frames: Sequence[Sequence[_Person]], number: int) -> CameraTruth:
    rows = [
        (frame, one, view)
        for frame, people in enumerate(frames)
        for one in people
        for view in one.views
        if view.number == number and view.is_seen
    ]
    indices = np.array([frame for frame, _, _ in rows], np.int64)
    edges = [(v.left, v.top, v.right - v.left, v.bottom - v.top) for _, _, v in rows]
    return CameraTruth(
        camera_id=f"C{number + 1}",
        frame_indices=indices,
        captured_ns=indices * INTERVAL_NS,
        people=np.array([one.person for _, one, _ in rows], np.int64),
        boxes=np.array(edges, float).reshape(-1, 4),
        floor_m=np.array([floor_of(one.position) for _, one, _ in rows], float).reshape(-1, 2),
        heights_m=np.full(len(rows), UNKNOWN_M),
        visibilities=np.ones(len(rows)),
        ignored=("",) * len(rows),
    )
