"""Pictures as networks are shown them: checked, and infrared in 8 bits. Knows nothing of networks."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

SAMPLES = 20_000  # pixels that say how bright a picture is as well as all do
DARKEST, BRIGHTEST = 1.0, 99.0  # percentiles of Y16 that become black and white


def readable(picture: NDArray[Any]) -> NDArray[np.uint8]:
    """The picture in 8 bits, (h, w, 3) or (h, w). Y16 is stretched."""
    if picture.ndim == 2 and picture.dtype == np.uint16:
        return stretched(picture)
    if picture.dtype != np.uint8 or not (picture.ndim == 2 or picture.ndim == 3 and picture.shape[2] == 3):
        raise ValueError(
            "a picture is uint8 (height, width, 3) or (height, width), or uint16 (height, width), "
            f"got {picture.dtype} {picture.shape}"
        )
    return picture


def stretched(picture: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """Y16 (h, w) in 8 bits: what is darker than nearly all of it is black, what is brighter white."""
    if not picture.size:
        return np.empty(picture.shape, np.uint8)
    step = max(1, round((picture.size / SAMPLES) ** 0.5))
    black, white = np.percentile(picture[::step, ::step], (DARKEST, BRIGHTEST))
    share = (picture - np.float32(black)) / np.float32(max(white - black, 1.0))
    return np.asarray(np.rint(share.clip(0, 1) * 255), np.uint8)
