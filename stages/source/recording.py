"""Replays what a RealSense camera recorded, `.db3` or `.bag`; knows neither their formats nor the SDK."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from pipeline.stage import InputError, Source
from stages.source._bag import Bag
from stages.source._calibration import Calibration, calibration_of
from stages.source._chunks import MAGIC as BAG_MAGIC
from stages.source._db3 import Db3
from stages.source._leaves import MAGIC as DB3_MAGIC
from stages.source._moments import Optics, Shot
from stages.source._reader import Damage, Reader
from stages.source._replay import Given, Replay, developed
from stages.source._sdk import Playback

log = logging.getLogger(__name__)


@dataclass
class Recording(Source[Given]):
    """One file. `reader: sdk` goes through the RealSense SDK and gives the same, slower; `depth_scale_m` takes the
    place of the unit of depth that the file says.
    """

    path: str = field(kw_only=True)
    reader: Literal["direct", "sdk"] = field(default="direct", kw_only=True)
    depth_scale_m: float | None = field(default=None, kw_only=True)
    _calibration: Calibration = field(init=False, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.depth_scale_m is not None and not 0.0 < self.depth_scale_m < 1.0:
            raise ValueError(
                f"depth_scale_m must lie between 0 and 1 (0.001: millimetres), got {self.depth_scale_m}"
            )

    @property
    def may_hang(self) -> bool:
        """The SDK may; what we read ourselves never has."""
        return self.reader == "sdk"

    def open(self) -> None:
        """Raises InputError for a file of which not one frame can be read."""
        super().open()
        with closing(self._direct()) as reader:
            reader.open()
            if not _has_frame(reader):
                why = f", it {reader.damage.detail}" if reader.damage else ""
                raise InputError(f"{self.path}: not one frame in it can be read{why}; record again")
            unit_m = self._optics(reader).depth_scale_m
            if not 0.0 < unit_m < 1.0:
                raise InputError(f"{self.path}: says that depth is in units of {unit_m} m; set depth_scale_m")
        if self.reader == "sdk":
            with closing(Playback(Path(self.path))) as playback:
                playback.open()
        self._calibration = calibration_of(Path(self.path), self.camera_id, self.mount, self.place)

    def produce(self, from_ns: int) -> Iterator[Given]:
        with closing(self._reader()) as reader:
            reader.open()
            optics = self._optics(reader)
            view = optics.view(self._calibration.mount)
            replay = Replay(self.camera_id, optics, view, self._calibration.clock_offset_ms, from_ns)
            yield from replay.run(reader)
        if replay.unpaired:
            others = " and ".join(list(reader.rates_hz)[1:])
            log.warning(
                "%s: pictures of %s that lie at the time of no frame: %d", self.path, others, replay.unpaired
            )

    def _optics(self, reader: Reader) -> Optics:
        if self.depth_scale_m is None:
            return reader.optics
        return replace(reader.optics, depth_scale_m=self.depth_scale_m)

    def _reader(self) -> Reader:
        return self._direct() if self.reader == "direct" else _Playback(Path(self.path), self._direct)

    def _direct(self) -> Db3 | Bag:
        path = Path(self.path)
        try:
            with path.open("rb") as file:
                head = file.read(len(DB3_MAGIC))
        except OSError as error:
            raise InputError(
                f"{path}: cannot be read, {str(error.strerror).lower()}; check the path"
            ) from error
        if not head:
            raise InputError(f"{path}: is empty; record again")
        if not head.startswith((DB3_MAGIC, BAG_MAGIC)):
            raise InputError(
                f"{path}: is neither a .db3 nor a .bag, it begins with {head!r}; name a recording"
            )
        return Db3(path) if head.startswith(DB3_MAGIC) else Bag(path)


class _Playback(Playback):
    """The SDK ends at a picture that it cannot read, without a word: so what it gives is counted."""

    is_damaged = False

    def __init__(self, path: Path, direct: Callable[[], Db3 | Bag]) -> None:
        super().__init__(path)
        self.damage: Damage | None = None
        self._direct = direct

    def shots(self) -> Iterator[Shot]:
        lead, given = next(iter(self.rates_hz)), 0
        for shot in super().shots():
            given += shot.stream == lead
            yield shot
        with closing(self._direct()) as direct:
            direct.open()
            there = sum(shot.stream == lead for shot in direct.shots())
        if given < there:
            self.damage = Damage(f"gave the SDK {given} of its {there} pictures of {lead}", there - given)


def _has_frame(reader: Reader) -> bool:
    """Whether any picture of the leading stream can be read."""
    lead = next(iter(reader.rates_hz))
    for shot in reader.shots():
        if shot.stream == lead:
            try:
                developed(shot)
            except ValueError:
                continue
            return True
    return False
