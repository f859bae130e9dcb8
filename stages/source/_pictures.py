"""Tells a whole picture from a damaged one, where that can be without decoding it: by its checksums and sizes."""

from __future__ import annotations

import re

import deflate

from pipeline.messages import Encoded

SIGNATURE = b"\x89PNG\r\n\x1a\n"
BARE = re.compile(r"(?P<layout>\w+)/(?P<width>\d+)x(?P<height>\d+)", re.ASCII)
BYTES_A_PIXEL = {
    **dict.fromkeys(("mono8", "8UC1"), 1),
    **dict.fromkeys(("mono16", "16UC1", "YUYV", "UYVY", "yuv422"), 2),
    **dict.fromkeys(("rgb8", "bgr8"), 3),
    **dict.fromkeys(("rgba8", "bgra8"), 4),
}


def whole(picture: Encoded, width: int, height: int) -> Encoded:
    """The picture, if it is whole and of this size; else raises ValueError. What bears no checksum and is not bare
    pixels is decoded for it.
    """
    if picture.codec == "png":
        _check_png(memoryview(picture.encoded), (width, height))
    elif bare := BARE.fullmatch(picture.codec):
        _check_size((int(bare["width"]), int(bare["height"])), (width, height))
        wanted = width * height * BYTES_A_PIXEL.get(bare["layout"], 0)
        if len(picture.encoded) != wanted:
            raise ValueError(f"has {len(picture.encoded)} bytes, not {wanted}")
    else:
        pixels = picture.pixels()
        _check_size((pixels.shape[1], pixels.shape[0]), (width, height))
    return picture


def _check_png(png: memoryview, size: tuple[int, int]) -> None:
    if png[:8] != SIGNATURE:
        raise ValueError("does not begin as a PNG does")
    start, kind = 8, b""
    while kind != b"IEND":
        end = start + 8 + int.from_bytes(png[start : start + 4], "big")
        kind = bytes(png[start + 4 : start + 8])
        if end + 4 > len(png):
            raise ValueError(f"is a PNG cut off after {len(png)} bytes")
        if deflate.crc32(png[start + 4 : end]) != int.from_bytes(png[end : end + 4], "big"):
            raise ValueError(
                f"has a {kind.decode('ascii', 'replace')} chunk with another checksum than it says"
            )
        if start == 8:
            _check_size((int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")), size)
        start = end + 4


def _check_size(found: tuple[int, int], wanted: tuple[int, int]) -> None:
    if found != wanted:
        raise ValueError(f"is {found[0]} x {found[1]}, and its camera {wanted[0]} x {wanted[1]}")
