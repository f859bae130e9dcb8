"""Heads: skull and face, neck, hair and hats."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from engines.people.measures import Measures
from engines.people.shapes import Ring, Shape, stick, tube
from engines.people.skeleton import CHEST, HEAD

Hair = Literal["bald", "short", "full", "long", "bun", "tail"]
Hat = Literal["none", "cap", "brim", "beanie", "scarf"]

FORWARD = 0.010  # the skull's middle is before the neck by this share of stature
# from the chin (0) to the top (1), as shares of the head's height, breadth and length: height, across, deep, x
_SKULL = [
    (0.01, 0.19, 0.13, 0.21),
    (0.10, 0.30, 0.25, 0.13),
    (0.24, 0.40, 0.37, 0.05),
    (0.40, 0.46, 0.45, 0.015),
    (0.54, 0.49, 0.49, 0.0),
    (0.66, 0.50, 0.50, -0.005),
    (0.77, 0.48, 0.475, -0.012),
    (0.87, 0.40, 0.40, -0.015),
    (0.945, 0.28, 0.28, -0.015),
    (0.985, 0.15, 0.15, -0.015),
    (1.0, 0.04, 0.04, -0.015),
]
# the part of the skull that hair grows on
_SCALP = [
    (0.30, 0.38, 0.16, -0.30),
    (0.42, 0.48, 0.24, -0.24),
    (0.54, 0.50, 0.33, -0.16),
    (0.64, 0.505, 0.42, -0.085),
    (0.74, 0.49, 0.465, -0.030),
    *_SKULL[7:],
]


def skull_of(body: Measures) -> tuple[float, float]:
    """Where the middle of the skull is at rest: how far forward, and how high."""
    return FORWARD * body.stature, body.head_centre_height


def head_of(body: Measures, material: int) -> Iterator[Shape]:
    """Skull, face, nose and ears."""
    yield tube([_ring(body, row) for row in _SKULL], material, 16)
    x, low, tall = FORWARD * body.stature, body.chin_height, body.head_height
    length, half = body.head_length, body.head_breadth / 2
    yield stick(
        [(x + 0.475 * length, 0.0, low + 0.56 * tall), (x + 0.56 * length, 0.0, low + 0.40 * tall)],
        0.011,
        material,
        HEAD,
    )
    for side in (half, -half):
        yield stick(
            [
                (x - 0.03 * length, side, low + 0.38 * tall),
                (x - 0.05 * length, side * 1.05, low + 0.56 * tall),
            ],
            0.016,
            material,
            HEAD,
            5,
        )


def neck_of(body: Measures, material: int) -> Shape:
    """From between the shoulders into the head."""
    r, low, high = body.neck_radius, body.shoulder_height, body.chin_height + 0.30 * body.head_height
    x = FORWARD * body.stature
    rings = [
        Ring((-0.012, 0.0, low - 0.02), 1.1 * r, 1.1 * r, (CHEST, HEAD), 1.0),
        Ring((-0.008, 0.0, low + 0.4 * (high - low)), r, r, (CHEST, HEAD), 0.6),
        Ring((x - 0.012, 0.0, high), 0.95 * r, 1.05 * r, (CHEST, HEAD), 0.1),
    ]
    return tube(rings, material, 12)


def hair_of(body: Measures, hair: Hair, material: int, covered: bool) -> Iterator[Shape]:
    """Hair on the skull and what hangs from it; under a hat it lies flat."""
    if hair == "bald":
        return
    thick = {"short": 0.010, "full": 0.026, "long": 0.018, "bun": 0.012, "tail": 0.012}[hair]
    yield tube([_ring(body, row, 0.006 if covered else thick) for row in _SCALP], material, 16)
    x, low, tall = FORWARD * body.stature, body.chin_height, body.head_height
    back = x - 0.5 * body.head_length
    if hair == "long":
        yield tube(_hanging_hair(body, back), material, 12)
    elif hair == "bun" and not covered:
        rows = [(0.62, 0.018), (0.68, 0.034), (0.76, 0.042), (0.84, 0.034), (0.90, 0.016)]
        rings = [Ring((back - 0.020, 0.0, low + share * tall), r, r, (HEAD, HEAD)) for share, r in rows]
        yield tube(rings, material, 10)
    elif hair == "tail":
        tail = [(back - 0.01, 0.0, low + 0.62 * tall), (back - 0.06, 0.0, low + 0.55 * tall)]
        tail += [(back - 0.075, 0.0, low + 0.25 * tall), (back - 0.06, 0.0, low - 0.15 * tall)]
        yield stick(tail, 0.024, material, HEAD, 8)


def hat_of(body: Measures, hat: Hat, material: int) -> Iterator[Shape]:
    """A cap with a visor, a hat with a brim, a beanie or a headscarf."""
    if hat == "none":
        return
    x, low, tall = FORWARD * body.stature, body.chin_height, body.head_height
    bare = [row for row in _SKULL if row[0] >= (0.01 if hat == "scarf" else 0.66)]
    thick = {"cap": 0.014, "brim": 0.018, "beanie": 0.022, "scarf": 0.016}[hat]
    if hat == "scarf":
        bare = [(0.0, 0.42, 0.34, -0.12), (0.25, 0.50, 0.40, -0.10), (0.5, 0.52, 0.45, -0.06), *_SKULL[5:]]
    yield tube([_ring(body, row, thick) for row in bare], material, 16)
    brim = low + 0.70 * tall
    if hat == "cap":
        flat = [(brim + 0.002, 0.9), (brim + 0.008, 1.0), (brim + 0.014, 0.9)]
        rings = [
            Ring((x + 0.46 * body.head_length, 0.0, z), 0.075 * s, 0.085 * s, (HEAD, HEAD), 1.0, 2.3, -0.12)
            for z, s in flat
        ]
        yield tube(rings, material, 14)
    elif hat == "brim":
        flat = [(brim - 0.004, 0.97), (brim + 0.002, 1.0), (brim + 0.008, 0.97)]
        rings = [Ring((x, 0.0, z), 0.165 * s, 0.18 * s, (HEAD, HEAD)) for z, s in flat]
        yield tube(rings, material, 20)


def _hanging_hair(body: Measures, back: float) -> list[Ring]:
    """Long hair from the back of the head over the upper back."""
    low, tall, wide = body.chin_height, body.head_height, body.head_breadth
    rows = [
        (back + 0.045, low + 0.60 * tall, 0.50 * wide, 0.045, 0.0),
        (back + 0.020, low + 0.30 * tall, 0.52 * wide, 0.050, 0.1),
        (back + 0.000, low - 0.05 * tall, 0.56 * wide, 0.040, 0.4),
        (-0.5 * body.chest_depth - 0.012, low - 0.45 * tall, 0.58 * wide, 0.028, 0.8),
        (-0.5 * body.chest_depth - 0.030, low - 0.85 * tall, 0.50 * wide, 0.020, 1.0),
    ]
    return [Ring((x, 0.0, z), across, deep, (CHEST, HEAD), share, 2.4) for x, z, across, deep, share in rows]


def _ring(body: Measures, row: tuple[float, float, float, float], thick_m: float = 0.0) -> Ring:
    height, across, deep, ahead = row
    x = FORWARD * body.stature + ahead * body.head_length
    z = body.chin_height + height * body.head_height + thick_m * max(0.0, height - 0.6) / 0.4
    return Ring(
        (x, 0.0, z), across * body.head_breadth + thick_m, deep * body.head_length + thick_m, (HEAD, HEAD)
    )
