"""Pictures are decoded to the same pixels as by OpenCV, whatever the filters; damaged bytes are a ValueError."""

import struct
import threading
import time
import zlib

import cv2
import numpy as np
import pytest
from backports import zstd
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pipeline._png import decode_png
from pipeline.codecs import decode_picture
from pipeline.messages import Encoded

RGB8, GREY16 = (8, 2), (16, 0)  # bits, colour type


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def header(width, height, bits, colour, interlaced=0):
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, interlaced))


def png(pixels, filters, level=1, parts=1, more=b""):
    """A PNG written by the specification: a filter for each row, and the data in some parts."""
    kind = RGB8 if pixels.ndim == 3 else GREY16
    step = 3 if pixels.ndim == 3 else 2
    rows = pixels.astype(">u2").view(np.uint8) if step == 2 else pixels
    rows = rows.reshape(len(pixels), -1)
    above, packed = np.zeros(rows.shape[1], np.uint8), zlib.compressobj(level)
    data = b"".join(
        packed.compress(filtered(row, up, step, kind))
        for row, up, kind in zip(rows, [above, *rows], filters, strict=False)
    )
    data += packed.flush()
    cuts = np.linspace(0, len(data), parts + 1).astype(int)
    content = b"".join(chunk(b"IDAT", data[a:b]) for a, b in zip(cuts, cuts[1:], strict=False))
    return (
        b"\x89PNG\r\n\x1a\n"
        + header(pixels.shape[1], len(pixels), *kind)
        + more
        + content
        + chunk(b"IEND", b"")
    )


def filtered(row, above, step, kind):
    """One row as the filter of this number stores it: PNG specification, section 9.2."""
    left = np.concatenate([np.zeros(step, np.uint8), row[:-step]])
    corner = np.concatenate([np.zeros(step, np.uint8), above[:-step]])
    a, b, c = (array.astype(int) for array in (left, above, corner))
    to_a, to_b, to_c = abs(b - c), abs(a - c), abs(a + b - 2 * c)
    paeth = np.where((to_a <= to_b) & (to_a <= to_c), a, np.where(to_b <= to_c, b, c))
    foretold = [0 * a, a, b, (a + b) // 2, paeth][kind]
    return bytes([kind]) + ((row - foretold) % 256).astype(np.uint8).tobytes()


def by_opencv(data):
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    return pixels if pixels.ndim == 2 else pixels[..., ::-1]


sizes = st.tuples(st.integers(1, 20), st.integers(1, 20))
colour = sizes.flatmap(lambda size: arrays.arrays(np.uint8, (*size, 3)))
depth = sizes.flatmap(lambda size: arrays.arrays(np.uint16, size))
smooth = sizes.map(
    lambda size: (np.add.outer(np.arange(size[0]) * 300, np.arange(size[1]) * 7)).astype(np.uint16)
)
pictures = st.one_of(colour, depth, smooth)
filters = st.lists(st.integers(0, 4), min_size=20, max_size=20)


@given(pictures, filters, st.integers(0, 9), st.integers(1, 4))
@settings(deadline=None, max_examples=300)
def test_any_png_of_depth_or_colour_has_the_pixels_that_opencv_finds(pixels, filters, level, parts):
    data = png(pixels, filters, level, parts)
    found = decode_png(data)
    assert found is not None  # else OpenCV would be compared with itself
    assert (found.dtype, found.shape) == (pixels.dtype, pixels.shape)
    assert np.array_equal(found, pixels)
    assert np.array_equal(decode_picture("png", data), by_opencv(data))


@given(st.one_of(colour, depth), filters, st.data())
@settings(deadline=None, max_examples=200)
def test_a_damaged_png_is_a_value_error(pixels, filters, data):
    whole = png(pixels, filters)
    if data.draw(st.booleans()):
        spoilt = whole[: data.draw(st.integers(0, len(whole) - 1))]
    else:
        at = data.draw(st.integers(0, len(whole) - 1))
        spoilt = whole[:at] + bytes([whole[at] ^ data.draw(st.integers(1, 255))]) + whole[at + 1 :]
    with pytest.raises(ValueError, match=r"PNG|png"):
        decode_picture("png", spoilt)


@given(
    st.binary(max_size=200),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**32 - 1),
    st.sampled_from([RGB8, GREY16]),
)
@settings(deadline=None, max_examples=200)
def test_nonsense_behind_right_checksums_is_a_value_error(content, width, height, kind):
    for data in (content, zlib.compress(content)):
        spoilt = (
            b"\x89PNG\r\n\x1a\n" + header(width, height, *kind) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
        )
        with pytest.raises(ValueError, match="PNG"):
            decode_picture("png", spoilt)


def test_a_filter_that_there_is_not_is_a_value_error():
    rows = zlib.compress(b"\5" + bytes(3))
    data = b"\x89PNG\r\n\x1a\n" + header(1, 1, *RGB8) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    with pytest.raises(ValueError, match="a filter that there is not"):
        decode_picture("png", data)


def test_pixels_too_many_or_too_few_are_a_value_error():
    for count in (2, 4, 40_000):
        rows = zlib.compress(bytes(1 + count))
        data = b"\x89PNG\r\n\x1a\n" + header(1, 1, *RGB8) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
        with pytest.raises(ValueError, match="bytes of pixels, not 4"):
            decode_picture("png", data)


def test_pixels_without_their_own_checksum_are_a_value_error():
    rows = zlib.compress(bytes(4))
    for content in (rows[:-4], rows[:-1] + bytes([rows[-1] ^ 1])):
        data = b"\x89PNG\r\n\x1a\n" + header(1, 1, *RGB8) + chunk(b"IDAT", content) + chunk(b"IEND", b"")
        with pytest.raises(ValueError, match="PNG"):
            decode_picture("png", data)


