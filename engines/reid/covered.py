"""Covers people of training with noise, a piece of another picture, whom another one shows or something like furniture,
and knows where.

Of what covers somebody nothing has to be told: it is made of the pictures that are learned from, and of chance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engines.reid.furniture import counter, pillar, surface
from engines.reid.samplers import Generator

Pixels = NDArray[np.uint8]  # (height, width, 3)
Mask = NDArray[np.bool_]  # (height, width)
AREA, ASPECT = (0.05, 0.6), (0.6, 1.6)  # of rectangles
ASIDE, DOWN = (0.12, 0.8), (-0.05, 0.19)  # how far others stand, as shares of the picture
TWICE = 0.3  # the share of the covered that are so by two things


class Covered(NamedTuple):
    """A picture, whom it shows, and what of them is not covered."""

    picture: Pixels
    person: Mask
    shows: Mask


@dataclass(frozen=True)
class Covers:
    """All pictures of training, of one size, and where people are in each."""

    pictures: NDArray[np.uint8]  # (n, height, width, 3)
    people: NDArray[np.bool_]  # (n, height, width)

    def drawn(self, at: int, share: float, generator: Generator) -> Covered:
        """A picture as it is or turned, of which something is covered in this share of cases."""
        picture, person = self.pictures[at], self.people[at]
        shows = person
        if generator.random() < share:
            for _ in range(1 + (generator.random() < TWICE)):
                over, there = self._cover(generator)
                mixed = picture + there[..., None] * (over.astype(np.float32) - picture)
                picture, shows = np.rint(mixed).astype(np.uint8), shows & (there == 0)
        if generator.random() < 0.5:
            picture, person, shows = picture[:, ::-1], person[:, ::-1], shows[:, ::-1]
        return Covered(picture, person, shows)

    def _cover(self, generator: Generator) -> tuple[Pixels, NDArray[Any]]:
        """What covers, and where, by how much."""
        size, other = self.people.shape[1:], int(generator.integers(len(self.pictures)))
        kind = generator.integers(4)
        if kind == 0:
            noise = generator.normal(127.5, 127.5, (*size, 3)).clip(0, 255).astype(np.uint8)
            return noise, rectangle(size, generator)
        if kind == 1:
            return self.pictures[other], rectangle(size, generator)
        if kind == 3:
            there, within = (counter, pillar)[generator.integers(2)](size, generator)
            color = self.pictures[other].reshape(-1, 3)[generator.integers(there.size)]
            return surface(color, within, generator), there
        aside = int(generator.choice((-1, 1)) * generator.uniform(*ASIDE) * size[1])
        down = int(generator.uniform(*DOWN) * size[0])
        return moved(self.pictures[other], down, aside), moved(self.people[other], down, aside)


def rectangle(size: tuple[int, int], generator: Generator) -> Mask:
    """Somewhere, of some share of the picture."""
    (tall, wide), area = size, generator.uniform(*AREA)
    high = round(tall * float(np.clip(np.sqrt(area) * generator.uniform(*ASPECT), area, 1)))
    across = min(wide, max(1, round(area * tall * wide / high)))
    top, left = generator.integers(0, tall - high + 1), generator.integers(0, wide - across + 1)
    made = np.zeros(size, np.bool_)
    made[top : top + high, left : left + across] = True
    return made


def moved(picture: NDArray[Any], down: int, aside: int) -> NDArray[Any]:
    """So many pixels; nothing where nothing was."""
    made = np.zeros_like(picture)
    tall, wide = picture.shape[:2]
    to, of = _overlap(down, tall), _overlap(-down, tall)
    made[to, _overlap(aside, wide)] = picture[of, _overlap(-aside, wide)]
    return made


def _overlap(by: int, length: int) -> slice:
    return slice(max(0, by), min(length, length + by))
