"""A live RealSense camera. A device that vanishes or stalls is said so, and started again when it can be."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from pipeline.messages import Frame, Reset, SystemEvent
from pipeline.stage import InputError, Source
from stages.source._camera import Camera, Wanted
from stages.source._devices import AUTO, DEVICES, Claim
from stages.source._feed import Feed
from stages.source._filters import Filters
from stages.source._session import Session
from stages.source._timeline import Timeline

log = logging.getLogger(__name__)
DELAYS_S = (0.5, 30.0)  # before the first and the last of the attempts to start it again, doubled between
BYTES = {"depth": 2, "color": 3, "infrared": 2}  # of a pixel, at most
PULSE_S = 0.5  # between signs of life while it waits


@dataclass
class RealSense(Source[Frame | SystemEvent | Reset]):
    """Depth, colour and infrared of the device `serial`, or of the only free one; settings left out, or None,
    stay as they are in the device. Colour is not aligned unless `align` asks for it: frames say where it lies.
    """

    live: ClassVar[bool] = True
    serial: str = AUTO
    streams: tuple[Literal["depth", "color", "infrared"], ...] = ("depth", "color")
    width: int = 640
    height: int = 480
    fps: int = 30
    preset: str | None = None  # path of a JSON file, as the RealSense Viewer saves it
    emitter: bool | None = None
    filters: Filters = Filters()
    sync_mode: int | None = None  # of cameras that are wired: 0 alone, 1 gives the pulse, 2 takes it
    align: Literal["none", "depth"] = "none"
    stall_s: float = 2.0
    _claim: Claim = field(init=False, repr=False, compare=False)
    _others: list[Claim] = field(default_factory=list, init=False, repr=False, compare=False)
    _camera: Camera | None = field(default=None, init=False, repr=False, compare=False)
    _closing: threading.Event = field(default_factory=threading.Event, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("width", "height", "fps", "stall_s"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")
        if not self.streams or len(set(self.streams)) < len(self.streams):
            raise ValueError(f"streams must name at least one stream, each once, got {list(self.streams)}")
        if self.align == "depth" and not {"depth", "color"} <= set(self.streams):
            raise ValueError(f"align: depth needs the streams depth and color, got {list(self.streams)}")
        if self.sync_mode is not None and self.sync_mode < 0:
            raise ValueError(f"sync_mode must be 0 or more, got {self.sync_mode}")
        limits = self.filters.threshold
        if limits is not None and limits.min_m >= limits.max_m:
            raise ValueError(
                f"filters.threshold: min_m must be below max_m, got {limits.min_m} and {limits.max_m}"
            )
        self._claim = DEVICES.claim(self.serial)

    @property
    def may_hang(self) -> bool:
        """The SDK, its USB stack and a device may."""
        return True

    @property
    def frame_bytes(self) -> int:
        return sum(BYTES[stream] for stream in self.streams) * self.width * self.height

    def reserved(self) -> tuple[str, ...]:
        """The serial numbers that other cameras name."""
        return DEVICES.wanted_by_others(self.serial)

    def reserve(self, names: Sequence[str]) -> None:
        self._others = [DEVICES.claim(serial) for serial in names]

    def open(self) -> None:
        super().open()
        try:
            self._camera = self._taken()
        except (RuntimeError, TimeoutError) as error:
            where = f"cameras.{self.camera_id}.serial"
            text = f"device {self._claim.serial or self.serial} cannot be used, {error}"
            raise InputError(
                f"{where}: {text}; close other programs that use it, or plug it in again"
            ) from error

    def close(self) -> None:
        self._closing.set()
        if self._camera is not None:
            self._camera.stop()
        DEVICES.give_back(self._claim, self.camera_id)
        super().close()

    def produce(self, from_ns: int) -> Iterator[Frame | SystemEvent | Reset]:
        feed = Feed(self.camera_id, self.mount, Timeline(self.place.clock_offset_ms, from_ns - 1))
        is_first, delay_s = True, DELAYS_S[0]
        while not self._closing.is_set():
            session = Session(self._opened, self._claim.serial, self.stall_s, feed, self)
            yield from session.run(self._closing)
            if session.was_up or is_first:
                yield session.ending
            else:
                log.warning("camera %s: %s", self.camera_id, session.ending.detail)
            is_first, delay_s = False, self._bring_back(DELAYS_S[0] if session.was_up else delay_s)

    @property
    def _opened(self) -> Camera:
        if self._camera is None:
            raise RuntimeError("produce() comes after open()")
        return self._camera

    def _taken(self) -> Camera:
        """The device of this camera, with its settings made."""
        device = DEVICES.take(self._claim, self.camera_id)
        wanted = Wanted(
            streams=self.streams,
            width_px=self.width,
            height_px=self.height,
            fps=self.fps,
            preset=self.preset,
            emitter=self.emitter,
            sync_mode=self.sync_mode,
            filters=self.filters,
            is_aligned=self.align == "depth",
        )
        camera = Camera(device, wanted, f"cameras.{self.camera_id}")
        camera.open()
        for warning in camera.warnings():
            log.warning("camera %s: %s: %s", self.camera_id, camera.name, warning)
        return camera

    def _bring_back(self, delay_s: float) -> float:
        """Wait, and try to get the device, until it is there or the source closes; gives the next delay."""
        while not self._waited(delay_s):
            delay_s = min(2 * delay_s, DELAYS_S[1])
            try:
                self._camera = self._taken()
                break
            except (InputError, RuntimeError, TimeoutError) as error:
                log.warning(
                    "camera %s: not back yet, next attempt in %g s: %s", self.camera_id, delay_s, error
                )
        return delay_s

    def _waited(self, delay_s: float) -> bool:
        """Wait so long, and say that this is alive; whether the source closed meanwhile."""
        until_s = time.monotonic() + delay_s
        while (left_s := until_s - time.monotonic()) > 0 and not self._closing.wait(min(left_s, PULSE_S)):
            self.pulse()
        return self._closing.is_set()
