"""Writes every person of every frame as JSON lines. At full rate, so they are no events and pass through no outbox:
how long the file is belongs to the cut instead.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline.messages import Positions
from pipeline.publish._days import DayLines, Line

BUFFERED = 64  # lines


class PositionLines:
    """`positions.jsonl` of one run."""

    def __init__(self, path: Path, marks: Mapping[str, int], life_s: float = math.inf) -> None:
        self._file, self._held = DayLines(path, life_s), list[Line]()
        self._file.resume(marks if path.name in marks else None)

    def write(self, rows: Positions) -> None:
        self._held.append((rows.captured_ns, _line(rows)))
        if len(self._held) >= BUFFERED:
            self.flush()

    def flush(self) -> dict[str, int]:
        """Hand everything to the system; gives where the file can be resumed."""
        held, self._held = self._held, []
        self._file.write(held)
        return self._file.marks()

    def sync(self) -> None:
        self._file.sync()

    def close(self) -> None:
        self._file.close()


def _line(rows: Positions) -> bytes:
    return msgspec.json.encode(
        {
            "camera_id": rows.camera_id,
            "frame_index": rows.frame_index,
            "captured_ns": rows.captured_ns,
            "floor_frame": rows.floor_frame,
            "tracklet_ids": rows.tracklet_ids,
            "boxes_px": _rounded(rows.boxes, 2),
            "floor_m": _rounded(rows.floor_m, 4),
            "scores": _rounded(rows.scores, 4),
        }
    )


def _rounded(values: NDArray[Any], digits: int) -> Any:
    """In double precision, in which JSON numbers are read: a rounded single has a tail of digits in it."""
    return values.astype(np.float64).round(digits).tolist()
