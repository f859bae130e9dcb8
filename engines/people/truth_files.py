"""Writes what is true of a simulated recording beside it: who was where in each picture, who they are, what else
could be seen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.evaluate.truth import FOLDER, CameraTruth
from engines.evaluate.truth import write_truth as write_cameras
from engines.people.crowd import Person
from engines.people.sight import Sight
from engines.people.truth import Presence

PEOPLE, THINGS = "people.csv", "things.csv"
EVERY_S = 1.0  # things are looked for


def camera_truth(
    camera_id: str, sight: Sight, times_s: NDArray[np.float64], captured_ns: NDArray[np.int64]
) -> CameraTruth:
    """Who is in each picture of a camera, taken at `times_s` (n,) of the scene, stamped `captured_ns` (n,)."""
    return truth_of(
        camera_id,
        [
            (index, int(stamp), seen)
            for index, (time_s, stamp) in enumerate(zip(times_s, captured_ns, strict=True))
            for seen in sight.presences(float(time_s))
        ],
    )


def truth_of(camera_id: str, rows: Sequence[tuple[int, int, Presence]]) -> CameraTruth:
    """Who is in each picture of a camera, of rows of its number, its stamp, and somebody in it."""
    edges = np.array([seen.box for _, _, seen in rows], np.float64).reshape(-1, 4)
    return CameraTruth(
        camera_id=camera_id,
        frame_indices=np.array([index for index, _, _ in rows], np.int64),
        captured_ns=np.array([stamp for _, stamp, _ in rows], np.int64),
        people=np.array([seen.person for _, _, seen in rows], np.int64),
        boxes=np.concatenate([edges[:, :2], edges[:, 2:] - edges[:, :2]], axis=1),
        floor_m=np.round(np.array([(seen.x_m, seen.y_m) for _, _, seen in rows]).reshape(-1, 2), 4),
        heights_m=np.round(np.array([seen.height_m for _, _, seen in rows]), 4),
        visibilities=np.round(np.array([seen.visibility for _, _, seen in rows]), 4),
        ignored=tuple(seen.ignored for _, _, seen in rows),
    )


def things_seen(sight: Sight, seconds: float) -> Counter[str]:
    """In how many of its seconds a camera sees each kind of thing, and hard shadows."""
    return Counter(
        name for time_s in np.arange(0.0, seconds, EVERY_S) for name in sight.things(float(time_s))
    )


def write_truth(
    folder: Path, people: Sequence[Person], cameras: Sequence[CameraTruth], things: Mapping[str, Counter[str]]
) -> None:
    """Write all of it into `folder`/truth, which is made."""
    inner = folder / FOLDER
    inner.mkdir(parents=True, exist_ok=True)
    write_cameras(inner, cameras)
    write_people(inner, [(p.number, p.body.stature, ";".join(p.roles), p.look_alike_of) for p in people])
    seen = [f"{camera},{name},{count}" for camera in things for name, count in sorted(things[camera].items())]
    _write(inner / THINGS, "camera_id,thing,seconds", seen)


def write_people(folder: Path, people: Sequence[tuple[int, float, str, int]]) -> None:
    """Of each their number, height, what is special about them, and whom they are dressed like, or 0."""
    lines = [f"{number},{height_m:g},{special},{like or ''}" for number, height_m, special, like in people]
    _write(folder / PEOPLE, "person,height_m,special,look_alike_of", lines)


def _write(path: Path, header: str, lines: Sequence[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in (header, *lines)), "utf-8")
