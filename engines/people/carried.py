"""What people carry on them: bags, with their straps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from engines.people.measures import Measures
from engines.people.shapes import Ring, Shape, stick, tube
from engines.people.skeleton import CHEST, HELD_R, PELVIS, skeleton_of

Bag = Literal["none", "backpack", "shoulder", "hand", "shopping", "phone"]


def bag_of(body: Measures, bag: Bag, cloth_m: float, material: int) -> Iterator[Shape]:
    """The bag on top of clothes `cloth_m` thick. In the hand it hangs straight down from the right one."""
    if bag == "backpack":
        yield from _backpack(body, cloth_m, material)
    elif bag == "shoulder":
        yield from _shoulder_bag(body, cloth_m, material)
    elif bag in ("hand", "shopping"):
        _, y, z = (float(value) for value in skeleton_of(body).joints[HELD_R])
        wide, tall = (0.17, 0.24) if bag == "hand" else (0.16, 0.36)
        rows = [(0.92, -tall - 0.16), (1.0, -tall - 0.13), (1.0, -0.20), (0.88, -0.16)]
        rings = [Ring((0.0, y, z + low), 0.06 * s, wide * s, (HELD_R, HELD_R), 1.0, 4.0) for s, low in rows]
        yield tube(rings, material, 16)
        for ahead in (-0.06, 0.06):
            yield stick([(ahead, y, z - 0.16), (0.0, y, z - 0.02)], 0.008, material, HELD_R, 5)
    elif bag == "phone":
        _, y, z = (float(value) for value in skeleton_of(body).joints[HELD_R])
        rings = [
            Ring((0.03, y, z + low), 0.036, 0.075, (HELD_R, HELD_R), 1.0, 5.0, 0.4) for low in (0.035, 0.045)
        ]
        yield tube(rings, material, 12)


def _backpack(body: Measures, cloth_m: float, material: int) -> Iterator[Shape]:
    h = body.stature
    high, low = body.shoulder_height - 0.010 * h, body.hip_height + 0.055 * h
    half, deep = min(0.165, 0.098 * h), min(0.095, 0.056 * h)
    x = -body.chest_depth / 2 - cloth_m - deep + 0.012
    rows = [(0.0, 0.86), (0.06, 0.98), (0.35, 1.0), (0.80, 0.92), (0.94, 0.80), (1.0, 0.55)]
    rings = [
        Ring((x, 0.0, low + share * (high - low)), half * s, deep * s, (CHEST, CHEST), 1.0, 3.2)
        for share, s in rows
    ]
    yield tube(rings, material, 16)
    front, top = body.chest_depth / 2 + cloth_m, body.shoulder_height + cloth_m + 0.018
    for side in (0.55, -0.55):
        y = side * body.biacromial / 2
        over = [
            (x + deep, y, high - 0.03),
            (-0.06, y, top - 0.010),
            (0.0, y, top + 0.004),
            (0.05, y, top - 0.03),
        ]
        down = [
            (0.88 * front, y, body.shoulder_height - 0.07 * h),
            (0.80 * front, y * 1.35, body.hip_height + 0.16 * h),
        ]
        yield stick([*over, *down], 0.017, material, CHEST, 6)


def _shoulder_bag(body: Measures, cloth_m: float, material: int) -> Iterator[Shape]:
    """At the left hip, its strap over the right shoulder."""
    h = body.stature
    y = body.hip_breadth / 2 + cloth_m + 0.055
    rows = [(-0.19, 0.94), (-0.17, 1.0), (0.03, 1.0), (0.06, 0.85)]
    rings = [
        Ring((-0.01, y, body.hip_height + low), 0.055 * s, 0.16 * s, (PELVIS, PELVIS), 1.0, 3.5)
        for low, s in rows
    ]
    yield tube(rings, material, 16)
    front, top = body.chest_depth / 2 + cloth_m + 0.008, body.shoulder_height + cloth_m + 0.018
    right = -0.50 * body.biacromial / 2
    ribs = body.hip_height + 0.18 * h
    line = [
        (0.10, y - 0.02, body.hip_height + 0.02),
        (0.93 * front, 0.30 * body.chest_breadth, ribs - 0.05 * h),
        (front, 0.0, ribs + 0.02 * h),
        (0.72 * front, right * 0.85, body.shoulder_height - 0.05 * h),
        (0.02, right, top),
        (-0.06, right, top - 0.01),
        (-0.95 * front, right * 0.6, body.shoulder_height - 0.09 * h),
        (-1.02 * front, 0.05, ribs),
        (-0.10, y - 0.02, body.hip_height + 0.02),
    ]
    yield stick(line, 0.015, material, CHEST, 6)
