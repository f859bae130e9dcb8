"""What --replay and --simulate put in the place of cameras."""

import pytest

from configs.build import ConfigError
from pipeline.inputs import fingerprint, replayed, simulated

CAMERAS = {"flat": {"stage": "source/realsense"}, "oblique": {"stage": "source/realsense"}}


def test_every_camera_gets_its_own_recording(tmp_path):
    (tmp_path / "flat.db3").write_bytes(b"x")
    (tmp_path / "oblique.mkv").write_bytes(b"x")
    made = replayed(CAMERAS, tmp_path)
    assert made["flat"] == {"stage": "source/recording", "path": str(tmp_path / "flat.db3")}
    assert made["oblique"]["stage"] == "source/video"


def test_a_camera_that_is_a_file_keeps_how_the_graph_reads_it(tmp_path):
    (tmp_path / "yard.mkv").write_bytes(b"x")
    entry = {"stage": "source/video", "path": "elsewhere.mp4", "shows": "infrared"}
    made = replayed({"yard": entry}, tmp_path)
    assert made["yard"] == {"stage": "source/video", "path": str(tmp_path / "yard.mkv"), "shows": "infrared"}


def test_a_video_of_a_network_camera_shows_what_the_camera_shows(tmp_path):
    (tmp_path / "yard.mkv").write_bytes(b"x")
    entry = {"stage": "source/rtsp", "url": "rtsp://yard/x", "shows": "infrared"}
    made = replayed({"yard": entry}, tmp_path)
    assert made["yard"] == {"stage": "source/video", "path": str(tmp_path / "yard.mkv"), "shows": "infrared"}


def test_a_camera_without_a_recording_is_named(tmp_path):
    (tmp_path / "flat.db3").write_bytes(b"x")
    with pytest.raises(
        ConfigError, match=r"no recording of camera 'oblique'; looked for oblique.db3, oblique.bag"
    ):
        replayed(CAMERAS, tmp_path)


def test_two_recordings_of_one_camera_are_one_too_many(tmp_path):
    for name in ("flat.db3", "flat.mp4", "oblique.bag"):
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(ConfigError, match=r"holds flat.db3, flat.mp4 for camera 'flat'; keep one of them"):
        replayed(CAMERAS, tmp_path)


def test_a_folder_that_is_not_there_is_said(tmp_path):
    with pytest.raises(ConfigError, match="nowhere: there is no such folder"):
        replayed(CAMERAS, tmp_path / "nowhere")


def test_all_cameras_show_the_same_people():
    made = simulated(CAMERAS, {"people": 3, "seed": 7})
    assert made["flat"] == made["oblique"] == {"stage": "source/simulated", "people": 3, "seed": 7}


def test_other_recordings_have_another_fingerprint(tmp_path):
    prints = set()
    for content in (b"one", b"two"):
        for name in ("flat.db3", "oblique.db3"):
            (tmp_path / name).write_bytes(content)
        prints.add(fingerprint(replayed(CAMERAS, tmp_path)))
    assert len(prints) == 2
