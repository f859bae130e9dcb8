"""Finds the floor in depth: the largest plane across the view that has little below it. Knows nothing of people,
and needs none to be away.

Works on inverse depth. There a plane is linear in the ray, `1 / z = a x + b y + c` for the ray (x, y, 1), and
the noise of a stereo camera is the same near and far.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.camera import Intrinsics, Point

Samples = NDArray[np.float64]  # (n, 4): x, y and 1 of the ray, and inverse depth in 1/m

LOWEST_CAMERA_M, HIGHEST_CAMERA_M = 1.5, 10.0
SAMPLES = 3000  # of one picture: enough to fit a plane to a millimetre or two
SCORED = 2000  # of all samples: enough to tell a floor from the rest
TRIES = 500  # triples: finds a floor that fills a fifth of the picture more than 98 times in 100
PLANES_AT_ONCE = 16  # scored: what is computed for them stays in the processor's cache
SETTLED = 1e-9  # 1/m: a fit that changes by less is done
COARSE = 0.012  # 1/m: four times the noise of a D455, a quarter to spare for worse stereo
MIN_SHARE = 0.10  # of the measured points that lie on the floor
MAX_NOISE = 0.016  # 1/m: points that lie no closer than this to a plane lie anywhere
BELOW_COST = 1.5  # a table's top has more floor below it than it is large; glass and gaps are allowed for


@dataclass(frozen=True, slots=True, eq=False)
class FloorPlane:
    """The floor as `normal @ point + height_m = 0` in camera axes, the unit normal pointing up."""

    normal: Point
    height_m: float  # of the camera above the floor
    share: float  # of the measured points that lie on it
    noise: float  # standard deviation of inverse depth on it, 1/m
    on: int  # how many points lie on it

    @property
    def tilt_deg(self) -> float:
        """The angle between the camera's axis and straight below."""
        return float(np.degrees(np.arccos(np.clip(-self.normal[2], -1.0, 1.0))))


