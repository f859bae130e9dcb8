"""Depth of simple scenes seen from above, ray by ray: ellipsoids and boxes on a floor. Not the product's simulator,
so that what is tested against it is not tested against itself.
"""

from dataclasses import dataclass

import numpy as np

from calibration.camera import Intrinsics, Mount, View, pose_of

LENS = Intrinsics(640, 480, 385.0, 385.0, 319.5, 239.5)


@dataclass(frozen=True)
class Ball:
    """An ellipsoid: middle and half axes in metres, turned about z."""

    middle: tuple
    half: tuple
    turn_deg: float = 0.0

    def hits(self, origin, rays):
        turn = np.radians(self.turn_deg)
        to_local = np.array([[np.cos(turn), np.sin(turn), 0], [-np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
        start = to_local @ (origin - np.array(self.middle)) / self.half
        way = rays @ to_local.T / np.array(self.half)
        a, b, c = (way**2).sum(axis=-1), way @ start, start @ start - 1
        root = b**2 - a * c
        return np.where(root > 0, (-b - np.sqrt(np.maximum(root, 0))) / a, np.inf)


@dataclass(frozen=True)
class Box:
    """An upright box: its lowest and highest corner."""

    low: tuple
    high: tuple

    def hits(self, origin, rays):
        with np.errstate(divide="ignore"):
            one, other = ((np.array(corner) - origin) / rays for corner in (self.low, self.high))
        enters, leaves = np.minimum(one, other).max(axis=-1), np.maximum(one, other).min(axis=-1)
        return np.where((enters < leaves) & (leaves > 0), enters, np.inf)


def person(x, y, height=1.72, turn_deg=0.0):
    """Head, shoulders, trunk, arms and legs; shoulders lie along `turn_deg`."""
    s, head = height / 1.75, max(height / 1.75, 0.88)  # a child's head is almost as large as its parents'
    side = np.array([np.cos(np.radians(turn_deg)), np.sin(np.radians(turn_deg))])

    def at(off, z):
        return (x + off * side[0], y + off * side[1], z * height)

    return [
        Ball(at(0, 1.0 - 0.12 * head / height), (0.075 * head, 0.095 * head, 0.12 * head), turn_deg),
        Ball(at(0, 0.80), (0.21 * s, 0.11 * s, 0.07 * s), turn_deg),
        Ball(at(0, 0.64), (0.165 * s, 0.115 * s, 0.32 * s), turn_deg),
        *(Ball(at(off * s, 0.60), (0.05, 0.05, 0.30 * s), turn_deg) for off in (-0.22, 0.22)),
        *(Ball(at(off * s, 0.24), (0.075, 0.085, 0.45 * s), turn_deg) for off in (-0.09, 0.09)),
    ]


def view(height_m=3.0, pitch_deg=0.0, roll_deg=0.0, lens=LENS):
    mount = Mount(0.0, 0.0, 0.0, height_m, pitch_deg, roll_deg)
    return View(lens, mount, pose_of(mount))


def depth_of(things, seen, noise=0.0, seed=0, nearest_m=0.3):
    """Depth in millimetres (h, w) uint16; `noise` is the deviation of inverse depth in 1/m."""
    lens, pose = seen.intrinsics, seen.pose
    rows, columns = np.mgrid[: lens.height_px, : lens.width_px]
    rays = np.stack([columns, rows, np.ones_like(rows)], axis=-1) @ seen.world_from_pixel.T
    with np.errstate(divide="ignore"):
        metres = np.where(rays[..., 2] < -1e-6, -pose.translation_m[2] / rays[..., 2], np.inf)
    for thing in things:
        metres = np.minimum(metres, thing.hits(pose.translation_m, rays))
    if noise:
        metres = 1 / (1 / metres + np.random.default_rng(seed).normal(0, noise, metres.shape))
    metres = np.where((metres > nearest_m) & (metres < 60), metres, 0)
    return (metres * 1000).round().astype(np.uint16)
