"""Intel SceneScape's truth of a place: where everybody is at each moment, in metres, and nothing of any camera."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import msgspec
import numpy as np

from configs.known import known
from engines.evaluate._lines import lines_of
from engines.evaluate.moments import FLOOR
from engines.evaluate.truth import CameraTruth

SUFFIX, NAME, PERSON = ".json", "gtLoc.json", "person"


class _Object(msgspec.Struct):
    id: int
    translation: tuple[float, float, float]


class _Line(msgspec.Struct):
    timestamp: datetime
    objects: dict[str, list[_Object]]


def is_scenescape(place: Path) -> bool:
    """Whether a file, or one in a folder, is such a truth."""
    return place.suffix == SUFFIX or (place / NAME).is_file()


def read_scenescape(place: Path) -> CameraTruth:
    """The people of each line, which are frames from 0. Raises ValueError with the line."""
    path = place / NAME if place.is_dir() else place
    lines = []
    for number, text in lines_of(path):
        try:
            lines.append(msgspec.json.decode(text, type=known(_Line)))
        except msgspec.DecodeError as error:
            raise ValueError(
                f"{path}: line {number}: {error}; give a truth as SceneScape writes it"
            ) from error
    stamps_ns = [round((line.timestamp - lines[0].timestamp).total_seconds() * 1e9) for line in lines]
    rows = [
        (index, stamp_ns, one)
        for index, (stamp_ns, line) in enumerate(zip(stamps_ns, lines, strict=True))
        for kind, objects in line.objects.items()
        if kind.casefold() == PERSON
        for one in objects
    ]
    n = len(rows)
    return CameraTruth(
        camera_id=FLOOR,
        frame_indices=np.array([index for index, _, _ in rows], np.int64),
        captured_ns=np.array([stamp_ns for _, stamp_ns, _ in rows], np.int64),
        people=np.array([one.id for _, _, one in rows], np.int64),
        boxes=np.full((n, 4), np.nan),
        floor_m=np.array([one.translation[:2] for _, _, one in rows], float).reshape(-1, 2),
        heights_m=np.full(n, np.nan),
        visibilities=np.ones(n),
        ignored=("",) * n,
    )
