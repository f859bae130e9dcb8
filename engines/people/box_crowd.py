"""Boxes of a crowd that walks before one camera, as a detector would find them: people turn, hide each other, and are
missed for a while together with whoever stands beside them. The same scene at every frame rate.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SIZE_PX = (1920, 1080)
FOCAL_PX, CAMERA_M, HORIZON_PX = 620.0, 32.5, 60.0  # it looks down on a square from a roof
# of the square, from how far off to how far off it reaches, and half its width as a share of the distance
NEAR_M, FAR_M, SIDE_M = 19.5, 58.5, 1.4
# for up to so many people it is so large; for more, all its lengths grow with this power of them
PEOPLE, LARGER = 50, 1 / 4
PACE_M_S, LEG_S = (0.8, 1.6), (4.0, 12.0)  # how fast they walk, and how long until they turn
PACE_CHANGE_S = 0.6  # they turn and slow down over so long
PERSON_M, WIDE = (1.5, 1.95), 0.38  # heights, and widths as a share of them
HIDDEN = 0.75  # covered by so much of somebody nearer, a person is not found
# misses begin so often a person and second, last, and reach so far
BURSTS_S, BURST_S, BURST_M = 0.0003, (0.5, 2.0), 2.5
NOISE = 0.015  # of an edge, in box heights


@dataclass(frozen=True, slots=True, eq=False)
class BoxScene:
    """One moment."""

    seconds: float
    boxes: Array  # (n, 4) left, top, right, bottom: where everybody is
    found: NDArray[np.bool_]  # (n,)
    measured: Array  # (m, 4) of those who are found, with noise
    scores: Array  # (m,)


@dataclass(frozen=True, slots=True)
class _Square:
    larger: float  # times its usual size

    def place(self, random: np.random.Generator) -> Array:
        """Somewhere on it: to the side, and how far off (2,)."""
        depth = random.uniform(NEAR_M, FAR_M) * self.larger
        return np.array([random.uniform(-SIDE_M, SIDE_M) * depth, depth])

    def holds(self, place: Array) -> bool:
        return bool(NEAR_M < place[1] / self.larger < FAR_M and abs(place[0]) < SIDE_M * place[1])

    def boxes(self, places: Array, heights: Array) -> Array:
        """Boxes (n, 4) of people of these heights who stand there."""
        scale = FOCAL_PX / places[:, 1]
        feet = HORIZON_PX + CAMERA_M * self.larger * scale
        x, high = SIZE_PX[0] / 2 + places[:, 0] * scale, heights * scale
        wide = WIDE * high
        return np.column_stack([x - wide / 2, feet - high, x + wide / 2, feet])


def box_crowd(
    people: int, seconds: float, fps: float, seed: int, pace_m_s: tuple[float, float] = PACE_M_S
) -> Iterator[BoxScene]:
    """The moments of a crowd, in their order."""
    random = np.random.default_rng(seed)
    times = np.arange(0.0, seconds + 0.05, 0.05)
    square = _Square(max(1.0, people / PEOPLE) ** LARGER)
    walked = np.stack(
        [_way(random, times, square, pace_m_s) for _ in range(people)]
    )  # (people, time, x and depth)
    heights = random.uniform(*PERSON_M, people)
    bursts = _bursts(random, walked, times)
    noise = np.random.default_rng(seed + 1)
    for now in np.arange(round(seconds * fps)) / fps:
        places = np.array([[np.interp(now, times, axis) for axis in way.T] for way in walked])
        boxes = square.boxes(places, heights)
        missed = ((bursts[:, :, 0] <= now) & (now < bursts[:, :, 1])).any(axis=0)
        found = ~missed & (_covered(boxes, places[:, 1]) < HIDDEN)
        wobble = noise.normal(0, NOISE, (people, 4)) * (boxes[:, 3:] - boxes[:, 1:2])
        scores = noise.uniform(0.75, 0.99, people)
        yield BoxScene(float(now), boxes, found, (boxes + wobble)[found], scores[found])


def _way(random: np.random.Generator, times: Array, square: _Square, pace_m_s: tuple[float, float]) -> Array:
    """Somebody's way from place to place, turned off smoothly, as points (time, 2) in metres."""
    place = square.place(random)
    step_s = times[1] - times[0]
    speed, wanted, until_s, points = np.zeros(2), np.zeros(2), 0.0, []
    for now in times:
        if now >= until_s or not square.holds(place + wanted):
            to = square.place(random) - place
            wanted = to / max(float(np.linalg.norm(to)), 1e-9) * random.uniform(*pace_m_s)
            until_s = now + random.uniform(*LEG_S)
        speed = speed + (wanted - speed) * step_s / PACE_CHANGE_S
        place = place + speed * step_s
        points.append(place)
    return np.array(points)


def _bursts(random: np.random.Generator, walked: Array, times: Array) -> Array:
    """When people are missed: from and until (bursts, people, 2), whoever is beside somebody as they begin."""
    people, seconds = len(walked), float(times[-1])
    bursts = np.full((random.poisson(BURSTS_S * people * seconds), people, 2), -1.0)
    for burst in bursts:
        begins, lasts = random.uniform(0, seconds), random.uniform(*BURST_S)
        now = walked[:, int(begins / seconds * (len(times) - 1))]
        beside = np.linalg.norm(now - now[random.integers(people)], axis=1) < BURST_M * random.uniform(0, 1)
        burst[beside] = begins, begins + lasts
    return bursts


def _covered(boxes: Array, depth: Array) -> Any:
    """The largest share of each box that one nearer box covers (n,)."""
    reach = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:]) - np.maximum(
        boxes[:, None, :2], boxes[None, :, :2]
    )
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    share = reach.clip(0).prod(axis=2) / area[:, None]
    return np.where(depth[None, :] < depth[:, None], share, 0.0).max(axis=1)
