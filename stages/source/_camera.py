"""One RealSense device that streams: settings made, pictures waited for within bounds, filtered and aligned.

Knows nothing of site time, of events, or of what to do when the device goes away.
"""

from __future__ import annotations

import logging
import queue
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.stage import InputError, Room
from stages.source._filters import Chain, Filters
from stages.source._moments import Moment, Optics, Shot, Stream
from stages.source._sdk import CALL_S, choose, optics_of, pixels_of, sdk, shot_of, within

log = logging.getLogger(__name__)
HELD_S = 1.0  # of pictures that nobody has taken; of more the oldest go, and their numbers show it


@dataclass(frozen=True, slots=True)
class Wanted:
    """What its user asks of a device; None leaves an option as it is."""

    streams: tuple[Stream, ...]
    width_px: int
    height_px: int
    fps: int
    preset: str | None = None
    emitter: bool | None = None
    sync_mode: int | None = None
    filters: Filters = Filters()
    is_aligned: bool = False


class Camera:
    """A device at work. `where` is the place of its settings in the graph file. Raises InputError for what the
    device cannot do, and RuntimeError or TimeoutError where it does not answer.
    """

    def __init__(self, device: Any, wanted: Wanted, where: str) -> None:
        self.rates_hz: dict[Stream, float] = {}
        self._device, self._wanted, self._where = device, wanted, where
        self._profiles: dict[Stream, Any] = {}
        self._opened: list[Any] = []  # sensors
        self._heard_s: dict[Stream, float] = {}  # when a picture of each stream came, by the monotonic clock
        self._shots: queue.Queue[Shot] = queue.Queue(1)

    def open(self) -> None:
        """Make the settings and choose the streams; nothing streams yet."""
        self._load_preset()
        option = sdk().option
        self._set("emitter", option.emitter_enabled, self._wanted.emitter)
        self._set("sync_mode", option.inter_cam_sync_mode, self._wanted.sync_mode)
        for sensor in self._sensors:
            if self._is_free(sensor, option.global_time_enabled):
                sensor.set_option(option.global_time_enabled, 1)
        self._profiles = self._choose()
        self.rates_hz = {stream: profile.fps() for stream, profile in self._profiles.items()}
        self._shots = queue.Queue(ceil(HELD_S * sum(self.rates_hz.values())))
        self._chain, self._aligning = Chain(self._wanted.filters), _Aligning()

    def start(self, grace_s: float) -> None:
        """Begin to stream; the first pictures may take `grace_s` longer than others before that is silence."""
        ids = {profile.unique_id() for profile in self._profiles.values()}
        chosen = [(s, [p for p in s.profiles if p.unique_id() in ids]) for s in self._sensors]
        for sensor, profiles in chosen:
            if profiles:
                within(CALL_S, partial(sensor.open, profiles))
                self._opened.append(sensor)
        for sensor in self._opened:
            within(CALL_S, partial(sensor.start, self._hand_over))
        self._heard_s = dict.fromkeys(self._profiles, time.monotonic() + grace_s) | self._heard_s

    def stop(self) -> None:
        """Stop what streams; a device that has gone may not answer, which is no reason to wait for it."""
        opened, self._opened = self._opened, []
        for call in [call for sensor in opened for call in (sensor.stop, sensor.close)]:
            try:
                within(CALL_S, call)
            except (RuntimeError, TimeoutError) as error:
                log.warning("%s: could not be stopped, %s", self._where, error)

    def wait(self, limit_s: float) -> Shot | None:
        """The next picture, a frame of the SDK, or None if none comes; depth is filtered."""
        try:
            shot = self._shots.get(timeout=limit_s)
        except queue.Empty:
            return None
        match shot.stream:
            case "depth":
                return shot_of(shot.picture, self._chain.depth(shot.picture))
            case "infrared":
                return shot_of(shot.picture, self._chain.infrared(shot.picture))
        return shot

    def silent(self, limit_s: float) -> str:
        """The streams of which no picture has come for longer than this, whether or not they were taken."""
        since_s = time.monotonic() - limit_s
        return " and ".join(stream for stream in self._profiles if self._heard_s[stream] < since_s)

    def developed(self, moment: Moment, room: Room = np.empty) -> Moment:
        """The moment with pixels in the place of the SDK's frames, colour laid onto depth where that is wanted."""
        shots = self._aligning.aligned(moment.shots) if self._wanted.is_aligned else moment.shots
        return Moment(tuple(shot_of(shot.picture, pixels_of(shot.picture, room)) for shot in shots))

    def optics(self, moment: Moment) -> Optics:
        """What frames need to know of this device, by one of its moments; `developed` loses it."""
        lead = moment.lead
        color = (
            self._profiles.get("color") if lead.stream != "color" and not self._wanted.is_aligned else None
        )
        scale_m = lead.picture.as_depth_frame().get_units() if lead.stream == "depth" else 0.001
        try:
            return optics_of(lead.picture.profile, color, scale_m)
        except ValueError as error:
            raise InputError(f"{self._where}.streams: {self.name} {error}; leave color out") from error

    @property
    def ties_clocks(self) -> bool:
        """Whether the SDK ties the device's clock to the host's, after the first second or so."""
        wanted = sdk().option.global_time_enabled
        return any(s.supports(wanted) and bool(s.get_option(wanted)) for s in self._sensors)

    @property
    def name(self) -> str:
        """The device as an operator knows it."""
        parts = (self._info("name"), self._info("serial_number"))
        firmware, usb = self._info("firmware_version"), self._info("usb_type_descriptor")
        told = [f"firmware {firmware}" if firmware else "", f"USB {usb}" if usb else ""]
        return ", ".join(filter(None, [" ".join(filter(None, parts)), *told]))

    def warnings(self) -> Iterator[str]:
        """What an operator should mend, though the device works."""
        firmware, wanted = self._info("firmware_version"), self._info("recommended_firmware_version")
        if firmware and wanted and _version(firmware) < _version(wanted):
            yield f"firmware {firmware} is older than {wanted}, which this SDK recommends; update it"
        if self._info("usb_type_descriptor").startswith("2"):
            yield "connected by USB 2, too slow for full pictures at full rate; use a USB 3 port and cable"

    @property
    def _sensors(self) -> list[Any]:
        return list(self._device.query_sensors())

    def _info(self, name: str) -> str:
        key = getattr(sdk().camera_info, name)
        return str(self._device.get_info(key)) if self._device.supports(key) else ""

    def _load_preset(self) -> None:
        if self._wanted.preset is None:
            return
        where, path = f"{self._where}.preset", Path(self._wanted.preset)
        if self._info("advanced_mode").upper() == "NO":
            raise InputError(
                f"{where}: {self.name} has its advanced mode off; switch it on in the RealSense Viewer"
            )
        try:
            sdk().serializable_device(self._device).load_json(path.read_text())
        except OSError as error:
            raise InputError(f"{where}: {path} cannot be read, {error.strerror}") from error
        except (RuntimeError, UnicodeDecodeError) as error:
            raise InputError(f"{where}: {self.name} does not take {path}, {error}") from error

    def _set(self, setting: str, option: Any, value: float | None) -> None:
        """Set an option on the first sensor that has it."""
        if value is None:
            return
        where = f"{self._where}.{setting}"
        sensors = [sensor for sensor in self._sensors if sensor.supports(option)]
        if not sensors:
            raise InputError(f"{where}: {self.name} has no option {option.name!r}; leave {setting!r} out")
        try:
            sensors[0].set_option(option, float(value))
        except RuntimeError as error:
            text = f"{self.name} does not take {value!r} for option {option.name!r}, {error}"
            raise InputError(f"{where}: {text}; leave {setting!r} out") from error

    def _is_free(self, sensor: Any, option: Any) -> bool:
        return bool(sensor.supports(option)) and not sensor.is_option_read_only(option)

    def _choose(self) -> dict[Stream, Any]:
        """The profile of each stream that is wanted."""
        every = [profile for sensor in self._sensors for profile in sensor.profiles]
        fit = choose([profile for profile in every if self._fits(profile)])
        for stream in self._wanted.streams:
            if stream not in fit:
                raise InputError(f"{self._where}.streams: {self._not_there(stream, every)}")
        return {stream: profile for stream, profile in fit.items() if stream in self._wanted.streams}

    def _fits(self, profile: Any) -> bool:
        if not profile.is_video_stream_profile():
            return False
        video, wanted = profile.as_video_stream_profile(), self._wanted
        size = (video.width(), video.height(), video.fps())
        return size == (wanted.width_px, wanted.height_px, wanted.fps)

    def _not_there(self, stream: Stream, every: list[Any]) -> str:
        wanted = self._wanted
        asked = f"{self.name} gives no {stream} of {wanted.width_px}x{wanted.height_px} at {wanted.fps} fps"
        videos = [p.as_video_stream_profile() for p in every if p.stream_type().name == stream]
        offers = sorted({(v.width(), v.height(), v.fps()) for v in videos})
        if not offers:
            return f"{asked}, nor any other; leave {stream!r} out"
        return f"{asked}; choose from {', '.join(f'{w}x{h} at {fps}' for w, h, fps in offers)}"

    def _hand_over(self, frame: Any) -> None:
        """Called by a thread of the SDK, which must not wait."""
        frame.keep()  # else the SDK, whose own store is small, runs out of frames while some wait here
        shot = shot_of(frame, frame)
        self._heard_s[shot.stream] = time.monotonic()
        while not self._has_taken(shot):
            with suppress(queue.Empty):  # where whoever reads was quicker
                self._shots.get_nowait()

    def _has_taken(self, shot: Shot) -> bool:
        try:
            self._shots.put_nowait(shot)
        except queue.Full:
            return False
        return True


class _Aligning:
    """Lays colour onto the pixels of depth."""

    def __init__(self) -> None:
        rs = sdk()
        self._together: list[Any] = []
        self._join, self._joined = rs.processing_block(self._compose), rs.frame_queue(1)
        self._join.start(self._joined)
        self._align = rs.align(rs.stream.depth)

    def aligned(self, shots: tuple[Shot, ...]) -> tuple[Shot, ...]:
        """The same shots, the colour one laid onto the depth one, if both are there."""
        by_stream = {shot.stream: shot for shot in shots}
        if "depth" not in by_stream or "color" not in by_stream:
            return shots
        self._together = [by_stream["depth"].picture, by_stream["color"].picture]
        self._join.invoke(self._together[0])
        joined = self._joined.poll_for_frame().as_frameset()
        color = self._align.process(joined).get_color_frame()
        return tuple(shot_of(color, color) if shot.stream == "color" else shot for shot in shots)

    def _compose(self, _: Any, source: Any) -> None:
        source.frame_ready(source.allocate_composite_frame(self._together))


def _version(text: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", text)))
