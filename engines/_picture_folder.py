"""The pictures in a folder that networks are calibrated on and compared on, and who is in them where that is known."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from configs.build import InputError
from engines._average_precision import Truth

ENDINGS = (".jpg", ".jpeg", ".png", ".bmp")
LEAST = 10  # pictures: what fewer say is chance
MOST = 300  # that are looked at, evenly spread
LEAST_VISIBLE = 0.3  # of a person whom one must find


def pictures_in(folder: Path) -> list[Path]:
    """Pictures of a folder by name; raises InputError where there are too few."""
    if not folder.is_dir():
        raise InputError(
            f"--calibrate: {folder} is no folder; name one with pictures as the model will see them"
        )
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in ENDINGS)
    if len(found) < LEAST:
        raise InputError(f"--calibrate: {folder} has {len(found)} pictures; at least {LEAST} are needed")
    step = max(1.0, len(found) / MOST)
    return [found[int(number * step)] for number in range(min(len(found), MOST))]


def picture(path: Path) -> NDArray[np.uint8]:
    """RGB (h, w, 3)."""
    read = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if read is None:
        raise InputError(f"{path}: is no picture; remove it")
    return np.ascontiguousarray(read[:, :, ::-1]).astype(np.uint8, copy=False)


def truths(labels: Path, paths: list[Path]) -> list[Truth]:
    """Who is in each picture, of a MOT file of truth; the name of a picture is its frame's number."""
    from engines.evaluate.mot import PEDESTRIAN, TRUTH_COLUMNS, read_mot

    try:
        rows = read_mot(labels, TRUTH_COLUMNS)
    except (OSError, ValueError) as error:
        raise InputError(f"--labels: {error}") from error
    counts = (rows.confidences > 0) & (rows.classes == PEDESTRIAN) & (rows.visibilities >= LEAST_VISIBLE)
    made = []
    for path in paths:
        if not path.stem.isdecimal() or not (here := rows.frames == int(path.stem)).any():
            raise InputError(f"--labels: {labels} has no frame for {path.name}; name pictures by their frame")
        boxes = rows.corners.astype(np.float32)
        made.append(Truth(boxes[here & counts], boxes[here & ~counts]))
    return made
