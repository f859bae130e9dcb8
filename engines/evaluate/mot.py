"""Text files of the MOT Challenge: `frame,id,left,top,width,height,confidence[,class,visibility]`, a row a line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from engines.evaluate._lines import as_number, as_text, as_whole, lines_of, values_of

COLUMNS = ("frame", "id", "left", "top", "width", "height", "confidence", "class", "visibility")
WHOLE = {"frame": 1, "id": -1, "class": -1}  # and the least there is
RESULT_COLUMNS, TRUTH_COLUMNS = 7, 8  # as many at least
PEDESTRIAN = 1


@dataclass(frozen=True, slots=True, eq=False)
class MotRows:
    """The rows of a file as parallel arrays. Detections have the id -1."""

    frames: NDArray[np.int64]  # (n,), from 1
    ids: NDArray[np.int64]  # (n,)
    boxes: NDArray[np.float64]  # (n, 4), left, top, width, height in pixels
    confidences: NDArray[np.float64]  # (n,); of truth: 0 where the row does not count
    classes: NDArray[np.int64]  # (n,), 1 is a pedestrian
    visibilities: NDArray[np.float64]  # (n,), 0 to 1

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def corners(self) -> NDArray[np.float64]:
        """The boxes as left, top, right, bottom."""
        return np.hstack([self.boxes[:, :2], self.boxes[:, :2] + self.boxes[:, 2:]])

    @classmethod
    def of_tracks(cls, tracks: Iterable[tuple[int, Any, Any]]) -> Self:
        """Results, from each frame's number, ids (n,), and boxes (n, 4) as left, top, right, bottom."""
        told = list(tracks)
        corners = np.concatenate([np.empty((0, 4)), *(boxes for _, _, boxes in told)]).astype(np.float64)
        ids = np.concatenate([np.empty(0, np.int64), *(ids for _, ids, _ in told)])
        frames = np.repeat([frame for frame, _, _ in told], [len(ids) for _, ids, _ in told])
        ones = np.ones(len(ids))
        boxes = np.hstack([corners[:, :2], corners[:, 2:] - corners[:, :2]])
        return cls(frames.astype(np.int64), ids, boxes, ones, ones.astype(np.int64), ones)

    def by_frame(self) -> Iterator[tuple[int, NDArray[np.float64], NDArray[np.float64]]]:
        """The number, the corners (n, 4) and the confidences (n,) of every frame from 1 to the last, empty ones too."""
        corners = self.corners
        for frame in range(1, int(self.frames.max(initial=0)) + 1):
            rows = self.frames == frame
            yield frame, corners[rows], self.confidences[rows]


def read_mot(path: Path, least_columns: int = RESULT_COLUMNS) -> MotRows:
    """Rows of truth, detections or results. Raises ValueError with the line that is wrong."""
    read: list[tuple[float, ...]] = []
    line_of: dict[tuple[int, int], int] = {}
    for number, line in lines_of(path):
        where = f"{path}: line {number}"
        row = _row(values_of(line), least_columns, where)
        frame, id = int(row[0]), int(row[1])
        first = line_of.setdefault((frame, id), number)
        if id >= 0 and first != number:
            raise ValueError(
                f"{where}: id {id} is in frame {frame} already, in line {first}; keep one of them"
            )
        read.append(row)
    table = np.array(read, float).reshape(-1, len(COLUMNS))
    frames, ids, classes = (table[:, column].astype(np.int64) for column in (0, 1, 7))
    return MotRows(frames, ids, table[:, 2:6], table[:, 6], classes, table[:, 8])


def write_mot(path: Path, rows: MotRows) -> None:
    """Write rows so that `read_mot` reads the same ones."""
    ends = zip(rows.confidences, rows.classes, rows.visibilities, strict=True)
    table = zip(rows.frames, rows.ids, rows.boxes, ends, strict=True)
    lines = [",".join(map(as_text, (frame, id, *box, *end))) for frame, id, box, end in table]
    path.write_text("".join(f"{line}\n" for line in lines), "utf-8")


def _row(values: list[str], least_columns: int, where: str) -> tuple[float, ...]:
    if len(values) < least_columns:
        needed = ",".join(COLUMNS[:least_columns])
        raise ValueError(f"{where}: has {len(values)} of {least_columns} values; write {needed}")
    named = dict(zip(COLUMNS, values, strict=False))
    whole = {name: as_whole(named.pop(name, "1"), name, where, least) for name, least in WHOLE.items()}
    rest = {name: as_number(named.pop(name, "1"), name, where) for name in COLUMNS if name not in whole}
    return tuple((whole | rest)[name] for name in COLUMNS)
