"""What is true of a picture: who is in it and where, and what of them can be seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.people.raster import Numbers, Seen, Window, draw, window_of
from engines.people.sensor import BASELINE_M, MIN_DEPTH_M
from engines.people.setting import Camera
from engines.people.shapes import Floats, Shape
from engines.people.skeleton import HEAD

Array = NDArray[np.float64]

MIN_PIXELS = 40  # fewer visible pixels are nobody
HEAD_SEEN = 0.4  # of the pixels of a head: with less of them visible it is hidden
LARGEST_PX = 3000  # of a person's own picture, each way


@dataclass(frozen=True)
class Presence:
    """One person in one picture. `ignored` is empty, or why a detector cannot be asked to find them."""

    person: int
    box: tuple[
        int, int, int, int
    ]  # left, top, right, bottom of the visible pixels, to before right and bottom
    visibility: float  # visible pixels, as a share of those of the person alone in an unlimited picture
    x_m: float  # of the head's middle, straight down
    y_m: float
    height_m: float  # of the top of hair or hat above the floor
    ignored: str


@dataclass(frozen=True, eq=False)
class Figure:
    """One person as they were drawn."""

    person: int
    shape: Shape
    points: Floats  # (n, 3), in the world
    screen: Floats  # (n, 3)
    head: Array  # (3,), the middle of the skull


def presence_of(figure: Figure, shown: tuple[Window, Numbers], camera: Camera) -> Presence | None:
    """What is true of someone, None where hardly anything of them is visible. In a window, `shown[1]` (h, w) is
    the person's triangle that each pixel shows, -1 where it shows none.
    """
    window, own = shown
    rows, columns = np.nonzero(own >= 0)
    if len(rows) < MIN_PIXELS:
        return None
    alone = _alone(figure)
    on_head = (figure.shape.bones == HEAD).all(axis=1)
    of_head = on_head[figure.shape.triangles[:, 0]]
    hidden = of_head[own[rows, columns]].sum() < HEAD_SEEN * of_head[alone].sum()
    left, top = window.left, window.top
    return Presence(
        figure.person,
        (
            left + int(columns.min()),
            top + int(rows.min()),
            left + int(columns.max()) + 1,
            top + int(rows.max()) + 1,
        ),
        min(1.0, len(rows) / max(1, len(alone))),
        float(figure.head[0]),
        float(figure.head[1]),
        float(figure.points[on_head, 2].max()),
        why_ignored(figure.head, camera, bool(hidden)),
    )


def _alone(figure: Figure) -> Numbers:
    """The triangle that each pixel (p,) of this person shows in a picture of them alone, as large as it must be."""
    around = window_of(figure.screen, 1, Window(-LARGEST_PX, -LARGEST_PX, LARGEST_PX, LARGEST_PX))
    shifted = figure.screen - np.array([around.left, around.top, 0], np.float32)
    size = max(1, around.bottom - around.top), max(1, around.right - around.left)
    seen = Seen(np.zeros(size, np.float32), np.full(size, -1, np.int32))
    draw(shifted, figure.shape.triangles, 0, seen)
    return seen.ids[seen.ids >= 0]


def why_ignored(head: Array, camera: Camera, hidden: bool) -> str:
    """Why a detector cannot be asked to find a head, or nothing."""
    eye = camera.eye
    x, y, depth = eye.camera_from_world @ head + eye.shift_m
    u, v = eye.fx * x / max(depth, 1e-6) + eye.cx, eye.fy * y / max(depth, 1e-6) + eye.cy
    if depth <= 0 or not (0 <= u <= camera.width - 1 and 0 <= v <= camera.height - 1):
        return "head_outside_picture"
    if depth - 0.12 < MIN_DEPTH_M:
        return "head_nearer_than_sensor"
    if u < eye.fx * BASELINE_M / depth:
        return "head_in_blind_strip"  # at the left, where the right imager sees nothing
    return "head_hidden" if hidden else ""
