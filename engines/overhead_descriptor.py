"""Describes people seen from above by what depth and colour say of them. Needs no network and no training.

The features are those published for overhead RGB-D re-identification (Liciotti, Paolanti, Frontoni, Mancini and
Zingaretti 2017, TVPR): sizes of head and shoulders from depth, colours of hair and clothes. Each is written as a code
whose scalar product with another is a kernel (a Gaussian for sizes, Bhattacharyya's for colours), so that the whole
is a unit vector that can be compared like any network's.

A lamp, an exposure and a white balance multiply each channel of the whole person (von Kries). What the colours of one
part are beside those of another stays as it is; so that is coded too, and counts for more than the colours themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from engines._overhead_plan import kernel

Array = NDArray[np.float32]

# heights as shares of the whole: a head is an eighth, shoulders are at 0.82, hips at 0.53 (Drillis and Contini 1966)
PARTS = {"hair": (0.93, 1.03), "shoulders": (0.68, 0.88), "legs": (0.15, 0.50)}
BODY_M = 0.42  # nothing further from the head's middle is taken for the body
ENOUGH = 30  # pixels of a part
MANY = 600  # pixels of a part that say as much as all
SIZES = {
    "breadth": (0.20, 0.70, 0.03, 0.80),
    "thickness": (0.10, 0.50, 0.03, 0.30),
    "head": (0.10, 0.36, 0.02, 0.50),
}


@dataclass(frozen=True, slots=True, eq=False)
class _Code:
    """How a channel of colour is written, in natural logarithms: a histogram at these places, then blurred."""

    places: Array
    blur: Array

    @classmethod
    def over(cls, low: float, high: float, step: float, blur: float) -> Self:
        places = np.arange(low, high + step / 2, step, dtype=np.float32)
        return cls(places, np.exp(-0.5 * ((places[:, None] - places) / blur) ** 2))


RATIO, LIGHT = _Code.over(-0.9, 0.9, 0.1, 0.08), _Code.over(2.5, 5.5, 0.2, 0.12)
RATIO_BESIDE, LIGHT_BESIDE = _Code.over(-1.5, 1.5, 0.1, 0.08), _Code.over(-2.6, 2.6, 0.2, 0.12)
OWN, BESIDE = (RATIO, RATIO, LIGHT), (RATIO_BESIDE, RATIO_BESIDE, LIGHT_BESIDE)


@dataclass
class OverheadDescriptor:
    """Sizes from depth; colours too, where there is colour."""

    reads: ClassVar[str] = "depth"
    model_id: ClassVar[str] = "overhead_descriptor.2"

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
        codes.extend(np.sqrt(0.5) * code for code in _colors([color[mask] for mask in parts.values()]))
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


def _colors(parts: Sequence[Array]) -> Iterator[Array]:
    """Codes of what each part's colours are, and of what they are beside the middle of each other part's."""
    seen = [_channels(pixels) for pixels in parts]
    middles = [np.median(values, axis=0) if len(values) else None for values in seen]
    for number, values in enumerate(seen):
        for other, middle in enumerate(middles):
            if number == other:
                yield from map(_color_code, values.T, OWN)
            else:
                beside = values[:0] if middle is None else values - middle
                yield from map(_color_code, beside.T, BESIDE)


def _channels(pixels: Array) -> Array:
    """Two log ratios and lightness of pixels (n, 3); of none where there are too few."""
    if len(pixels) < ENOUGH:
        return np.empty((0, 3), np.float32)
    red, green, blue = np.log(pixels[:: max(1, len(pixels) // MANY)].astype(np.float32) + 8.0).T
    return np.stack([red - green, blue - 0.5 * (red + green), (red + green + blue) / 3], axis=1)


def _color_code(values: Array, code: _Code) -> Array:
    """The histogram as square roots: the product of two is Bhattacharyya's. Unknown is alike to all."""
    if not len(values):
        return np.full(len(code.places), len(code.places) ** -0.5, np.float32)
    roots = np.sqrt(_histogram(values, code.places) @ code.blur)
    return np.asarray(roots / np.sqrt(roots @ roots), np.float32)


@kernel
def _histogram(values: Array, bins: Array) -> Array:
    """Shares of the values by bin, each value shared between the two bins that it lies between."""
    width, last = bins[1] - bins[0], np.float32(len(bins) - 1.001)
    below, above = np.zeros(len(bins)), np.zeros(len(bins))
    for value in values:
        place = min(max((value - bins[0]) / width, np.float32(0)), last)
        bin = int(place)
        over = float(place) - bin
        below[bin] += 1 - over
        above[bin + 1] += over
    return ((below + above) / len(values)).astype(np.float32)
