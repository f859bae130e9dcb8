"""Things: what people push, and what stands about. One bone each; materials count from 0."""

from __future__ import annotations

from math import cos, sin
from random import Random

from engines.people.clothes import CHECKS, PLAIN, STRIPES, Material, linear
from engines.people.shapes import Ring, Shape, box, merged, stick, tube

Thing = tuple[Shape, tuple[Material, ...]]

HANDLE_M = 0.50  # a trolley's handle is this far before who pushes it


def trolley_of(chance: Random) -> Thing:
    """A parcel trolley before the one who pushes it: boxes on a platform."""
    start = HANDLE_M
    parts = [box((start + 0.04, -0.27, 0.14), (start + 0.84, 0.27, 0.19), 0)]
    for side in (-0.24, 0.24):
        line = [(start + 0.06, side, 0.19), (start + 0.03, side, 0.55), (start, side, 1.00)]
        parts.append(stick(line, 0.014, 1))
        for ahead in (0.14, 0.74):
            wheel = [(start + ahead, side - 0.02, 0.07), (start + ahead, side + 0.02, 0.07)]
            parts.append(stick(wheel, 0.07, 2, sides=10))
    parts.append(stick([(start, -0.24, 1.00), (start, 0.24, 1.00)], 0.016, 1))
    low = 0.19
    for material, count in ((3, 1), (4, chance.choice((1, 2)))):
        tall = chance.uniform(0.24, 0.38)
        for i in range(count):
            left, wide = -0.24 + 0.25 * i, 0.23 if count == 2 else chance.uniform(0.36, 0.48)
            ahead = chance.uniform(0.0, 0.10)
            near, far = start + 0.10 + ahead, start + 0.68 + ahead
            parts.append(box((near, left, low), (far, left + wide, low + tall), material))
        low += tall
    cards = [linear(code) for code in ("b08a5b", "9c7748", "c4a272", "7f8c99")]
    steel, grey, black = (
        Material(linear("8d949b"), hole=0.15),
        Material(linear("4b5158")),
        Material(linear("17181a")),
    )
    taped = Material(chance.choice(cards), linear("d8cdb2"), STRIPES, 0.30, 0.12)
    return merged(parts), (grey, steel, black, taped, Material(chance.choice(cards)))


def wheelchair_of(chance: Random) -> Thing:
    """A wheelchair around the one who sits in it, whose hips are at the origin."""
    parts = [
        box((-0.20, -0.22, 0.44), (0.24, 0.22, 0.49), 1),
        box((-0.25, -0.21, 0.50), (-0.21, 0.21, 0.93), 1),
    ]
    for side in (-0.29, 0.29):
        parts.append(stick([(-0.06, side - 0.014, 0.305), (-0.06, side + 0.014, 0.305)], 0.305, 2, sides=20))
        parts.append(stick([(-0.06, side - 0.024, 0.305), (-0.06, side + 0.024, 0.305)], 0.07, 0, sides=10))
        inner = 0.8 * side
        back = [(-0.34, inner, 0.93), (-0.23, inner, 0.92), (-0.22, inner, 0.48)]
        parts.append(stick([*back, (0.30, inner, 0.46), (0.46, inner, 0.14)], 0.014, 0))
        parts.append(stick([(0.30, inner - 0.015, 0.08), (0.30, inner + 0.015, 0.08)], 0.08, 2, sides=10))
        parts.append(box((0.40, inner - 0.07, 0.11), (0.62, inner + 0.07, 0.13), 0))
        parts.append(box((-0.18, inner - 0.03, 0.66), (0.16, inner + 0.03, 0.69), 1))
    seat = linear(chance.choice(("1b1d22", "24324f", "5a1f24")))
    return merged(parts), (
        Material(linear("9aa0a6"), hole=0.15),
        Material(seat),
        Material(linear("15161a"), hole=0.05),
    )


def table_of(chance: Random) -> Thing:
    """A table 1.4 m long with things on it, along x."""
    parts = [box((-0.70, -0.35, 0.70), (0.70, 0.35, 0.74), 0)]
    for x in (-0.64, 0.64):
        parts += [stick([(x, y, 0.0), (x, y, 0.70)], 0.025, 1) for y in (-0.29, 0.29)]
    parts.append(box((-0.52, -0.20, 0.74), (-0.30, 0.10, 0.765), 2))
    parts.append(box((0.10, -0.22, 0.74), (0.44, 0.02, 0.755), 3))
    cup = [Ring((0.55, 0.15, z), 0.04, 0.04) for z in (0.745, 0.84)]
    parts.append(tube(cup, 4, 12))
    top = linear(chance.choice(("c9b08a", "e4e1da", "7a5a3c")))
    papers = Material(linear("efece4"), linear("3f6fa3"), CHECKS, 0.11, 0.5)
    return merged(parts), (
        Material(top, grain=0.05),
        Material(linear("3a3d40")),
        papers,
        Material(linear("2a2d33")),
        Material(linear(chance.choice(("b23a3a", "e8e6e1", "2f6b46")))),
    )


def plant_of(chance: Random) -> Thing:
    """A plant in a pot, up to a person's hips."""
    pot = [Ring((0.0, 0.0, z), r, r) for z, r in ((0.0, 0.14), (0.20, 0.18), (0.40, 0.20), (0.42, 0.17))]
    parts = [tube(pot, 0, 16)]
    for i in range(22):
        angle, tall = 0.7 * i, chance.uniform(0.50, 0.95)
        far = chance.uniform(0.10, 0.42)
        x, y = far * cos(angle), far * sin(angle)
        leaf = [(0.2 * x, 0.2 * y, 0.40), (0.55 * x, 0.55 * y, 0.45 + 0.6 * (tall - 0.4)), (x, y, tall)]
        parts.append(stick(leaf, chance.uniform(0.010, 0.016), 1, sides=5))
        rings = [Ring((x, y, tall + z), r, 0.7 * r) for z, r in ((-0.05, 0.02), (0.0, 0.075), (0.03, 0.03))]
        parts.append(tube(rings, 1 + i % 2, 7))
    pots = linear(chance.choice(("8a4b35", "d9d6cf", "3c3f44")))
    leaves = (Material(linear(code), grain=0.25) for code in ("3f7a3a", "2c5a2e"))
    return merged(parts), (Material(pots), *leaves)


def bench_of(chance: Random) -> Thing:
    """A bench without a back, along x."""
    parts = [box((-0.75, -0.20 + 0.135 * i, 0.42), (0.75, -0.085 + 0.135 * i, 0.46), 0) for i in range(3)]
    parts += [box((x - 0.04, -0.18, 0.0), (x + 0.04, 0.18, 0.42), 1) for x in (-0.6, 0.6)]
    wood = linear(chance.choice(("a9743f", "7a4e2d", "c79a63")))
    return merged(parts), (Material(wood, grain=0.10, pattern=PLAIN), Material(linear("2b2e31")))
