"""Surfaces at rest, as triangles with bones: tubes around a line, boxes, sticks, and what is put together of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Floats = NDArray[np.float32]
Triple = tuple[float, float, float]

CLOSED = 1e-3  # the radius of a ring that closes a tube, as a share of the one beside it


class Shape(NamedTuple):
    """A surface of triangles, in metres: x forward, y left, z up. Each point moves with two bones."""

    points: Floats  # (n, 3)
    normals: Floats  # (n, 3), outward
    uv_m: Floats  # (n, 2), around and along, for patterns
    bones: NDArray[np.int32]  # (n, 2)
    shares: Floats  # (n,), of the first bone
    triangles: NDArray[np.int32]  # (m, 3), counter-clockwise from outside
    materials: NDArray[np.int32]  # (m,)


@dataclass(frozen=True)
class Ring:
    """A closed curve of a tube: a superellipse of half-widths `across` (to the left) and `deep` (forward)."""

    centre: Triple
    across: float
    deep: float
    bones: tuple[int, int] = (0, 0)
    share: float = 1.0  # of the first bone
    roundness: float = 2.0  # 2 is an ellipse, 4 nearly a rectangle
    tilt: float = 0.0  # how far it rises towards the front, as a slope


def tube(rings: Sequence[Ring], material: int, sides: int = 16) -> Shape:
    """The surface through level rings, all rising or all falling, closed at both ends."""
    ends = [
        replace(ring, across=ring.across * CLOSED, deep=ring.deep * CLOSED) for ring in (rings[0], rings[-1])
    ]
    rings = [ends[0], *rings, ends[1]]
    angles = np.linspace(0.0, 2.0 * np.pi, sides + 1)
    grid = np.stack([_curve(ring, angles) for ring in rings])
    along = np.cumsum(np.r_[0.0, np.linalg.norm(np.diff(grid, axis=0), axis=2).mean(axis=1)])
    around = angles * max(max(ring.across, ring.deep) for ring in rings)
    uv = np.stack(np.broadcast_arrays(around, along[:, None]), axis=-1)
    bones = np.repeat([ring.bones for ring in rings], sides + 1, axis=0)
    shares = np.repeat([ring.share for ring in rings], sides + 1)
    rises = rings[-1].centre[2] >= rings[0].centre[2]
    return _woven(grid, uv, rises, (bones, shares), material)


def stick(points: Sequence[Triple], radius_m: float, material: int, bone: int = 0, sides: int = 6) -> Shape:
    """A round bar along a line of points, in any direction."""
    line = np.array(points, np.float64)
    ahead = np.gradient(line, axis=0)
    ahead /= np.linalg.norm(ahead, axis=1, keepdims=True)
    level = np.cross(ahead, np.eye(3)[int(np.argmin(np.abs(ahead).sum(axis=0)))])
    level /= np.linalg.norm(level, axis=1, keepdims=True)
    angles = np.linspace(0.0, 2.0 * np.pi, sides + 1)[:, None]
    spokes = level[:, None] * np.cos(angles) + np.cross(ahead, level)[:, None] * np.sin(angles)
    grid = line[:, None] + radius_m * spokes
    caps = line[[0, -1], None] + CLOSED * radius_m * spokes[[0, -1]]
    grid = np.concatenate([caps[:1], grid, caps[1:]])
    n = grid.shape[0] * grid.shape[1]
    skin = (np.full((n, 2), bone), np.ones(n))
    return _woven(grid, np.zeros((*grid.shape[:2], 2)), True, skin, material)


def box(low: Triple, high: Triple, material: int, bone: int = 0) -> Shape:
    """An upright box between two corners, with flat sides."""
    corners = np.array([low, high], np.float64)
    faces, uv = [], []
    for axis in range(3):
        for side, square in ((0, [(0, 0), (0, 1), (1, 1), (1, 0)]), (1, [(0, 0), (1, 0), (1, 1), (0, 1)])):
            first, second = (axis + 1) % 3, (axis + 2) % 3
            face = np.empty((4, 3))
            face[:, axis] = corners[side, axis]
            face[:, first] = [corners[i, first] for i, _ in square]
            face[:, second] = [corners[j, second] for _, j in square]
            faces.append(face)
            uv.append(face[:, [first, second]])
    starts = 4 * np.arange(6)[:, None]
    triangles = np.concatenate([starts + [0, 1, 2], starts + [0, 2, 3]])
    skin = (np.full((24, 2), bone), np.ones(24))
    return _shape(np.concatenate(faces), np.concatenate(uv), triangles, skin, material)


def merged(shapes: Sequence[Shape]) -> Shape:
    """Several surfaces as one."""
    starts = np.cumsum([0, *(len(shape.points) for shape in shapes[:-1])])
    triangles = [shape.triangles + np.int32(start) for shape, start in zip(shapes, starts, strict=True)]
    joined = Shape(*(np.concatenate(column) for column in zip(*shapes, strict=True)))
    return joined._replace(triangles=np.concatenate(triangles))


def moved(shape: Shape, offset_m: Triple, turn_deg: float = 0.0) -> Shape:
    """The surface turned about the vertical, then shifted."""
    angle = np.radians(turn_deg)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    points = (shape.points @ turn.T + np.array(offset_m)).astype(np.float32)
    return shape._replace(points=points, normals=(shape.normals @ turn.T).astype(np.float32))


def _curve(ring: Ring, angles: Array) -> Array:
    cos, sin = np.cos(angles), np.sin(angles)
    power = 2.0 / ring.roundness
    x = ring.deep * np.sign(cos) * np.abs(cos) ** power
    y = ring.across * np.sign(sin) * np.abs(sin) ** power
    return np.asarray(ring.centre + np.stack([x, y, ring.tilt * x], axis=-1), np.float64)


def _woven(grid: Array, uv: Array, rises: bool, skin: tuple[Array, Array], material: int) -> Shape:
    """The surface of a grid (rings, sides + 1, 3) whose last side is its first again."""
    rows, columns = grid.shape[:2]
    row, side = np.mgrid[0 : rows - 1, 0 : columns - 1]
    a = (row * columns + side).ravel()
    b, c, d = a + 1, a + columns + 1, a + columns
    quads = [(a, b, c), (a, c, d)] if rises else [(a, c, b), (a, d, c)]
    triangles = np.concatenate([np.stack(quad, axis=1) for quad in quads])
    shape = _shape(grid.reshape(-1, 3), uv.reshape(-1, 2), triangles, skin, material)
    normals = shape.normals.reshape(grid.shape).astype(np.float64)
    normals[:, 0] = normals[:, -1] = normals[:, 0] + normals[:, -1]
    normals[[0, -1]] = normals[[0, -1], :-1].mean(axis=1, keepdims=True)
    return shape._replace(normals=_unit(normals).reshape(-1, 3).astype(np.float32))


def _shape(points: Array, uv: Array, triangles: Array, skin: tuple[Array, Array], material: int) -> Shape:
    a, b, c = (points[triangles[:, i]] for i in range(3))
    faces = np.cross(b - a, c - a)
    normals = np.zeros_like(points)
    corners: Any = triangles
    for i in range(3):
        np.add.at(normals, corners[:, i], faces)
    return Shape(
        points.astype(np.float32),
        _unit(normals).astype(np.float32),
        uv.astype(np.float32),
        np.asarray(skin[0], np.int32),
        np.asarray(skin[1], np.float32),
        triangles.astype(np.int32),
        np.full(len(triangles), material, np.int32),
    )


def _unit(vectors: Array) -> Array:
    lengths: Array = np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
    return np.asarray(vectors / lengths, np.float64)
