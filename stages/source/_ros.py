"""What librealsense writes into recordings, in our words: topics, pictures, lenses. The same in `.db3` (ROS 2) and
`.bag` (ROS 1); knows neither file.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from typing import Literal, NamedTuple, cast, get_args

import numpy as np

from calibration.camera import Intrinsics
from stages.source._moments import Stream

TOPIC = re.compile(
    r"/device_0/sensor_\d+/(?P<stream>Depth|Color|Infrared)_(?P<which>\d+)/(?:(?P<info>info)|(?:info/)?(?P<lens>camera_info)"
    r"|image/(?P<image>data)(?P<compressed>/compressed(?:Depth)?)?|image/(?P<metadata>metadata)|(?P<place>tf)/\w+)"
)
UNITS = re.compile(r"/device_0/sensor_\d+/option/Depth[ _]Units/value")
HEAD = 512  # bytes that the head of a picture surely fits into
DEPTH_HEADER = 12  # bytes before the PNG of a compressedDepth message


Says = Literal["info", "lens", "image", "metadata", "place"]


class Topic(NamedTuple):
    """A topic of one stream, and what it says. `which` tells the left infrared camera from the right."""

    stream: Stream
    which: int
    says: Says
    is_compressed: bool

    @property
    def key(self) -> tuple[Stream, int]:
        """The stream it is of."""
        return self.stream, self.which

    @classmethod
    def named(cls, name: str) -> Topic | None:
        """The topic of this name, if it is one of ours."""
        found = TOPIC.fullmatch(name)
        if found is None:
            return None
        says = next(word for word in get_args(Says) if found[word])
        return cls(
            cast(Stream, found["stream"].lower()), int(found["which"]), says, bool(found["compressed"])
        )


class Fields:
    """Reads the fields of one serialised message, in their order. Raises ValueError where it is too short."""

    def __init__(self, message: bytes | memoryview, is_cdr: bool) -> None:
        self.at = 4 if is_cdr else 0  # behind how CDR was written
        self._message, self._is_cdr = message, is_cdr

    def numbers(self, kind: str, count: int = 1) -> tuple[float, ...]:
        """That many numbers; `kind` is a letter of the module struct."""
        size = struct.calcsize(kind)
        if self._is_cdr:  # numbers are aligned to their size
            self.at += -(self.at - 4) % size
        self.at += size * count
        if self.at > len(self._message):
            raise ValueError(f"a message cut off after {len(self._message)} bytes")
        return struct.unpack_from(f"<{count}{kind}", self._message, self.at - size * count)

    def whole(self, kind: str = "I") -> int:
        """One whole number."""
        return int(self.numbers(kind)[0])

    def text(self) -> str:
        """A text, behind its length."""
        length = self.whole()
        self.at += length
        if self.at > len(self._message):
            raise ValueError(f"a message cut off after {len(self._message)} bytes")
        return bytes(self._message[self.at - length : self.at]).decode("utf-8", "replace").rstrip("\0")


class Head(NamedTuple):
    """What stands before the bytes of a picture. `number` and `stamp_ms` are the device's in ROS 1 alone."""

    number: int
    stamp_ms: float
    codec: str
    start: int
    length: int


def head_of(message: bytes | memoryview, is_cdr: bool, is_compressed: bool) -> Head:
    """The head of a picture, of whose message only the beginning need be there; raises ValueError."""
    fields = Fields(message, is_cdr)
    number = 0 if is_cdr else fields.whole()
    seconds, nanoseconds = fields.whole(), fields.whole()
    stamp_ms = (seconds + 1e-9 * nanoseconds) * 1000.0  # to the last bit as the SDK does it
    fields.text()  # the frame of reference
    if not is_compressed:
        height, width = fields.whole(), fields.whole()
        codec = f"{fields.text()}/{width}x{height}"
        fields.whole("B"), fields.whole()  # the order of bytes, always little-endian, and the length of a row
        length = fields.whole()
        return Head(number, stamp_ms, codec, fields.at, length)
    name = fields.text()
    length = fields.whole()
    skipped = DEPTH_HEADER if "compressedDepth" in name else 0
    return Head(number, stamp_ms, _codec(name), fields.at + skipped, length - skipped)


def _codec(name: str) -> str:
    """Of a format like `rgb8; png compressed bgr8` or `YUYV; zstd; 640x480 step=1280`."""
    parts = [part.strip() for part in name.split(";")]
    if len(parts) == 3 and parts[1] == "zstd":
        return f"{parts[0]}/{parts[2].split()[0]}/zstd"
    return "png" if "png" in parts[-1] else "jpeg"


def settings_of(text: str) -> dict[str, str]:
    """`a=1;b=2` as a map."""
    return dict(part.split("=", 1) for part in text.split(";") if "=" in part)


def name_of(words: str) -> str:
    """A clock domain or distortion as the SDK's Python names it: `Global Time` is global_time."""
    return words.strip().lower().replace(" ", "_")


def single(number: str | float) -> float:
    """A number as the SDK holds it, in single precision."""
    return float(np.float32(number))


def metres(units: str | float) -> float:
    """A depth unit held in single precision, as whoever set it wrote it: 0.001."""
    return float(str(np.float32(units)))


def intrinsics_of(
    width: int, height: int, pinhole: Sequence[float], model: str, coefficients: Sequence[float]
) -> Intrinsics:
    """`pinhole` is fx, fy, cx, cy; `model` is the distortion as the SDK writes it."""
    fx, fy, cx, cy = pinhole
    name = name_of(model)
    return Intrinsics(width, height, fx, fy, cx, cy, tuple(coefficients) if name != "none" else (), name)