def samples_of(depth: NDArray[np.uint16], depth_scale_m: float, intrinsics: Intrinsics) -> Samples:
    """Some of the measured points of depth (h, w), on an even grid."""
    step = max(1, int(np.sqrt(depth.size / SAMPLES)))
    rows, columns = np.nonzero(depth[step // 2 :: step, step // 2 :: step])
    rows, columns = rows * step + step // 2, columns * step + step // 2
    rays = np.column_stack([columns, rows, np.ones(len(rows))]) @ intrinsics.inverse_matrix.T
    return np.column_stack([rays, 1.0 / (depth[rows, columns] * depth_scale_m)])


def points_of(samples: Samples) -> NDArray[np.float64]:
    """The points (n, 3) of samples, metres in camera axes."""
    points: NDArray[np.float64] = samples[:, :3] / samples[:, 3:]
    return points


def find_floor(pictures: Sequence[Samples], max_tilt_deg: float = 50.0) -> FloorPlane:
    """The floor in what one camera saw in one or more pictures. Raises ValueError where there is none, or where
    the unit of depth looks wrong.
    """
    plane = fit_plane(np.concatenate(pictures), max_tilt_deg)
    if not LOWEST_CAMERA_M <= plane.height_m <= HIGHEST_CAMERA_M:
        raise ValueError(
            f"the floor seems {plane.height_m:.3g} m below the camera, not {LOWEST_CAMERA_M} to "
            f"{HIGHEST_CAMERA_M} m; check the unit of depth (millimetres are a depth_scale_m of 0.001)"
        )
    return plane


def found_again(plane: FloorPlane, pictures: Sequence[Samples]) -> FloorPlane | None:
    """The floor from where it was, in newer pictures: much sooner than looking everywhere. None where it is not."""
    samples = np.concatenate(pictures)
    if len(samples) < SAMPLES // 50:
        return None
    found = _plane(samples, _refined(samples, -plane.normal / plane.height_m))
    return found if found.share >= MIN_SHARE and found.noise <= MAX_NOISE else None


def fit_plane(samples: Samples, max_tilt_deg: float = 90.0) -> FloorPlane:
    """The dominant plane with little behind it, at any distance; raises ValueError where there is none."""
    if len(samples) < SAMPLES // 50:
        raise ValueError(
            f"no floor: only {len(samples)} points of the depth are measured; check that nothing covers the lens "
            f"and that the emitter is on"
        )
    tried = _candidates(samples, np.cos(np.radians(max_tilt_deg)))
    scores = _scores(samples[:: -(-len(samples) // SCORED)], tried)
    best = [_refined(samples, tried[i]) for i in np.argsort(-scores, kind="stable")[:5]]
    planes = [_plane(samples, inverse) for inverse in best]
    level = [
        plane
        for plane in planes
        if plane.tilt_deg <= max_tilt_deg and plane.share >= MIN_SHARE and plane.noise <= MAX_NOISE
    ]
    if not level:
        raise ValueError(
            f"no floor: no plane within {max_tilt_deg:g} degrees of straight below holds {MIN_SHARE:.0%} of the "
            f"depth with little under it; check that the camera looks down on open floor, and its unit of depth"
        )
    return max(level, key=lambda plane: plane.share)


def _candidates(samples: Samples, min_cosine: float) -> NDArray[np.float64]:
    """Planes (n, 3) through three points each, in inverse depth."""
    random = np.random.default_rng(0)
    triples = random.integers(0, len(samples), (TRIES, 3))
    rays, inverse = samples[triples, :3], samples[triples, 3]
    usable = np.abs(np.linalg.det(rays)) > 1e-3  # three points that span something
    planes = np.linalg.solve(rays[usable], inverse[usable, :, None])[..., 0]
    # the normal is minus the plane, to scale: the camera's axis must look down on it
    cosines = planes[:, 2] / np.linalg.norm(planes, axis=1)
    kept: NDArray[np.float64] = planes[cosines >= min_cosine]
    return kept


def _scores(samples: Samples, planes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of the points on each plane, less those below it."""
    scores = np.empty(len(planes))
    for first in range(0, len(planes), PLANES_AT_ONCE):
        some = slice(first, first + PLANES_AT_ONCE)
        nearer = samples[:, 3] - planes[some] @ samples[:, :3].T
        on = np.count_nonzero(np.abs(nearer) < COARSE, axis=1)
        below = np.count_nonzero(nearer < -3 * COARSE, axis=1)
        scores[some] = (on - BELOW_COST * below) / len(samples)
    return scores


def _refined(samples: Samples, plane: NDArray[np.float64]) -> NDArray[np.float64]:
    """Tukey's biweight, its scale from the points that lie near the plane."""
    for _ in range(10):
        off = samples[:, 3] - samples[:, :3] @ plane
        weights = np.clip(1.0 - (off / (4.0 * _noise(off))) ** 2, 0.0, None) ** 2
        if np.count_nonzero(weights) < 10:
            return plane
        weighted = samples[:, :3] * weights[:, None]
        normal = weighted.T @ samples[:, :3], weighted.T @ samples[:, 3]
        before, plane = plane, np.asarray(np.linalg.solve(*normal), np.float64)
        if np.abs(plane - before).max() < SETTLED:
            break
    return plane


def _noise(off: NDArray[np.float64]) -> float:
    near = np.abs(off[np.abs(off) < 2 * COARSE])
    return max(float(1.4826 * np.median(near)), 1e-4) if len(near) else COARSE


def _plane(samples: Samples, inverse: NDArray[np.float64]) -> FloorPlane:
    length = float(np.linalg.norm(inverse))
    off = samples[:, 3] - samples[:, :3] @ inverse
    noise = _noise(off)
    on = int(np.count_nonzero(np.abs(off) < 4 * noise))
    return FloorPlane(-inverse / length, 1.0 / length, on / len(samples), noise, on)
