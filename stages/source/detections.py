"""Replays what somebody's detector has found, from a file: people are followed without a picture."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter
from pathlib import Path

import numpy as np

from calibration.camera import Intrinsics, View, pose_of
from pipeline.messages import Detections as Rows
from pipeline.messages import Frame
from pipeline.stage import InputError, Source
from stages._feet import feet_of
from stages.source._calibration import Calibration, calibration_of
from stages.source._detection_files import DetectionFile, Format, Found, detection_file
from stages.source._timeline import ns_of

CLOCK = "detections"  # the clock domain: what the file says


@dataclass
class Detections(Source[Rows]):
    """One file of boxes. Frames are numbered from 1 and come `fps` a second, or the file says when they were taken;
    `width_px` and `height_px` are those of the pictures, where no manifest tells the lens.
    """

    path: str = field(kw_only=True)
    format: Format = field(kw_only=True)
    fps: float = field(default=30.0, kw_only=True)
    width_px: int = field(default=1920, kw_only=True)
    height_px: int = field(default=1080, kw_only=True)
    _file: DetectionFile = field(init=False, repr=False)
    _calibration: Calibration = field(init=False, repr=False)
    _view: View = field(init=False, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("fps", "width_px", "height_px"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")
        if self.isolated:
            raise ValueError(
                "isolated is for sources that may hang; this one reads a file of text, leave it out"
            )

    def open(self) -> None:
        """Reads all of the file. Raises InputError that names the line that is wrong."""
        super().open()
        self._calibration = calibration_of(Path(self.path), self.camera_id, self.mount, self.place)
        lens, mount = self._calibration.intrinsics, self._calibration.mount
        middle = (self.width_px - 1) / 2, (self.height_px - 1) / 2
        nominal = Intrinsics(self.width_px, self.height_px, self.width_px, self.width_px, *middle)
        self._view = View(lens or nominal, mount, pose_of(mount) if lens else None)
        self._file = detection_file(Path(self.path), self.format)
        if not self._file.is_timed and max(self._file.moments) / self.fps > MOST_S:
            raise InputError(
                f"{self.path}: goes on for more than {MOST_S / 86400:g} days; check fps, {self.fps:g}"
            )

    def produce(self, from_ns: int) -> Iterator[Rows]:
        """A message for every frame, also for those in which nobody was found."""
        by_moment = {
            moment: list(found)
            for moment, found in groupby(sorted(self._file.found, key=_moment), key=_moment)
        }
        moments = self._file.moments
        every = sorted(moments) if self._file.is_timed else range(1, max(moments) + 1)
        for index, moment in enumerate(every):
            captured_ns = self._captured_ns(moment)
            if captured_ns >= from_ns:
                frame = Frame(self.camera_id, index, captured_ns, self._view, clock=CLOCK)
                yield _rows(frame, by_moment.get(moment, []))

    def _captured_ns(self, moment: int) -> int:
        passed_ns = moment if self._file.is_timed else round((moment - 1) * 1e9 / self.fps)
        return self._calibration.start_ns + ns_of(self._calibration.clock_offset_ms) + passed_ns


MOST_S = 30 * 86_400.0
_moment = attrgetter("moment")


def _rows(frame: Frame, found: list[Found]) -> Rows:
    boxes = np.array([one.box for one in found], np.float32).reshape(-1, 4)
    scores = np.array([one.score for one in found], np.float32)
    return Rows(frame, boxes, scores, feet_of(frame, boxes), np.full(len(found), np.nan, np.float32))
