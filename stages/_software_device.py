"""A RealSense device made of software, with the streams of given frames: what a recorder can be put around."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from calibration.camera import Intrinsics, Pose
from pipeline.messages import Encoded, Frame
from stages.source._moments import STREAMS, Stream
from stages.source._sdk import sdk
from stages.source._timeline import ms_of

UNKNOWN_CLOCK = "system_time"  # the SDK has no name for the time of a site
HERE = Pose(np.eye(3), np.zeros(3))


class SoftwareDevice:
    """The first frames say which streams there are, their sizes, cameras and rate."""

    def __init__(self, first: Sequence[Frame], name: str, serial: str) -> None:
        rs = sdk()
        self.device = rs.software_device()
        self.device.register_info(rs.camera_info.name, name)
        self.device.register_info(rs.camera_info.serial_number, serial)
        self._sensors: dict[Stream, Any] = {}
        self._profiles: dict[Stream, Any] = {}
        frames = _first_of_each(first)
        for uid, (stream, frame) in enumerate(frames.items()):
            self._sensors[stream] = self._sensor(stream, frame)
            self._profiles[stream] = self._sensors[stream].add_video_stream(
                _video(uid, stream, frame, _rate_hz(first))
            )
        self._place(frames)

    @property
    def streams(self) -> list[Stream]:
        """Which there are."""
        return list(self._profiles)

    def fits(self, pictures: Mapping[Stream, Any]) -> bool:
        """Whether these are pictures of its streams."""
        return all(
            stream in self._profiles and picture.shape[:2] == _shape(self._profiles[stream])
            for stream, picture in pictures.items()
        )

    def show(self, pictures: Mapping[Stream, Any], frame: Frame) -> None:
        """Let the device see what `frame` shows; the pictures are copied."""
        rs = sdk()
        domains = rs.timestamp_domain.__members__
        for stream, picture in pictures.items():
            made = rs.software_video_frame()
            made.pixels, made.profile = picture, self._profiles[stream].as_video_stream_profile()
            made.stride, made.bpp = picture.strides[:2]
            made.timestamp, made.frame_number = ms_of(frame.captured_ns), frame.index
            made.domain = domains.get(frame.clock, domains[UNKNOWN_CLOCK])
            made.depth_units = frame.depth_scale_m
            self._sensors[stream].on_video_frame(made)

    def _sensor(self, stream: Stream, frame: Frame) -> Any:
        """Depth and infrared have one sensor, colour another."""
        if stream == "infrared" and "depth" in self._sensors:
            return self._sensors["depth"]
        sensor = self.device.add_sensor("RGB Camera" if stream == "color" else "Stereo Module")
        if stream == "depth":
            sensor.add_read_only_option(sdk().option.depth_units, frame.depth_scale_m)
        return sensor

    def _place(self, frames: Mapping[Stream, Frame]) -> None:
        """Say where each camera is as seen from each other: without that nobody can lay colour onto depth."""
        color = frames.get("color")
        color_from_depth = color.registration.color_from_depth if color and color.registration else HERE
        for stream, profile in self._profiles.items():
            for other in [other for other in self._profiles if other != stream]:
                pose = HERE
                if "color" in (stream, other):
                    pose = color_from_depth if other == "color" else color_from_depth.inverse()
                profile.register_extrinsics_to(self._profiles[other], _extrinsics(pose))


def pixels_of(frame: Frame) -> dict[Stream, Any]:
    """The pictures that a frame has, decoded, in one piece of memory each."""
    pictures: dict[Stream, Any] = {}
    for stream in STREAMS:
        picture = getattr(frame, stream)
        if picture is not None:
            pictures[stream] = np.ascontiguousarray(
                picture.pixels() if isinstance(picture, Encoded) else picture
            )
    return pictures


def _first_of_each(first: Sequence[Frame]) -> dict[Stream, Frame]:
    frames = {stream: [frame for frame in first if getattr(frame, stream) is not None] for stream in STREAMS}
    return {stream: some[0] for stream, some in frames.items() if some}


def _rate_hz(first: Sequence[Frame]) -> int:
    """Frames per second, a whole number as the SDK wants it; 30 where one frame is all there is."""
    lasted_s = (first[-1].captured_ns - first[0].captured_ns) / 1e9
    return max(1, round((first[-1].index - first[0].index) / lasted_s)) if lasted_s > 0 else 30


def _shape(profile: Any) -> tuple[int, int]:
    video = profile.as_video_stream_profile()
    return video.height(), video.width()


def _video(uid: int, stream: Stream, frame: Frame, rate_hz: int) -> Any:
    rs = sdk()
    picture = pixels_of(frame)[stream]
    grey = rs.format.y8 if picture.dtype == np.uint8 else rs.format.y16
    made = rs.video_stream()
    made.type, made.index = getattr(rs.stream, stream), int(stream == "infrared")  # the left of two
    made.fmt = {"depth": rs.format.z16, "color": rs.format.rgb8, "infrared": grey}[stream]
    made.uid, made.fps, made.bpp = uid, rate_hz, picture.strides[1]
    made.height, made.width = picture.shape[:2]
    lens = frame.view.intrinsics
    made.intrinsics = _intrinsics(
        frame.registration.intrinsics if frame.registration and stream == "color" else lens
    )
    return made


def _intrinsics(lens: Intrinsics) -> Any:
    rs = sdk()
    made = rs.intrinsics()
    made.width, made.height = lens.width_px, lens.height_px
    made.fx, made.fy, made.ppx, made.ppy = lens.fx_px, lens.fy_px, lens.cx_px, lens.cy_px
    made.model = getattr(rs.distortion, lens.distortion_model)
    made.coeffs = [*lens.distortion, *[0.0] * 5][:5]
    return made


def _extrinsics(pose: Pose) -> Any:
    made = sdk().extrinsics()
    made.rotation = pose.rotation.flatten(order="F").tolist()  # the SDK writes columns first
    made.translation = pose.translation_m.tolist()
    return made
