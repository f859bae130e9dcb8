"""Records what cameras give, one `.db3` each, and says what could not be kept."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from pipeline.messages import Frame, SystemEvent
from pipeline.stage import InputError, Memory, Stage
from stages._folders import check_can_be_made, existing
from stages._tape import Tape
from stages.source._sdk import sdk

log = logging.getLogger(__name__)
MANIFEST = "manifest.json"


@dataclass
class Record(Stage[Frame, SystemEvent]):
    """Writes `out`/<camera>.db3 for every camera. `seconds`, where given, must fit on the disk, and `reserve_mb`
    stay free; `serials` are written into the files by camera, whose id stands in for one that is not there.
    """

    memory: ClassVar[Memory] = Memory.SITE  # one disk; and a camera whose clock jumps keeps its file
    out: str = "recording"
    seconds: float | None = None
    reserve_mb: float = 500.0
    packed: bool = True  # pictures as PNG: 0.6 of the size of raw ones, and six times the work
    serials: dict[str, str] = field(default_factory=dict)
    _tapes: dict[str, Tape] = field(default_factory=dict, init=False, repr=False)
    _was_full: bool = field(default=False, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.reserve_mb < 0:
            raise ValueError(f"reserve_mb must be 0 or more, got {self.reserve_mb}")
        if self.seconds is not None and self.seconds <= 0:
            raise ValueError(f"seconds must be above 0, got {self.seconds}")

    def open(self) -> None:
        super().open()
        sdk()
        self._check_folder()
        if self._free_mb < 0:
            raise InputError(
                f"{self.out}: less than {self.reserve_mb:g} MB are free; make room, or choose another disk"
            )

    def process(self, frame: Frame) -> Iterator[SystemEvent]:
        if frame.camera_id not in self._tapes:
            self._make_folder()
            serial = self.serials.get(frame.camera_id, frame.camera_id)
            self._tapes[frame.camera_id] = Tape(
                Path(self.out) / f"{frame.camera_id}.db3", frame.camera_id, serial, self.packed
            )
        tape = self._tapes[frame.camera_id]
        if self._is_full():
            yield from tape.refuse(frame, "disk_full", f"less than {self.reserve_mb:g} MB are free")
            return
        had_begun = tape.has_begun
        yield from tape.take(frame)
        if tape.has_begun and not had_begun:
            self._check_space()

    def finish(self) -> Iterator[SystemEvent]:
        for camera_id in sorted(self._tapes):
            yield from self._tapes.pop(camera_id).finish()

    def close(self) -> None:
        """Ends files that no `finish` has ended; what they lost can only be logged."""
        for event in self.finish():
            log.warning("camera %s: %s", event.camera_id, event.detail)
        super().close()

    def _check_folder(self) -> None:
        """Raise InputError for a folder that cannot be made or written, or holds a recording. Nothing is made before
        the first frame: a camera that is not there leaves nothing behind.
        """
        folder = Path(self.out)
        check_can_be_made(folder)
        held = sorted(path.name for path in folder.glob("*") if _is_recording(path))
        if held:
            raise InputError(f"{folder}: holds a recording already, {held[0]}; choose another folder")

    def _make_folder(self) -> None:
        try:
            Path(self.out).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            text = f"{self.out}: cannot be made, {str(error.strerror).lower()}; choose another folder"
            raise InputError(text) from error

    def _is_full(self) -> bool:
        """Whether the reserve has been reached; for good, so that a recording ends once and has no holes."""
        self._was_full = self._was_full or self._free_mb < 0
        return self._was_full

    @property
    def _free_mb(self) -> float:
        """Beside the reserve and what is on its way to the disk."""
        taken_mb = self.reserve_mb + sum(tape.unwritten_mb for tape in self._tapes.values())
        return shutil.disk_usage(existing(Path(self.out))).free / 1e6 - taken_mb

    def _check_space(self) -> None:
        """Raise InputError if `seconds` of the cameras that have begun do not fit."""
        if self.seconds is None:
            return
        begun = [tape for tape in self._tapes.values() if tape.has_begun]
        needed_mb = sum(tape.mb_per_s for tape in begun) * self.seconds
        free_mb = self._free_mb
        if needed_mb > free_mb:
            text = f"{self.seconds:g} s need {needed_mb:.0f} MB, and {free_mb:.0f} MB are free beside the reserve"
            raise InputError(f"{self.out}: {text} of {self.reserve_mb:g} MB; record less, or on another disk")


def _is_recording(path: Path) -> bool:
    return path.suffix in (".db3", ".bag") or path.name == MANIFEST
