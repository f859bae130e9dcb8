"""Describes people seen from above by what depth and colour say of them. Needs no network and no training.

The features are those published for overhead RGB-D re-identification (Liciotti, Paolanti, Frontoni, Mancini and
Zingaretti 2017, TVPR): sizes of head and shoulders from depth, colours of hair and clothes. Each is written as a code
whose scalar product with another is a kernel (a Gaussian for sizes, Bhattacharyya's for colours), so that the whole
is a unit vector that can be compared like any network's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

# heights as shares of the whole: a head is an eighth, shoulders are at 0.82 (Drillis and Contini 1966)
PARTS = {"hair": (0.93, 1.03), "shoulders": (0.68, 0.88), "clothes": (0.15, 0.66)}
WEIGHTS = {"hair": 1.0, "shoulders": 1.6, "clothes": 1.2}
BODY_M = 0.42  # nothing further from the head's middle is taken for the body
ENOUGH = 30  # pixels of a part
CHROMA = np.linspace(-0.9, 0.9, 16, dtype=np.float32)  # log ratios of colour channels
LIGHT = np.linspace(2.5, 5.5, 8, dtype=np.float32)  # log of the mean channel
SIZES = {
    "breadth": (0.20, 0.70, 0.03, 0.8),
    "thickness": (0.10, 0.50, 0.03, 0.3),
    "head": (0.10, 0.36, 0.02, 0.5),
}


@dataclass
class OverheadDescriptor:
    """Sizes from depth; colours too, where there is colour."""

    model_id: ClassVar[str] = "overhead_descriptor.1"

    def __call__(
        self, colors: Sequence[Array | None], points: Sequence[Array | None], heights_m: Array
    ) -> Array:
        """A unit vector for each crop, (n, d): RGB (h, w, 3) uint8 or None, points (h, w, 3) in metres from the
        head's place on the floor, NaN where unknown, and heights (n,) in metres. Raises ValueError without depth.
        """
        return np.stack([_described(*crop) for crop in zip(colors, points, heights_m, strict=True)])


def _described(color: Array | None, points: Array | None, height_m: float) -> Array:
    if points is None:
        raise ValueError("overhead_descriptor needs depth; choose another embedder for cameras without it")
    z = points[..., 2]
    near = (points[..., 0] ** 2 + points[..., 1] ** 2 < BODY_M**2) & (z > 0.1)
    parts = {name: near & (z > low * height_m) & (z < high * height_m) for name, (low, high) in PARTS.items()}
    codes = _sizes(points, parts)
    if color is not None:
        for name, mask in parts.items():
            codes.extend(WEIGHTS[name] * code for code in _colors(color[mask]))
    vector = np.concatenate(codes)
    unit: Array = (vector / np.linalg.norm(vector)).astype(np.float32)
    return unit


def _sizes(points: Array, parts: dict[str, NDArray[np.bool_]]) -> list[Array]:
    breadth, thickness = _extents(points[parts["shoulders"]][:, :2])
    head = np.sqrt(np.prod(_extents(points[parts["hair"]][:, :2])))
    sizes = {"breadth": breadth, "thickness": thickness, "head": head}
    return [_size_code(sizes[name], *span) for name, span in SIZES.items()]


def _extents(places: Array) -> tuple[float, float]:
    """How far places (n, 2) reach along their longer and their shorter axis, in metres; NaN for too few."""
    if len(places) < ENOUGH:
        return float("nan"), float("nan")
    centred = places - places.mean(axis=0)
    _, axes = np.linalg.eigh(centred.T @ centred)
    low, high = np.percentile(centred @ axes, [4, 96], axis=0)
    short, long = (high - low).tolist()
    return long, short


def _size_code(size_m: float, low_m: float, high_m: float, width_m: float, weight: float) -> Array:
    """A bump at the size: the product of two is a Gaussian of their difference. Unknown is alike to all."""
    places = np.arange(low_m, high_m, width_m)
    bump = np.ones(len(places)) if np.isnan(size_m) else np.exp(-(((places - size_m) / width_m) ** 2)) + 1e-6
    return (weight * bump / np.linalg.norm(bump)).astype(np.float32)


def _colors(pixels: Array) -> list[Array]:
    """Soft histograms of two log ratios and of lightness, as square roots: their products are Bhattacharyya's."""
    if len(pixels) < ENOUGH:
        return [np.full(len(bins), len(bins) ** -0.5, np.float32) for bins in (CHROMA, CHROMA, LIGHT)]
    red, green, blue = np.log(pixels.astype(np.float32) + 8.0).T
    mean = (red + green + blue) / 3
    return [
        np.sqrt(_histogram(red - green, CHROMA)),
        np.sqrt(_histogram(blue - 0.5 * (red + green), CHROMA)),
        0.5 * np.sqrt(_histogram(mean, LIGHT)),
    ]


def _histogram(values: Array, bins: Array) -> Array:
    """Shares of the values by bin, each value shared between the two bins that it lies between."""
    place = np.clip((values - bins[0]) / (bins[1] - bins[0]), 0, len(bins) - 1.001)
    below = place.astype(np.intp)
    over = place - below
    counts = np.bincount(below, 1 - over, len(bins)) + np.bincount(below + 1, over, len(bins))
    shares: Array = (counts / len(values)).astype(np.float32)
    return shares
