"""A picture in a file that a user names: looked at before it is unpacked, for a small file may be a huge picture."""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from configs.build import InputError

MOST_BYTES, MOST_PIXELS = 64 << 20, 50_000_000
LEAST_PX = 8  # a side: less shows nobody
LEAST_SPREAD = 2.0  # of 255, by which pixels differ: less shows nothing
PNG, JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8"
ENDS = {PNG: b"IEND\xaeB`\x82", JPEG: b"\xff\xd9"}
FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # markers of a JPEG that say its size
BARE = {*range(0xD0, 0xD9), 0x01}  # markers without a length
Picture = NDArray[np.uint8]  # (height, width, 3), RGB


def read_picture(path: Path) -> bytes:
    """The bytes of a file, if it is not too large. Raises InputError."""
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise InputError(f"{path}: {str(error.strerror).lower()}; name a picture of a person") from error
    if len(data) > MOST_BYTES:
        raise InputError(f"{path}: is of more than {MOST_BYTES >> 20} MB; cut it down")
    return data


def picture_in(path: Path, data: bytes) -> Picture:
    """What a file holds: a JPEG or a PNG, the right way up. Raises InputError for what is none, damaged, huge, or shows
    nothing.
    """
    kind = next((kind for kind in ENDS if data.startswith(kind)), None)
    if kind is None:
        raise InputError(f"{path}: is neither JPEG nor PNG; save the picture as one of them")
    if ENDS[kind] not in data[-64:]:
        raise InputError(f"{path}: is damaged, its end is missing; copy it anew")
    try:
        width, height = _png_size(data) if kind == PNG else _jpeg_size(data)
    except (struct.error, IndexError, ValueError):
        raise InputError(f"{path}: is damaged, it does not say how large it is; copy it anew") from None
    if width * height > MOST_PIXELS:
        raise InputError(
            f"{path}: is of {width}x{height} pixels, {MOST_PIXELS:,} at most are read; cut it down"
        )
    if min(width, height) < LEAST_PX:
        raise InputError(f"{path}: is of {width}x{height} pixels, which show nobody; name a larger picture")
    return _unpacked(path, data)


def _unpacked(path: Path, data: bytes) -> Picture:
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    except cv2.error:
        pixels = None
    if pixels is None:
        raise InputError(f"{path}: is damaged, it cannot be unpacked; copy it anew")
    if float(pixels.std()) < LEAST_SPREAD:
        raise InputError(f"{path}: shows nothing, it is of one colour; name a picture of a person")
    return np.asarray(pixels, np.uint8)


def _png_size(data: bytes) -> tuple[int, int]:
    width, height = struct.unpack_from(">II", data, 16)
    return int(width), int(height)


def _jpeg_size(data: bytes) -> tuple[int, int]:
    at = 2
    while True:
        if data[at] != 0xFF:
            raise ValueError("no marker")
        marker = data[at + 1]
        at += 1
        if marker == 0xFF:  # fills
            continue
        at += 1
        if marker in FRAMES:
            height, width = struct.unpack_from(">HH", data, at + 3)
            return int(width), int(height)
        if marker not in BARE:
            at += struct.unpack_from(">H", data, at)[0]