def test_png_of_other_kinds_is_left_to_opencv():
    random = np.random.default_rng(0)
    grey, colour = (
        random.integers(0, 256, (2, 9, 7), np.uint8)[0],
        random.integers(0, 256, (9, 7, 4), np.uint8),
    )
    for pixels in (grey, colour):
        data = cv2.imencode(".png", pixels)[1].tobytes()
        assert decode_png(data) is None
        expected = grey if pixels is grey else cv2.cvtColor(colour, cv2.COLOR_BGRA2RGB)
        assert np.array_equal(decode_picture("png", data), expected)
    noted = png(colour[..., :3], [0] * 9, more=chunk(b"tEXt", b"Title\0floor"))
    assert decode_png(noted) is None
    assert np.array_equal(decode_picture("png", noted), colour[..., :3])
    with pytest.raises(ValueError, match="3 channels of uint16"):
        decode_picture("png", cv2.imencode(".png", colour[..., :3].astype(np.uint16))[1].tobytes())


def test_interlaced_png_is_left_to_opencv():
    passes = zlib.compress(bytes([0, 10, 20, 30]))  # one pixel: all in the first pass
    data = (
        b"\x89PNG\r\n\x1a\n"
        + header(1, 1, *RGB8, interlaced=1)
        + chunk(b"IDAT", passes)
        + chunk(b"IEND", b"")
    )
    assert decode_png(data) is None
    assert decode_picture("png", data).tolist() == [[[10, 20, 30]]]


def test_jpeg_is_rgb_and_a_damaged_one_a_value_error():
    red = np.zeros((16, 16, 3), np.uint8)
    red[..., 2] = 255
    data = cv2.imencode(".jpg", red)[1].tobytes()
    assert decode_picture("jpeg", data)[8, 8].tolist() == pytest.approx([255, 0, 0], abs=5)
    for spoilt in (b"", data[:20], b"not a picture"):
        with pytest.raises(ValueError, match="jpeg picture"):
            decode_picture("jpeg", spoilt)


RGB = np.arange(2 * 4 * 3, dtype=np.uint8).reshape(2, 4, 3)
ALPHA = np.full((2, 4, 1), 9, np.uint8)
GREY = np.arange(8, dtype=np.uint8).reshape(2, 4)
BARE = {
    "rgb8": (RGB, RGB),
    "bgr8": (RGB[..., ::-1], RGB),
    "rgba8": (np.concatenate([RGB, ALPHA], axis=2), RGB),
    "bgra8": (np.concatenate([RGB[..., ::-1], ALPHA], axis=2), RGB),
    "mono8": (GREY, GREY),
    "8UC1": (GREY, GREY),
    "mono16": (GREY.astype("<u2") * 256 + 1, GREY.astype(np.uint16) * 256 + 1),
    "16UC1": (GREY.astype("<u2") * 300, GREY.astype(np.uint16) * 300),
}


@pytest.mark.parametrize("layout", BARE)
def test_bare_pixels_are_taken_as_their_layout_says(layout):
    stored, expected = BARE[layout]
    data = np.ascontiguousarray(stored).tobytes()
    for codec, encoded in ((f"{layout}/4x2", data), (f"{layout}/4x2/zstd", zstd.compress(data))):
        found = decode_picture(codec, encoded)
        assert (found.dtype, found.flags.writeable) == (expected.dtype, True)
        assert np.array_equal(found, expected)


@pytest.mark.parametrize(
    ("layout", "white"), [("YUYV", [235, 128]), ("UYVY", [128, 235]), ("yuv422", [128, 235])]
)
def test_packed_video_becomes_rgb(layout, white):
    assert decode_picture(f"{layout}/4x2", bytes(white * 8)).tolist() == np.full((2, 4, 3), 255).tolist()


def test_bare_pixels_of_another_size_are_a_value_error():
    for codec, encoded in (
        ("mono16/4x2", bytes(15)),
        ("rgb8/0x0", b""),
        ("mono8/4x2/zstd", zstd.compress(bytes(9))),
    ):
        with pytest.raises(ValueError, match="picture of"):
            decode_picture(codec, encoded)
    with pytest.raises(ValueError, match="cannot be unpacked"):
        decode_picture("mono8/4x2/zstd", b"not packed")


@pytest.mark.parametrize("codec", ["gif", "rgb8", "rgb8/4", "depth/4x2", "rgb8/4x2/zip", "rgb8/-4x2", ""])
def test_a_codec_that_there_is_not_is_a_value_error_that_names_those_that_there_are(codec):
    with pytest.raises(
        ValueError, match=f"there is no codec '{codec}'; choose from png, jpeg, or LAYOUT/WIDTHxHEIGHT"
    ):
        Encoded(codec, b"").pixels()


def test_other_threads_run_while_a_picture_is_decoded():
    pixels = np.random.default_rng(0).integers(0, 256, (2500, 3000, 3), np.uint8)
    data = png(pixels, [4] * 2500, level=0)  # undoing the filters is most of the work
    decode_picture("png", data)  # compiled
    took, pauses = [], []

    def decode():
        began = time.perf_counter()
        decode_picture("png", data)
        took.append(time.perf_counter() - began)

    thread = threading.Thread(target=decode)
    thread.start()
    last = time.perf_counter()
    while thread.is_alive():
        now = time.perf_counter()
        pauses.append(now - last)
        last = now
    assert max(pauses) < took[0] / 3
