"""What stands about like a counter or a pillar: where it is in a picture, and what it looks like.

It is made of a colour and of chance alone, and knows of no piece of furniture.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engines.reid.samplers import Generator

Shares = NDArray[np.float32]  # (height, width), of 0 to 1
Size = tuple[int, int]
TOP, RISE = (0.15, 0.95), 0.25  # of a counter's line, down the picture; how much it rises from end to end
ACROSS, LEAN = (0.12, 0.7), 0.25  # how wide a pillar is, of the picture; how far its top is aside
WHOLE = 0.6  # the share of counters as wide as the picture, and of pillars as tall
SHADE, GRAIN, JOINT, STRIP = 0.3, 0.06, 0.5, 0.12
SOFT_PX = (0.2, 2.0)  # over which an edge goes


def counter(size: Size, generator: Generator) -> tuple[Shares, Shares]:
    """All below a line, or what of it is at one side of the picture; and how far down from its line each pixel is, in
    heights of the picture.
    """
    down, across = _places(size)
    line = generator.uniform(*TOP) + RISE * generator.uniform(-1, 1) * (across - 0.5)
    soft = generator.uniform(*SOFT_PX)
    there = _beyond(down - line, soft / size[0])
    if generator.random() > WHOLE:
        side, end = generator.choice((-1, 1)), generator.uniform(0.2, 0.8)
        there = there * _beyond(side * (across - end), soft / size[1])
    return there, down - line


def pillar(size: Size, generator: Generator) -> tuple[Shares, Shares]:
    """All between two lines that go up, from top to bottom or to some place between; and how far aside of one of them
    each pixel is, in widths.
    """
    down, across = _places(size)
    wide, soft = generator.uniform(*ACROSS), generator.uniform(*SOFT_PX)
    left = generator.uniform(-wide / 2, 1 - wide / 2) + LEAN * generator.uniform(-1, 1) * (down - 0.5)
    there = _beyond(across - left, soft / size[1]) * _beyond(left + wide - across, soft / size[1])
    if generator.random() > WHOLE:
        side, end = generator.choice((-1, 1)), generator.uniform(0.2, 0.8)
        there = there * _beyond(side * (down - end), soft / size[0])
    return there, across - left


def surface(color: NDArray[np.uint8], within: Shares, generator: Generator) -> NDArray[np.uint8]:
    """Of one colour (3,), gently shaded; with a lighter or darker strip along its edge or none, and joints or none."""
    down, across = _places(within.shape)
    light = 1 + SHADE * (generator.uniform(-1, 1) * (down - 0.5) + generator.uniform(-1, 1) * (across - 0.5))
    light = light + generator.uniform(0, GRAIN) * generator.standard_normal(within.shape)
    if generator.random() < 0.5:
        light = light * np.where(within < generator.uniform(0, STRIP), generator.uniform(0.6, 1.5), 1)
    if generator.random() < 0.5:
        turn, every = generator.uniform(0, np.pi), generator.uniform(0.1, 0.5)
        along = np.cos(turn) * down + np.sin(turn) * across / 2
        is_joint = (along / every + generator.random()) % 1 < generator.uniform(0.05, 0.15)
        light = light * np.where(is_joint, generator.uniform(JOINT, 1), 1)
    return (color * light[..., None]).clip(0, 255).astype(np.uint8)


def _places(size: Size) -> tuple[Shares, Shares]:
    """How far down, and how far across, each pixel's middle is."""
    rows, columns = np.mgrid[: size[0], : size[1]].astype(np.float32) + 0.5
    return rows / size[0], columns / size[1]


def _beyond(distance: Shares, soft: float) -> Shares:
    return np.asarray(np.clip(distance / soft + 0.5, 0, 1), np.float32)
