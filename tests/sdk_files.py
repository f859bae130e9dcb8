"""Recordings made with the SDK itself, of any device that a test can think of; such files plugged in as devices; and
what sources give that stream from them.
"""

import threading
import time
from contextlib import contextmanager
from itertools import islice

import numpy as np
import pyrealsense2 as rs

from pipeline.messages import Frame, SystemEvent
from stages.source._devices import DEVICES
from stages.source._moments import Shot

WIDTH, HEIGHT = 64, 48
START_MS = 1_700_000_000_000.0
FORMATS = {"depth": rs.format.z16, "color": rs.format.rgb8, "infrared": rs.format.y8}
BYTES = {"z16": 2, "rgb8": 3, "bgr8": 3, "rgba8": 4, "bgra8": 4, "y8": 1, "y16": 2}
BASELINE_M = 0.015


def picture(stream, number):
    """A picture that no other number has."""
    across = np.arange(WIDTH) + number
    down = np.arange(HEIGHT)[:, None]
    if stream == "depth":
        return (1000 + 10 * down + across).astype(np.uint16)
    if stream == "infrared":
        return (down + across).astype(np.uint8)
    return np.stack([down + across, down - across, down * 0 + across], axis=-1).astype(np.uint8)


def shots(count=30, fps=30, streams=("depth", "color"), first=0, start_ms=START_MS, clock="global_time"):
    """What a device with these streams shows, in order."""
    return [
        Shot(stream, start_ms + 1000 * n / fps, clock, n, picture(stream, n))
        for n in range(first, first + count)
        for stream in streams
    ]


def write(
    path,
    given,
    *,
    fps=30,
    name="Recorded",
    serial="1001",
    infos=(),
    options=(),
    formats=(),
    pace_s=0.0,
    places=True,
):
    """Record what is given; what plays it as a live device does so in the time that this took."""
    shown = Software(
        given, fps, {"name": name, "serial_number": serial, **dict(infos)}, options, formats, places
    )
    recorder = rs.recorder(str(path), shown.device)
    outputs = recorder.query_sensors()
    for output in outputs:
        output.open(output.profiles)
        output.start(lambda frame: None)
    for shot in given:
        shown.show(shot)
        time.sleep(pace_s)
    for output in outputs:
        output.stop()
        output.close()
    return path


class Software:
    """A device made of software that has the streams of what it is given to show."""

    def __init__(self, given, fps=30, infos=(), options=(), formats=(), places=True):
        self.device = rs.software_device()
        for key, value in dict(infos).items():
            self.device.register_info(getattr(rs.camera_info, key), value)
        streams = list(dict.fromkeys(shot.stream for shot in given))
        stereo = self.device.add_sensor("Stereo Module") if {"depth", "infrared"} & set(streams) else None
        if "depth" in streams:
            stereo.add_read_only_option(rs.option.depth_units, 0.001)
        for key, value in dict(options).items():
            stereo.add_read_only_option(getattr(rs.option, key), value)
        self._sensors = {s: self.device.add_sensor("RGB Camera") if s == "color" else stereo for s in streams}
        formats = {**FORMATS, **dict(formats)}
        self._profiles = {
            s: self._sensors[s].add_video_stream(_video(n, s, formats[s], fps)) for n, s in enumerate(streams)
        }
        for one in streams:
            for other in streams:
                if places and one != other:
                    self._profiles[one].register_extrinsics_to(self._profiles[other], _extrinsics(one, other))

    def show(self, shot):
        """Return when whoever is told of pictures has been told of this one."""
        self._sensors[shot.stream].on_video_frame(_frame(shot, self._profiles[shot.stream]))


@contextmanager
def plugged(*paths):
    """While inside, the recordings are devices of this process; `plug` and `unplug` change that."""
    plugs = Plugs()
    try:
        for path in paths:
            plugs.plug(path)
        yield plugs
    finally:
        for path in list(plugs.held):
            plugs.unplug(path)


class Plugs:
    """The devices that are plugged in: the SDK forgets one that nobody holds."""

    def __init__(self):
        self.held = {}

    def plug(self, path):
        self.held[path] = DEVICES.context().load_device(str(path))

    def unplug(self, path):
        del self.held[path]
        DEVICES.context().unload_device(str(path))


def device(path, given, **told):
    """A device that shows these pictures at its leisure: as a live one, it does not wait for a slow reader."""
    return write(path, given, **{"pace_s": 0.006, **told})


def number_of(frame):
    """By its stamp, as `shots` makes them."""
    return round((frame.captured_ns / 1e6 - START_MS) * 30 / 1000)


def opened(source, count, seconds=6.0):
    """The first `count` messages of a source that is opened for them and closed after them."""
    source.open()
    timer = threading.Timer(seconds, source.close)
    timer.start()
    found = list(islice(source.produce(0), count))
    timer.cancel()
    source.close()
    return found


def up_to(messages, is_enough, seconds=8.0):
    """Messages up to the one that is enough."""
    found, until_s = [], time.monotonic() + seconds
    for message in messages:
        found.append(message)
        if is_enough(message) or time.monotonic() > until_s:
            break
    return found


def frames(messages):
    return [message for message in messages if isinstance(message, Frame)]


def events(messages, kind):
    return [message for message in messages if isinstance(message, SystemEvent) and message.kind == kind]


def _frame(shot, profile):
    made = rs.software_video_frame()
    made.pixels, made.profile = np.ascontiguousarray(shot.picture), profile.as_video_stream_profile()
    made.bpp = BYTES[profile.format().name]
    made.stride = WIDTH * made.bpp
    made.timestamp, made.domain = shot.stamp_ms, getattr(rs.timestamp_domain, shot.clock)
    made.frame_number, made.depth_units = shot.number, 0.001
    return made


def _video(uid, stream, kind, fps):
    made = rs.video_stream()
    made.type, made.index, made.uid = getattr(rs.stream, stream), int(stream == "infrared"), uid
    made.width, made.height, made.fps, made.bpp, made.fmt = WIDTH, HEIGHT, fps, BYTES[kind.name], kind
    made.intrinsics = _intrinsics(60.0 if stream == "color" else 50.0)
    return made


def _intrinsics(focal_px):
    made = rs.intrinsics()
    made.width, made.height, made.ppx, made.ppy = WIDTH, HEIGHT, WIDTH / 2, HEIGHT / 2
    made.fx = made.fy = focal_px
    made.model, made.coeffs = rs.distortion.brown_conrady, [0.0] * 5
    return made


def _extrinsics(one, other):
    made = rs.extrinsics()
    made.rotation = [1, 0, 0, 0, 1, 0, 0, 0, 1]
    towards = (other == "color") - (one == "color")
    made.translation = [BASELINE_M * towards, 0, 0]
    return made
