"""The RealSense SDK's frames and files in our words. Knows nothing of graphs, site time, or which device to take."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from calibration.camera import Intrinsics, Pose, Registration
from pipeline.stage import InputError, Room
from stages.source._moments import STREAMS, Optics, Shot, Stream

T = TypeVar("T")
WAIT_S = 0.2
SILENT_S = 30.0  # a playback that gives nothing for this long has hung
CALL_S = 10.0  # a call of the SDK that takes longer has hung
HELD = 8  # pictures between the SDK and who reads them
FORMATS: dict[str, tuple[str, ...]] = {  # that we read, the preferred first
    "depth": ("z16",),
    "color": ("rgb8", "bgr8", "rgba8", "bgra8"),
    "infrared": ("y8", "y16"),
}
CHANNELS = {"bgr8": [2, 1, 0], "rgba8": [0, 1, 2], "bgra8": [2, 1, 0]}  # to RGB


def sdk() -> Any:
    """The module pyrealsense2; an InputError where it is not installed."""
    try:
        import pyrealsense2
    except ModuleNotFoundError as error:
        raise InputError("pyrealsense2: needs the 'realsense' extra: pip install '.[realsense]'") from error
    except ImportError as error:
        text = f"pyrealsense2: cannot be loaded, {error}; on Debian and Ubuntu: apt install libusb-1.0-0"
        raise InputError(text) from error
    return pyrealsense2


def within(limit_s: float, call: Callable[[], T]) -> T:
    """What `call` gives; a TimeoutError if it takes longer, for some calls of the SDK never come back."""
    answer: Future[T] = Future()

    def run() -> None:
        try:
            answer.set_result(call())
        except Exception as error:
            answer.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    try:
        return answer.result(limit_s)
    except TimeoutError as error:
        raise TimeoutError(f"the RealSense SDK did not answer within {limit_s:g} s") from error


def shot_of(frame: Any, picture: Any = None) -> Shot:
    """A frame of the SDK as a Shot; its picture is `picture`, or else the frame's pixels, copied."""
    stream: Stream = frame.profile.stream_type().name
    domain, pixels = frame.frame_timestamp_domain.name, pixels_of(frame) if picture is None else picture
    return Shot(stream, frame.timestamp, domain, frame.frame_number, pixels)


def pixels_of(frame: Any, room: Room = np.empty) -> Any:
    """Depth and grey as (h, w), colour as (h, w, 3) RGB, in `room`; nothing of the SDK's memory is kept."""
    data = np.asanyarray(frame.get_data())
    name = frame.profile.format().name
    if name in CHANNELS:
        data = data[..., CHANNELS[name]]
    pixels = room(data.shape, data.dtype)
    np.copyto(pixels, data)
    return pixels


def optics_of(lead: Any, color: Any = None, depth_scale_m: float = 0.001) -> Optics:
    """Of frames whose leading stream has the profile `lead`; `color` is that of colour, unless it leads or has
    been aligned.
    """
    registration = None if color is None else registration_of(lead, color)
    return Optics(intrinsics_of(lead), registration, metres_of(depth_scale_m))


def intrinsics_of(profile: Any) -> Intrinsics:
    """The pinhole of a video profile. Without distortion there are no coefficients."""
    found = profile.as_video_stream_profile().get_intrinsics()
    model = found.model.name
    coefficients = tuple(found.coeffs) if model != "none" else ()
    size, pinhole = (found.width, found.height), (found.fx, found.fy, found.ppx, found.ppy)
    return Intrinsics(*size, *pinhole, coefficients, model)


def registration_of(depth: Any, color: Any) -> Registration | None:
    """How colour is reached from depth; None where it lies on the pixels of depth. ValueError if nobody knows."""
    intrinsics = intrinsics_of(color)
    try:
        found = depth.get_extrinsics_to(color)
    except RuntimeError as error:
        if intrinsics == intrinsics_of(depth):
            return None  # what was aligned by software may come without
        raise ValueError("does not say where its colour camera is") from error
    rotation = np.array(found.rotation, np.float64).reshape(3, 3, order="F")  # the SDK writes columns first
    translation_m = np.array(found.translation, np.float64)
    is_here = np.array_equal(rotation, np.eye(3)) and not translation_m.any()
    if is_here and intrinsics == intrinsics_of(depth):
        return None
    return Registration(intrinsics, Pose(rotation, translation_m))


def metres_of(units: float) -> float:
    """A depth unit that the SDK holds in single precision, as whoever set it wrote it: 0.001."""
    return float(str(np.float32(units)))


