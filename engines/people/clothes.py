"""What bodies are covered with: materials as rows of numbers that a renderer reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Color = tuple[float, float, float]  # linear red, green and blue, the share of light that comes back

PLAIN, HOOPS, STRIPES, CHECKS, TWO_TONE, PATCH, DOTS, TILES, PLANKS = range(9)


class Material(NamedTuple):
    """A surface. `pattern` mixes `color` and `other`; `hole` is the share of it that depth does not see."""

    color: Color
    other: Color = (0.0, 0.0, 0.0)
    pattern: int = PLAIN
    period_m: float = 0.1
    part: float = 0.5  # of a period that has the other colour; where two tones meet; how large a patch is
    grain: float = 0.06  # how much its brightness varies
    hole: float = 0.0


def rows_of(materials: Sequence[Material]) -> NDArray[np.float32]:
    """Materials as a renderer reads them: (k, 11)."""
    rows = [(*m.color, *m.other, m.pattern, m.period_m, m.part, m.grain, m.hole) for m in materials]
    return np.array(rows, np.float32).reshape(-1, 11)


def linear(code: str) -> Color:
    """A colour from its six hexadecimal digits as screens know it."""
    red, green, blue = ((int(code[i : i + 2], 16) / 255) ** 2.2 for i in (0, 2, 4))
    return red, green, blue


def _palette(codes: str) -> list[Color]:
    return [linear(code) for code in codes.split()]


SKINS = _palette("f1cfb8 e3b494 c99572 a9754f 7f5236 553423")
HAIRS = _palette("17120f 2b1e16 4a3120 6e4a2b a8824f cfb27c 7c2f16 9c9b98")
DARK_HAIR = 3  # the first ones are so dark that depth has holes there
SHOES = _palette("141416 2b211b e8e6e1 5b4534 1d2a44 8b1f24")
MUTED = _palette(
    "1c1f26 22335c c9c6bd 6f7781 3d4a2f 101a2c 2b2d31 4a4f58 5c5148 34445c e7e3da"
)  # most people's
BRIGHT = _palette("8c1d2b 2f6b46 d9a441 3a7ca5 b85c38 5a3a6b c97b9b 7d1f3f 4f8f8b")
BOTTOMS = _palette("171a21 26344f 3c4a66 4b4038 6b6459 9a8f7c 2c2f33 53331f 1b2b22")
BAGS = _palette("15171a 5b2d1c 27406b 8d2b2b 4d5538 a58b62 3a3d42 c2571a")
