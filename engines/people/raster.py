"""Triangles to pixels: surfaces moved by their bones, seen through a pinhole, nearest first.

Nearness is inverse depth in 1/m, which is linear across a picture; 0 is nothing.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from configs.kernels import kernel
from engines.people.shapes import Floats, Shape

Array = NDArray[np.float64]
Numbers = NDArray[np.int32]

NEAR_M = 0.10  # what is nearer than this to a camera's plane is not drawn


class Seen(NamedTuple):
    """The nearest surface of each pixel of a picture (h, w)."""

    nearness: Floats
    ids: Numbers  # of the triangle; -1 where there is none


class Window(NamedTuple):
    """A part of a picture: columns from `left` to before `right`, rows from `top` to before `bottom`."""

    left: int
    top: int
    right: int
    bottom: int


class Pinhole(NamedTuple):
    """A camera, or a lamp, as kernels take it: pixel centres at whole numbers, x right, y down, z forward."""

    camera_from_world: Array  # (3, 3)
    shift_m: Array  # (3,), added after
    fx: float
    fy: float
    cx: float
    cy: float


@kernel
def move(shape: Shape, bones: Array, points: Floats, normals: Floats) -> None:
    """Write where the points of a surface are (n, 3), and its normals, with bones (b, 3, 4)."""
    for p in range(len(shape.points)):
        a, b, share = shape.bones[p, 0], shape.bones[p, 1], shape.shares[p]
        x, y, z = shape.points[p, 0], shape.points[p, 1], shape.points[p, 2]
        i, j, k = shape.normals[p, 0], shape.normals[p, 1], shape.normals[p, 2]
        for row in range(3):
            m0 = share * bones[a, row, 0] + (1.0 - share) * bones[b, row, 0]
            m1 = share * bones[a, row, 1] + (1.0 - share) * bones[b, row, 1]
            m2 = share * bones[a, row, 2] + (1.0 - share) * bones[b, row, 2]
            m3 = share * bones[a, row, 3] + (1.0 - share) * bones[b, row, 3]
            points[p, row] = m0 * x + m1 * y + m2 * z + m3
            normals[p, row] = m0 * i + m1 * j + m2 * k


@kernel
def see(points: Floats, eye: Pinhole, screen: Floats) -> None:
    """Write u, v and nearness (n, 3) of points; nearness is 0 for those that cannot be drawn."""
    m, s = eye.camera_from_world, eye.shift_m
    for p in range(len(points)):
        x, y, z = points[p, 0], points[p, 1], points[p, 2]
        ahead = m[2, 0] * x + m[2, 1] * y + m[2, 2] * z + s[2]
        if ahead < NEAR_M:
            screen[p, 2] = 0.0
            continue
        nearness = 1.0 / ahead
        screen[p, 0] = eye.fx * (m[0, 0] * x + m[0, 1] * y + m[0, 2] * z + s[0]) * nearness + eye.cx
        screen[p, 1] = eye.fy * (m[1, 0] * x + m[1, 1] * y + m[1, 2] * z + s[1]) * nearness + eye.cy
        screen[p, 2] = nearness


@kernel
def draw(screen: Floats, triangles: Numbers, first: int, seen: Seen) -> None:
    """Draw the triangles that face the camera, numbered from `first`, where they are the nearest."""
    nearness, ids = seen.nearness, seen.ids
    h, w = nearness.shape
    for t in range(len(triangles)):
        a, b, c = triangles[t, 0], triangles[t, 2], triangles[t, 1]  # clockwise where v goes down
        za, zb, zc = screen[a, 2], screen[b, 2], screen[c, 2]
        if za <= 0.0 or zb <= 0.0 or zc <= 0.0:
            continue
        ax, ay = np.float64(screen[a, 0]), np.float64(screen[a, 1])
        bx, by = screen[b, 0] - ax, screen[b, 1] - ay
        cx, cy = screen[c, 0] - ax, screen[c, 1] - ay
        area = bx * cy - by * cx
        if area <= 1e-6:
            continue
        left = max(0, int(np.ceil(ax + min(0.0, bx, cx))))
        right = min(w - 1, int(np.floor(ax + max(0.0, bx, cx))))
        top = max(0, int(np.ceil(ay + min(0.0, by, cy))))
        bottom = min(h - 1, int(np.floor(ay + max(0.0, by, cy))))
        # the shares of b and c in a pixel, and nearness, are linear: their steps to the right and down
        b_right, b_down, c_right, c_down = cy / area, -cx / area, -by / area, bx / area
        near_right = b_right * (zb - za) + c_right * (zc - za)
        near_down = b_down * (zb - za) + c_down * (zc - za)
        for v in range(top, bottom + 1):
            x, y = left - ax, v - ay
            b_share, c_share = x * b_right + y * b_down, x * c_right + y * c_down
            near, inside = za + x * near_right + y * near_down, False
            for u in range(left, right + 1):
                if b_share >= -1e-5 and c_share >= -1e-5 and b_share + c_share <= 1.00001:
                    inside = True
                    if near > nearness[v, u]:
                        nearness[v, u] = near
                        ids[v, u] = first + t
                elif inside:
                    break
                b_share += b_right
                c_share += c_right
                near += near_right


@kernel
def window_of(screen: Floats, margin: int, picture: Window) -> Window:
    """The part of a picture that points (n, 3) lie in, and `margin` pixels around it."""
    left, top, right, bottom = 1e9, 1e9, -1e9, -1e9
    for p in range(len(screen)):
        if screen[p, 2] > 0.0:
            left, right = min(left, screen[p, 0]), max(right, screen[p, 0])
            top, bottom = min(top, screen[p, 1]), max(bottom, screen[p, 1])
    if left > picture.right or top > picture.bottom or right < picture.left or bottom < picture.top:
        return Window(0, 0, 0, 0)  # also where there are no points
    return Window(
        max(picture.left, int(left) - margin),
        max(picture.top, int(top) - margin),
        min(picture.right, int(right) + 2 + margin),
        min(picture.bottom, int(bottom) + 2 + margin),
    )


@kernel
def before_lamp(nearness: Floats, eye: Pinhole, lamp: Pinhole) -> Floats:
    """Where a lamp sees the surfaces of a picture (h, w): column, row and nearness (h, w, 3)."""
    places = np.zeros((nearness.shape[0], nearness.shape[1], 3), np.float32)
    point = np.zeros((1, 3), np.float32)
    for v in range(nearness.shape[0]):
        for u in range(nearness.shape[1]):
            z = 1.0 / nearness[v, u]
            x, y = (u - eye.cx) / eye.fx * z - eye.shift_m[0], (v - eye.cy) / eye.fy * z - eye.shift_m[1]
            z -= eye.shift_m[2]
            for i in range(3):
                axis = eye.camera_from_world[:, i]
                point[0, i] = axis[0] * x + axis[1] * y + axis[2] * z
            see(point, lamp, places[v, u : u + 1])
    return places


@kernel
def shadow_window(points: Floats, place_m: NDArray[np.float64], eye: Pinhole, around: Window) -> Window:
    """The window that holds `around` and the shadow which points (n, 3) cast on the floor from a lamp."""
    fallen = np.zeros((1, 3), np.float32)
    screen = np.empty((len(points), 3), np.float32)
    for p in range(len(points)):
        far = place_m[2] / max(0.2, place_m[2] - points[p, 2])
        for i in range(2):
            fallen[0, i] = place_m[i] + (points[p, i] - place_m[i]) * far
        see(fallen, eye, screen[p : p + 1])
    other = window_of(screen, 2, Window(0, 0, 1 << 30, 1 << 30))
    if around.left == around.right:
        return other
    left, top = min(around.left, other.left), min(around.top, other.top)
    return Window(left, top, max(around.right, other.right), max(around.bottom, other.bottom))
