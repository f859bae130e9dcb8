"""The truth of a recording: who was where in each frame of each camera. Two files a camera: boxes as MOT rows, one
numbering of people over all cameras, and floor positions, a row for each of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engines.evaluate._lines import as_number, as_text, as_whole, lines_of, values_of
from engines.evaluate.mot import PEDESTRIAN, TRUTH_COLUMNS, MotRows, read_mot, write_mot

FOLDER, FLOOR = "truth", ".floor.csv"
COLUMNS = ("frame_index", "captured_ns", "person", "x_m", "y_m", "height_m", "visibility", "ignored")


@dataclass(frozen=True, slots=True, eq=False)
class CameraTruth:
    """What one camera could see, as parallel arrays in the order of the files. `ignored` says why a row does not
    count, and is empty where it does.
    """

    camera_id: str
    frame_indices: NDArray[np.int64]  # (n,), from 0
    captured_ns: NDArray[np.int64]  # (n,)
    people: NDArray[np.int64]  # (n,), one numbering over all cameras
    boxes: NDArray[np.float64]  # (n, 4), left, top, width, height in pixels
    floor_m: NDArray[np.float64]  # (n, 2), below the middle of the head, in the site's frame
    heights_m: NDArray[np.float64]  # (n,)
    visibilities: NDArray[np.float64]  # (n,), 0 to 1
    ignored: tuple[str, ...]  # (n,)

    def __len__(self) -> int:
        return len(self.people)

    @property
    def counts(self) -> NDArray[np.bool_]:
        """Which rows count."""
        return np.array([not reason for reason in self.ignored], bool)

    @property
    def mot(self) -> MotRows:
        """The same as MOT rows: people are pedestrians, what is ignored has confidence 0."""
        classes = np.full(len(self), PEDESTRIAN)
        confidences = self.counts.astype(float)
        return MotRows(
            self.frame_indices + 1, self.people, self.boxes, confidences, classes, self.visibilities
        )


def read_truth(folder: Path) -> tuple[CameraTruth, ...]:
    """The truth of every camera, by name, in `folder` or its folder `truth`. Raises ValueError with the line."""
    inner = folder / FOLDER
    place = inner if inner.is_dir() else folder
    names = sorted(file.name.removesuffix(FLOOR) for file in place.glob(f"*{FLOOR}"))
    if not names:
        raise ValueError(f"{place}: holds no <camera>{FLOOR}; name the folder of a recording with its truth")
    return tuple(_read_camera(place, name) for name in names)


def write_truth(folder: Path, cameras: Iterable[CameraTruth]) -> None:
    """Write what `read_truth` reads into `folder`, which is there. A reason is a word without a comma."""
    for camera in cameras:
        write_mot(folder / f"{camera.camera_id}.txt", camera.mot)
        whole = np.stack([camera.frame_indices, camera.captured_ns, camera.people], axis=1).tolist()
        measures = np.column_stack([camera.floor_m, camera.heights_m, camera.visibilities]).tolist()
        rows = zip(whole, measures, camera.ignored, strict=True)
        lines = [",".join([*map(str, a), *map(as_text, b), reason]) for a, b, reason in rows]
        text = "".join(f"{line}\n" for line in (",".join(COLUMNS), *lines))
        (folder / f"{camera.camera_id}{FLOOR}").write_text(text, "utf-8")


class _FloorRow(NamedTuple):
    frame_index: int
    captured_ns: int
    person: int
    x_m: float
    y_m: float
    height_m: float
    visibility: float
    ignored: str
    line: int


def _read_camera(place: Path, camera_id: str) -> CameraTruth:
    mot_path, floor_path = place / f"{camera_id}.txt", place / f"{camera_id}{FLOOR}"
    mot, rows = read_mot(mot_path, TRUTH_COLUMNS), _floor_rows(floor_path)
    if len(rows) != len(mot):
        raise ValueError(
            f"{floor_path}: has {len(rows)} rows, {mot_path.name} {len(mot)}; write one for each"
        )
    whole = np.array([row[:3] for row in rows], np.int64).reshape(-1, 3)
    measures = np.array([row[3:7] for row in rows], float).reshape(-1, 4)
    truth = CameraTruth(
        camera_id=camera_id,
        frame_indices=whole[:, 0],
        captured_ns=whole[:, 1],
        people=whole[:, 2],
        boxes=mot.boxes,
        floor_m=measures[:, :2],
        heights_m=measures[:, 2],
        visibilities=measures[:, 3],
        ignored=tuple(row.ignored for row in rows),
    )
    _require_agreement(truth, mot, rows, floor_path)
    return truth


def _require_agreement(truth: CameraTruth, mot: MotRows, rows: Sequence[_FloorRow], path: Path) -> None:
    is_same = (truth.mot.frames == mot.frames) & (truth.people == mot.ids)
    is_same &= truth.counts == (mot.confidences != 0)
    if not is_same.all():
        line = rows[int(np.argmin(is_same))].line
        what = f"frame, person or whether it counts is not that of {truth.camera_id}.txt"
        raise ValueError(f"{path}: line {line}: {what}; write both from the same rows")


def _floor_rows(path: Path) -> list[_FloorRow]:
    lines = lines_of(path)
    _, header = next(lines, (1, ""))
    if tuple(values_of(header)) != COLUMNS:
        raise ValueError(f"{path}: line 1: is no header; write {','.join(COLUMNS)}")
    return [_floor_row(values_of(line), number, f"{path}: line {number}") for number, line in lines]


def _floor_row(values: list[str], line: int, where: str) -> _FloorRow:
    if len(values) != len(COLUMNS):
        raise ValueError(f"{where}: has {len(values)} of {len(COLUMNS)} values; write {','.join(COLUMNS)}")
    frame_index, captured_ns, person = (
        as_whole(value, name, where, 0) for name, value in zip(COLUMNS[:3], values[:3], strict=True)
    )
    x_m, y_m, height_m, visibility = (
        as_number(value, name, where) for name, value in zip(COLUMNS[3:7], values[3:7], strict=True)
    )
    return _FloorRow(frame_index, captured_ns, person, x_m, y_m, height_m, visibility, values[7], line)
