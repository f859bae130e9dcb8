"""What a walk must hold to be hard enough, seen from its paths; the truth that is written is counted again later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from engines.people.crowd import Person
from engines.people.setting import Camera
from engines.people.walk import STEP_S
from engines.people.zones import seen_by

Array = NDArray[np.float64]

PEOPLE, SECONDS = 12, 120.0  # for these all goals are met; from here on they are sought
EVERY = 4  # paths are looked at in steps of time
PASSES, NEAR_M = 12, 0.485  # a few more, and a little nearer, than what is promised
RETURNS, AWAY_S = 6, 60.2
VIEWS, IN_VIEW_S = 3, 0.8
STANDS_S, STILL_M_S = 11.0, 0.08
WIDE_M, TOP_M = 0.30, 0.15  # half a person's width, and of a head above its middle


@dataclass(frozen=True, eq=False)
class Seen:
    """Heads over time: floor points (t, n, 2), speeds (t, n), and which camera has each in its picture (c, t, n)."""

    points: Array
    speeds: Array
    views: NDArray[np.bool_]
    present: NDArray[np.bool_]


def shortfall(people: Sequence[Person], cameras: Sequence[Camera], paths: Array) -> int:
    """How far paths, each EVERY steps of time, are from hard enough: 0 where everyone is in enough views, enough
    come back or pass near others, someone stands, and someone turns back.
    """
    seen = heads_of(people, cameras, paths)
    views = (seen.views.sum(axis=1) * EVERY * STEP_S >= IN_VIEW_S).sum(axis=0)
    missing = np.maximum(min(VIEWS, len(cameras)) - views, 0).sum()
    missing += max(PASSES - _passes(seen), 0) + max(RETURNS - _returns(seen), 0)
    return int(missing) + (not _someone_stands(seen)) + (not _someone_turns_back(seen))


def heads_of(people: Sequence[Person], cameras: Sequence[Camera], paths: Array) -> Seen:
    """Where heads are, and who sees them."""
    ahead = np.array([person.ahead_m - 0.04 for person in people])
    heights = np.array([person.body.head_centre_height for person in people])
    seats = np.array([person.style.seat_m - person.body.hip_height for person in people])
    heights = heights + np.where([person.style.seat_m > 0 for person in people], seats, 0.0)
    toward = np.stack([np.cos(paths[..., 2]), np.sin(paths[..., 2])], axis=-1)
    points = paths[..., :2] - ahead[:, None] * toward
    heads = np.concatenate([points, np.broadcast_to(heights[:, None], (*points.shape[:2], 1))], axis=-1)
    present = paths[..., 6] > 0
    views = np.stack(
        [seen_by(camera, heads) & present & ~_hidden(camera, heads, present) for camera in cameras]
    )
    return Seen(points, paths[..., 3], views, present)


def _hidden(camera: Camera, heads: Array, present: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which heads (t, n, 3) a camera may not see for others, who stand before it up to their own heads (t, n)."""
    hidden = np.zeros(present.shape, np.bool_)
    place = -camera.eye.camera_from_world.T @ camera.eye.shift_m
    for one, other in permutations(range(present.shape[1]), 2):
        both = np.flatnonzero(present[:, one] & present[:, other])
        toward, across = heads[both, one] - place, heads[both, other] - place
        share = (toward[:, :2] * across[:, :2]).sum(axis=1) / np.maximum(
            (toward[:, :2] ** 2).sum(axis=1), 1e-9
        )
        miss = np.linalg.norm(across[:, :2] - share[:, None] * toward[:, :2], axis=1)
        under = place[2] + share * toward[:, 2] < heads[both, other, 2] + TOP_M
        hidden[both, one] |= (share > 0.0) & (share < 1.0) & (miss < WIDE_M) & under
    return hidden


def _passes(seen: Seen) -> int:
    """How often two in one view come near each other."""
    count = 0
    for one in range(seen.points.shape[1]):
        for other in range(one):
            apart = np.linalg.norm(seen.points[:, one] - seen.points[:, other], axis=1)
            both = (seen.views[:, :, one] & seen.views[:, :, other]).any(axis=0)
            count += _times(both & (apart < NEAR_M), both & (apart < 1.0))
    return count


def _times(inner: NDArray[np.bool_], outer: NDArray[np.bool_]) -> int:
    """How many runs of `outer` hold some of `inner`."""
    run = np.cumsum(np.diff(outer.astype(np.int8), prepend=0) == 1)
    return len(set(run[inner & outer].tolist()))


def _returns(seen: Seen) -> int:
    """How many come back into view after having been nowhere for long."""
    anywhere: NDArray[np.bool_] = np.asarray(seen.views.any(axis=0))
    count = 0
    for n in range(anywhere.shape[1]):
        leaves = np.flatnonzero(seen.present[:-1, n] & ~seen.present[1:, n])
        enters = np.flatnonzero(~seen.present[:-1, n] & seen.present[1:, n])
        for leave in leaves:
            back = enters[enters > leave]
            if len(back) and (back[0] - leave) * EVERY * STEP_S >= AWAY_S:
                count += bool(anywhere[:leave, n].any() and anywhere[back[0] :, n].any())
    return count


def _someone_stands(seen: Seen) -> bool:
    still: NDArray[np.bool_] = seen.views.any(axis=0) & (seen.speeds < STILL_M_S)
    needed = int(STANDS_S / (EVERY * STEP_S))
    if len(still) < needed:
        return False
    return bool(np.lib.stride_tricks.sliding_window_view(still, needed, axis=0).all(axis=-1).any())


def _someone_turns_back(seen: Seen) -> bool:
    """Whether someone leaves a view near where they came in, having been far from there."""
    for view in seen.views:
        for n in range(view.shape[1]):
            edges = np.diff(np.r_[0, view[:, n].astype(np.int8), 0])
            for start, end in zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1), strict=True):
                walked = seen.points[start:end, n] - seen.points[start, n]
                far = np.linalg.norm(walked, axis=1)
                if far.max() >= 1.1 and far[-1] <= 0.4 * far.max():
                    return True
    return False
