"""Turns the bytes of an encoded picture into pixels. Pure functions by name; knows nothing of files.

`png` and `jpeg` are pictures by themselves. `LAYOUT/WIDTHxHEIGHT`, like `mono16/640x480`, is bare pixels, row after
row; with `/zstd` behind it, compressed. Layouts are named as ROS and RealSense name them.
"""

from __future__ import annotations

import re
import sys
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[Any]


class Layout(NamedTuple):
    """How bare pixels lie in memory, and which conversion of OpenCV makes RGB of them, if any is needed."""

    type: str
    channels: int
    to_rgb: int | None = None


BARE = re.compile(r"(?P<layout>\w+)/(?P<width>\d+)x(?P<height>\d+)(?P<zstd>/zstd)?", re.ASCII)
LAYOUTS = {
    "mono8": Layout("u1", 1),
    "8UC1": Layout("u1", 1),
    "mono16": Layout("<u2", 1),
    "16UC1": Layout("<u2", 1),
    "rgb8": Layout("u1", 3),
    "bgr8": Layout("u1", 3, cv2.COLOR_BGR2RGB),
    "rgba8": Layout("u1", 4, cv2.COLOR_RGBA2RGB),
    "bgra8": Layout("u1", 4, cv2.COLOR_BGRA2RGB),
    "YUYV": Layout("u1", 2, cv2.COLOR_YUV2RGB_YUY2),
    "UYVY": Layout("u1", 2, cv2.COLOR_YUV2RGB_UYVY),
    "yuv422": Layout("u1", 2, cv2.COLOR_YUV2RGB_UYVY),
}


def decode_picture(codec: str, encoded: bytes) -> Any:
    """Pixels: (h, w, 3) uint8 RGB, or (h, w) uint8 or uint16; nobody else holds them. Raises ValueError if the bytes
    are damaged.
    """
    if codec == "png":
        from pipeline._png import decode_png  # compiles, which not every run needs

        pixels = decode_png(encoded)
        return _opencv(codec, encoded) if pixels is None else pixels
    if codec == "jpeg":
        return _opencv(codec, encoded)
    return _bare(codec, encoded)


def _opencv(codec: str, encoded: bytes) -> Pixels:
    try:
        pixels = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise ValueError(f"a {codec} picture that OpenCV refuses, {error.err}") from error
    if pixels is None:
        raise ValueError(f"a damaged {codec} picture of {len(encoded)} bytes")
    if pixels.ndim == 2:
        return pixels
    if pixels.dtype != np.uint8:
        raise ValueError(f"a {codec} picture of {pixels.shape[2]} channels of {pixels.dtype}, not of bytes")
    return cv2.cvtColor(pixels, cv2.COLOR_BGRA2RGB if pixels.shape[2] == 4 else cv2.COLOR_BGR2RGB)


def _bare(codec: str, encoded: bytes) -> Pixels:
    named = BARE.fullmatch(codec)
    if named is None or named["layout"] not in LAYOUTS:
        known = f"png, jpeg, or LAYOUT/WIDTHxHEIGHT with one of {', '.join(LAYOUTS)}"
        raise ValueError(f"there is no codec {codec!r}; choose from {known}")
    layout, width, height = LAYOUTS[named["layout"]], int(named["width"]), int(named["height"])
    wanted = width * height * layout.channels * np.dtype(layout.type).itemsize
    content = _unpacked(encoded, wanted) if named["zstd"] else encoded
    if len(content) != wanted or not wanted:
        raise ValueError(f"a {codec} picture of {len(content)} bytes, not {wanted}")
    pixels = np.frombuffer(content, layout.type).reshape(height, width, layout.channels)
    if layout.to_rgb is not None:
        return cv2.cvtColor(pixels, layout.to_rgb)
    return (pixels if layout.channels == 3 else pixels[..., 0]).astype(layout.type.lstrip("<"))


def _unpacked(encoded: bytes, wanted: int) -> bytes:
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    try:
        return zstd.ZstdDecompressor().decompress(encoded, wanted + 1)  # to see where it ends
    except zstd.ZstdError as error:
        raise ValueError(f"a picture that cannot be unpacked, {error}") from error
