"""Passages of people before a camera as a tracker gives them: boxes that wander, some that begin late, and
some in which the tracker has gone over to somebody else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engines.reid.lab.cameras import JITTER
from engines.reid.lab.chance import drawn
from engines.reid.lab.laboratory import Key, Laboratory, Seen

FRAMES = (12, 40)
FPS = 10.0
SESSION_S = 12.0  # a person passes a camera once in each, so that two of their tracklets there never overlap
STAYS = 0.9  # of how far off a box was, from one frame to the next
SWITCHED, TRUNCATED = 0.05, 0.20  # shares of tracklets
LONGEST_SWITCH = 0.4  # of a tracklet


class Box(NamedTuple):
    """One frame: whom it shows, and how far off its box is (3,)."""

    key: Key
    shift: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Tracklet:
    """What one camera's tracker takes for one person."""

    person: int
    camera: int
    session: int
    start_s: float
    boxes: tuple[Box, ...]
    is_truncated: bool

    @property
    def end_s(self) -> float:
        """When its last frame is taken."""
        return self.start_s + (len(self.boxes) - 1) / FPS

    @property
    def switched(self) -> NDArray[np.bool_]:
        """Which frames show somebody else (n,)."""
        return np.array([box.key.person != self.person for box in self.boxes])

    def overlaps(self, other: Tracklet) -> bool:
        """Whether both are before the same camera at the same time: they are two people then."""
        same = self.camera == other.camera
        return same and self.start_s <= other.end_s and other.start_s <= self.end_s

    def seen(self, laboratory: Laboratory) -> list[Seen]:
        """Its pictures, drawn now."""
        return [laboratory.seen(box.key, box.shift) for box in self.boxes]


def tracklet_of(laboratory: Laboratory, key: tuple[int, int, int], others: range) -> Tracklet:
    """That of a person, a camera and a session; if the tracker goes over to somebody, to one of `others`."""
    person, camera, session = key
    chance = drawn(laboratory.crowd.seed, "tracklet", *key)
    count = int(chance.integers(FRAMES[0], FRAMES[1] + 1))
    start_s = SESSION_S * session + float(chance.uniform(0.0, SESSION_S - FRAMES[1] / FPS))
    whose = np.full(count, person)
    candidates = [other for other in others if other != person]
    if chance.random() < SWITCHED and candidates:
        length = int(chance.integers(2, max(3, int(LONGEST_SWITCH * count))))
        first = int(chance.integers(0, count - length + 1))
        whose[first : first + length] = candidates[int(chance.integers(len(candidates)))]
    is_truncated = bool(chance.random() < TRUNCATED)
    shifts = _wandering(count, chance)
    if is_truncated:  # who comes into the picture is cut off at first
        late = np.linspace(1.0, 0.0, min(count, 6))
        shifts[: len(late), int(chance.integers(2))] += float(chance.choice((-0.25, 0.25))) * late
    boxes = tuple(
        Box(Key(int(who), camera, session, n), shift)
        for n, (who, shift) in enumerate(zip(whose, shifts, strict=True))
    )
    return Tracklet(person, camera, session, start_s, boxes, is_truncated)


def _wandering(count: int, chance: np.random.Generator) -> NDArray[np.float64]:
    """How far off boxes are (count, 3), each near the one before: autoregressive, of deviation JITTER / 2."""
    steps = 0.5 * JITTER * chance.standard_normal((count, 3))
    made = np.empty((count, 3))
    made[0] = steps[0]
    for n in range(1, count):
        made[n] = STAYS * made[n - 1] + np.sqrt(1.0 - STAYS**2) * steps[n]
    return made
