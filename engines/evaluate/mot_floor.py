"""Results on a floor, as MOT's 3D rows: `frame,id,left,top,width,height,confidence,x,y,z`, metres, a row a line."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from engines.evaluate._lines import as_number, as_text, as_whole, lines_of, values_of
from engines.evaluate.moments import run_of_rows
from engines.evaluate.run_folder import CameraRun
from engines.evaluate.truth import CameraTruth

COLUMNS = ("frame", "id", "left", "top", "width", "height", "confidence", "x", "y", "z")


class FloorRow(NamedTuple):
    """Where somebody is said to be in a frame, which counts from 1."""

    frame: int
    id: int
    x_m: float
    y_m: float


def read_mot_floor(path: Path) -> list[FloorRow]:
    """The rows of a file. Raises ValueError with the line that is wrong."""
    return [_row(values_of(line), f"{path}: line {number}") for number, line in lines_of(path)]


def write_mot_floor(path: Path, rows: list[FloorRow]) -> None:
    """Write rows so that `read_mot_floor` reads the same ones; boxes are unknown, -1."""
    lines = [f"{row.frame},{row.id},-1,-1,-1,-1,1,{as_text(row.x_m)},{as_text(row.y_m)},0\n" for row in rows]
    path.write_text("".join(lines), "utf-8")


def run_of_floor_rows(rows: list[FloorRow], truth: CameraTruth, path: Path) -> CameraRun:
    """As a run on the floor of a truth whose frames are the same, from 0."""
    begins = np.unique(truth.captured_ns)
    beyond = [row.frame for row in rows if row.frame > len(begins)]
    if beyond:
        what = f"the truth ends with frame {len(begins)}"
        raise ValueError(f"{path}: frame {beyond[0]}: {what}; give the truth of the same sequence")
    named = [(row.frame - 1, str(row.id)) for row in rows]
    if len(set(named)) < len(named):
        frame, id = next(row for place, row in enumerate(named) if row in named[:place])
        raise ValueError(f"{path}: frame {frame + 1}: id {id} is there twice; keep one of them")
    places = np.array([(row.x_m, row.y_m) for row in rows], float).reshape(-1, 2)
    return run_of_rows(named, places, begins)


def _row(values: list[str], where: str) -> FloorRow:
    if len(values) < len(COLUMNS):
        raise ValueError(f"{where}: has {len(values)} of {len(COLUMNS)} values; write {','.join(COLUMNS)}")
    frame, id = as_whole(values[0], "frame", where, 1), as_whole(values[1], "id", where, 0)
    x_m, y_m = as_number(values[7], "x", where), as_number(values[8], "y", where)
    return FloorRow(frame, id, x_m, y_m)