def choose(profiles: Sequence[Any]) -> dict[Stream, Any]:
    """One profile that `pixels_of` can read for each stream: the lowest index (the left of two infrared cameras)
    in the preferred format.
    """
    found: dict[Stream, Any] = {}
    for stream in STREAMS:
        formats = FORMATS[stream]
        fit = [p for p in profiles if p.stream_type().name == stream and p.format().name in formats]
        if fit:
            found[stream] = min(fit, key=lambda p: (p.stream_index(), formats.index(p.format().name)))
    return found


class Playback:
    """A `.db3` or `.bag` through the SDK, as fast as it is read. A picture that is not taken makes the SDK wait,
    so not one is dropped; `optics` and `rates_hz` are there once it is open.
    """

    def __init__(self, path: Path) -> None:
        self.optics: Optics
        self.rates_hz: dict[Stream, float] = {}
        self._path, self._sensors = path, list[Any]()
        self._playback: Any = None
        self._context: Any = None
        self._shots: queue.Queue[Shot] = queue.Queue(HELD)
        self._ended, self._closing = threading.Event(), threading.Event()

    def open(self) -> None:
        """Raises InputError for a file that the SDK cannot open, or that has no stream of ours."""
        rs = sdk()
        self._context = rs.context()  # its own: a file in the shared one would be among the live devices
        try:
            device = within(CALL_S, lambda: self._context.load_device(str(self._path)))
        except (RuntimeError, TimeoutError) as error:
            raise InputError(f"{self._path}: cannot be played by the RealSense SDK, {error}") from error
        self._playback = device.as_playback()
        self._playback.set_real_time(False)
        self._sensors = list(self._playback.query_sensors())
        profiles = choose([profile for sensor in self._sensors for profile in sensor.profiles])
        if not profiles:
            raise InputError(f"{self._path}: holds no depth, colour or infrared stream that can be read")
        self.rates_hz = {stream: profile.fps() for stream, profile in profiles.items()}
        self._select(profiles)

    def shots(self) -> Iterator[Shot]:
        """Every picture, once, each stream in the order of the file; pixels are decoded."""
        rs, silent_s = sdk(), 0.0
        stopped = rs.playback_status.stopped
        self._playback.set_status_changed_callback(
            lambda status: self._ended.set() if status == stopped else None
        )
        self._playback.pause()  # else pictures of a sensor are lost that come before it has been started
        for sensor in self._sensors:
            within(CALL_S, partial(sensor.start, self._hand_over))
        # apart, since it may wait for pictures to be taken that only this thread takes
        threading.Thread(target=self._playback.resume, daemon=True).start()
        while silent_s < SILENT_S:
            over = self._ended.is_set()  # asked before the last look into the queue
            try:
                shot = self._shots.get(timeout=WAIT_S)
            except queue.Empty:
                if over:
                    return
                silent_s += WAIT_S
                continue
            silent_s = 0.0
            yield shot
        raise InputError(
            f"{self._path}: the RealSense SDK gives nothing for {SILENT_S:g} s and no end either"
        )

    def close(self) -> None:
        """Stop, also in the middle."""
        self._closing.set()
        for sensor in self._sensors:
            for call in (sensor.stop, sensor.close):
                within(CALL_S, call)
        self._sensors, self._playback, self._context = [], None, None  # the SDK closes what nobody holds

    def _select(self, profiles: dict[Stream, Any]) -> None:
        """Open what is read of each sensor; keep only sensors that are read."""
        ids = {profile.unique_id() for profile in profiles.values()}
        chosen = [(s, [p for p in s.profiles if p.unique_id() in ids]) for s in self._sensors]
        self._sensors = [sensor for sensor, wanted in chosen if wanted]
        for sensor, wanted in chosen:
            if wanted:
                sensor.open(wanted)
        lead = next(iter(profiles))
        color = profiles.get("color") if lead != "color" else None
        try:
            self.optics = optics_of(profiles[lead], color, self._scale_m())
        except ValueError as error:
            raise InputError(f"{self._path}: {error}; record again") from error

    def _scale_m(self) -> float:
        depth = [sensor for sensor in self._sensors if sensor.is_depth_sensor()]
        return depth[0].as_depth_sensor().get_depth_scale() if depth else 0.001

    def _hand_over(self, frame: Any) -> None:
        """Called by a thread of the SDK for each picture; while this waits, the SDK reads no further."""
        shot = shot_of(frame)
        while not self._closing.is_set() and not self._has_taken(shot):
            pass

    def _has_taken(self, shot: Shot) -> bool:
        try:
            self._shots.put(shot, timeout=WAIT_S)
        except queue.Full:
            return False
        return True
