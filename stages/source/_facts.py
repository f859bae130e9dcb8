"""What a recording says of its streams before it shows any: gathered as it is read, then made into optics."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from calibration.camera import Intrinsics, Pose, Registration
from stages.source._moments import STREAMS, Optics, Stream

READABLE = frozenset(
    ("z16", "y8", "y16", "rgb8", "bgr8", "rgba8", "bgra8", "yuyv", "uyvy")
    + ("mono16", "mono8", "8uc1", "16uc1", "yuv422")
)  # encodings, as `.db3` and `.bag` name them
Key = tuple[Stream, int]  # the second infrared camera is ("infrared", 2)


@dataclass(frozen=True, slots=True, eq=False)
class Streams:
    """Those streams of a recording that are read; the first leads its moments."""

    keys: dict[Stream, Key]
    rates_hz: dict[Stream, float]
    sizes_px: dict[Stream, tuple[int, int]]  # width, height
    optics: Optics

    @property
    def lead(self) -> Stream:
        return next(iter(self.keys))


@dataclass
class Facts:
    """By stream; of what is said more than once, the first."""

    encodings: dict[Key, str] = field(default_factory=dict)
    rates_hz: dict[Key, float] = field(default_factory=dict)
    intrinsics: dict[Key, Intrinsics] = field(default_factory=dict)
    from_reference: dict[Key, Pose] = field(
        default_factory=dict
    )  # of the device: the same for all its streams
    depth_scale_m: float = 0.001

    def streams(self, pictured: Iterable[Key]) -> Streams:
        """Of the streams that have pictures those to read: of two infrared cameras the left one, and no colour that
        cannot be laid over depth. Raises ValueError where there is none.
        """
        lowest = {key[0]: key for key in sorted(set(pictured), reverse=True) if self._is_usable(key)}
        keys = {stream: lowest[stream] for stream in STREAMS if stream in lowest}
        if not keys:
            raise ValueError("holds no depth, colour or infrared of a RealSense camera")
        lead = next(iter(keys))
        if (
            "color" in keys
            and lead != "color"
            and not {keys["color"], keys[lead]} <= self.from_reference.keys()
        ):
            del keys["color"]
        lenses = {stream: self.intrinsics[key] for stream, key in keys.items()}
        return Streams(
            keys,
            {stream: self.rates_hz[key] for stream, key in keys.items()},
            {stream: (lens.width_px, lens.height_px) for stream, lens in lenses.items()},
            Optics(lenses[lead], self._registration(keys), self.depth_scale_m),
        )

    def _is_usable(self, key: Key) -> bool:
        is_readable = self.encodings.get(key, "").lower() in READABLE
        return is_readable and key in self.intrinsics and self.rates_hz.get(key, 0.0) > 0.0

    def _registration(self, keys: dict[Stream, Key]) -> Registration | None:
        """How colour is reached from depth; None where it lies on the pixels of depth, or leads."""
        lead, color = next(iter(keys.values())), keys.get("color")
        if color is None or color == lead:
            return None
        pose = self.from_reference[color] @ self.from_reference[lead].inverse()
        is_here = np.array_equal(pose.rotation, np.eye(3)) and not pose.translation_m.any()
        if is_here and self.intrinsics[color] == self.intrinsics[lead]:
            return None
        return Registration(self.intrinsics[color], pose)
