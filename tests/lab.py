"""A folder for --replay of four calibrated cameras in a laboratory: their videos, and what is known of them as a manifest."""

import json

import av
import numpy as np

from calibration.camera import Intrinsics, Mount, Pose
from calibration.manifest import Manifest, RecordedCamera, write

CAMERAS = ("cam0", "cam1", "cam2", "cam3")


def write_lab(folder, recordings, cameras=CAMERAS, frames=268):
    """The beginnings of the videos, and a manifest with the lens and the place of each."""
    folder.mkdir(parents=True, exist_ok=True)
    told = {}
    for name in cameras:
        cut(folder / f"{name}.mp4", recordings / "lab_4cam_sync" / f"{name}.mp4", frames)
        lens, pose = read_calibration(recordings / "lab_4cam_sync" / "calib" / f"{name[-1]}.json")
        told[name] = RecordedCamera(f"{name}.mp4", mount=mount_of(pose), intrinsics=lens)
    write(folder, Manifest("a test", "recorded", "lab", told))
    return folder


def cut(path, source, frames):
    """The first frames of a video, as they are in it."""
    with av.open(str(source)) as read, av.open(str(path), "w") as write:
        stream = write.add_stream_from_template(read.streams.video[0])
        for number, packet in enumerate(read.demux(video=0)):
            if number == frames or packet.dts is None:
                return
            packet.stream = stream
            write.mux(packet)


def read_calibration(path):
    """The lens of a camera and world from camera."""
    told = json.loads(path.read_text())
    matrix, size = np.reshape(told["intrinsic"]["doubles"], (3, 3)), told["resolution"]
    distortion = tuple(told["distortion"]["doubles"])
    pinhole = matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2]
    lens = Intrinsics(size["width"], size["height"], *map(float, pinhole), distortion, "brown_conrady")
    camera_from_world = np.reshape(told["extrinsic"][0]["tf"]["doubles"], (4, 4))
    return lens, Pose(camera_from_world[:3, :3], camera_from_world[:3, 3]).inverse()


def mount_of(pose):
    """The place, height and tilt that give this pose."""
    up, (x_m, y_m, height_m) = pose.rotation[2], pose.translation_m  # of the world, in camera axes
    roll = np.arcsin(np.clip(up[0], -1, 1))
    pitch = np.arctan2(-up[1], -up[2])
    right = pose.rotation[:2, 0]
    tilt = np.degrees([np.arctan2(right[1], right[0]), pitch, roll])
    return Mount(
        float(x_m), float(y_m), float(tilt[0]), float(height_m), *map(float, tilt[1:]), is_placed=True
    )
