"""Turns the bytes of an encoded picture into pixels. Pure functions by name; knows nothing of files."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray


def decode_picture(codec: str, encoded: bytes) -> Any:
    """Pixels: (h, w, 3) uint8 RGB, or (h, w) uint8 or uint16. Raises ValueError if they are damaged."""
    if codec not in ("png", "jpeg"):
        raise ValueError(f"there is no codec {codec!r}; choose from png, jpeg")
    pixels = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise ValueError(f"a damaged {codec} picture of {len(encoded)} bytes")
    return _rgb(pixels) if pixels.ndim == 3 else pixels


def _rgb(pixels: Any) -> NDArray[Any]:
    return np.ascontiguousarray(pixels[:, :, ::-1])
