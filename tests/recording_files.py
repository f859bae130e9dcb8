"""Recordings for tests of readers: what they show, `.bag` files of it, and `.db3` files to be spoilt."""

import sqlite3
from contextlib import closing, contextmanager

import numpy as np
from rosbags.rosbag1 import Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from sdk_files import HEIGHT, START_MS, WIDTH

from stages.source._moments import Shot

COUNT = 24  # frame sets in the recording that most tests take
TYPES = get_typestore(Stores.ROS1_NOETIC)
TYPES.register(
    get_types_from_msg("uint32 fps\nstring encoding\nbool is_recommended", "realsense_msgs/msg/StreamInfo")
)
KEY_VALUE = "diagnostic_msgs/msg/KeyValue"
CLOCKS = {"hardware_clock": "Hardware Clock", "global_time": "Global Time", "system_time": "System Time"}
SHIFT_M, TURN = (0.015, 0.001, -0.002), (0.0, 0.0, 0.005, np.sqrt(1 - 0.005**2))


def noise(stream, number):
    """A picture that no other number has, and that does not get smaller when packed."""
    random = np.random.default_rng([number, len(stream)])
    if stream == "depth":
        return random.integers(0, 65536, (HEIGHT, WIDTH)).astype(np.uint16)
    shape = (HEIGHT, WIDTH) if stream == "infrared" else (HEIGHT, WIDTH, 3)
    return random.integers(0, 256, shape).astype(np.uint8)


def shown(
    count=COUNT, streams=("depth", "color"), ms=1000 / 30, first=0, clock="global_time", color_late_ms=0.0
):
    """What a camera shows, in order."""
    late_ms = {"color": color_late_ms}
    return [
        Shot(stream, round(START_MS + n * ms + late_ms.get(stream, 0.0), 6), clock, n, noise(stream, n))
        for n in range(first, first + count)
        for stream in streams
    ]


@contextmanager
def edited(path):
    """The database in a `.db3`, to be spoilt."""
    with closing(sqlite3.connect(path)) as database, database:
        yield database


def topic_of(database, *words):
    """The id of the one topic that has all these words in its name."""
    ids = [
        id
        for id, name in database.execute("SELECT id, name FROM topics")
        if all(word in name for word in words)
    ]
    assert len(ids) == 1, (words, ids)
    return ids[0]


def write_bag(path, shots, *, compression=None, units=0.001, encodings=(), without=()):
    """What librealsense before 2.58 writes; `without` are words of topics that are left out."""
    bag = _Bag(path, compression, without)
    encodings = {"depth": "mono16", "color": "rgb8", "infrared": "8UC1", **dict(encodings)}
    streams = list(dict.fromkeys(shot.stream for shot in shots))
    with bag.writer:
        bag.begin(units)
        for stream in streams:
            bag.describe(stream, encodings[stream])
        for n, shot in enumerate(shots):
            bag.show(shot, encodings[shot.stream], 1_000_000 * (n + 1))
    return path


class _Bag:
    def __init__(self, path, compression, without):
        self.writer = Writer(path)
        if compression:
            self.writer.set_compression(getattr(Writer.CompressionFormat, compression))
        self.writer.chunk_threshold = 40_000  # a few pictures
        self._without, self._connections = without, {}

    def say(self, topic, type, at_ns=1, **fields):
        if any(word in topic for word in self._without):
            return
        if topic not in self._connections:
            self._connections[topic] = self.writer.add_connection(topic, type, typestore=TYPES)
        message = TYPES.types[type](**fields)
        self.writer.write(self._connections[topic], at_ns, TYPES.serialize_ros1(message, type))

    def begin(self, units):
        self.say("/file_version", "std_msgs/msg/UInt32", data=3)
        for key, value in {"Name": "Recorded", "Serial Number": "1001"}.items():
            self.say("/device_0/info", KEY_VALUE, key=key, value=value)
        for n, name in enumerate(("Stereo Module", "RGB Camera")):
            self.say(f"/device_0/sensor_{n}/info", KEY_VALUE, key="Name", value=name)
        self.say("/device_0/sensor_0/option/Depth Units/value", "std_msgs/msg/Float32", data=units)
        self.say("/device_0/sensor_0/option/Depth Units/description", "std_msgs/msg/String", data="Metres")

    def describe(self, stream, encoding):
        where, xyz, xyzw = _where(stream), _named("Vector3", "xyz"), _named("Quaternion", "xyzw")
        self.say(
            f"{where}/info", "realsense_msgs/msg/StreamInfo", fps=30, encoding=encoding, is_recommended=False
        )
        self.say(f"{where}/info/camera_info", "sensor_msgs/msg/CameraInfo", **_lens(stream))
        is_here = stream != "color"
        place = {
            "translation": xyz((0, 0, 0) if is_here else SHIFT_M),
            "rotation": xyzw((0, 0, 0, 1) if is_here else TURN),
        }
        self.say(f"{where}/tf/0", "geometry_msgs/msg/Transform", **place)

    def show(self, shot, encoding, at_ns):
        where, rows = _where(shot.stream), np.ascontiguousarray(shot.picture)
        if encoding == "bgr8":
            rows = np.ascontiguousarray(rows[..., ::-1])
        content = {"height": HEIGHT, "width": WIDTH, "encoding": encoding, "is_bigendian": 0}
        content |= {"step": rows.strides[0], "data": rows.view(np.uint8).ravel()}
        header = _header(shot.number, shot.stamp_ms)
        self.say(f"{where}/image/data", "sensor_msgs/msg/Image", at_ns, header=header, **content)
        said = {"system_time": "0.0", "timestamp_domain": CLOCKS[shot.clock], "Actual Fps": "30"}
        for key, value in said.items():
            self.say(f"{where}/image/metadata", KEY_VALUE, at_ns, key=key, value=value)


def _where(stream):
    names = {"depth": "sensor_0/Depth_0", "infrared": "sensor_0/Infrared_1", "color": "sensor_1/Color_0"}
    return f"/device_0/{names[stream]}"


def _header(number=0, stamp_ms=0.0):
    seconds, rest = divmod(round(stamp_ms * 1e6), 1_000_000_000)
    stamp = TYPES.types["builtin_interfaces/msg/Time"](sec=seconds, nanosec=rest)
    return TYPES.types["std_msgs/msg/Header"](seq=number, stamp=stamp, frame_id="")


def _named(type, names):
    return lambda values: TYPES.types[f"geometry_msgs/msg/{type}"](
        **dict(zip(names, map(float, values), strict=True))
    )


def _lens(stream):
    focal_px = 60.0 if stream == "color" else 50.0
    matrix = np.array([focal_px, 0, WIDTH / 2, 0, focal_px, HEIGHT / 2, 0, 0, 1])
    no_region = {"x_offset": 0, "y_offset": 0, "height": 0, "width": 0, "do_rectify": False}
    return {
        "header": _header(),
        "height": HEIGHT,
        "width": WIDTH,
        "distortion_model": "Brown Conrady",
        "D": np.zeros(5),
        "K": matrix,
        "R": np.zeros(9),
        "P": np.zeros(12),
        "binning_x": 0,
        "binning_y": 0,
        "roi": TYPES.types["sensor_msgs/msg/RegionOfInterest"](**no_region),
    }
