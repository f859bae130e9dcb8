"""Finds people where there is a floor to stand on, or in pictures, and says what it cannot do without."""

from dataclasses import dataclass, field, replace

import cv2
import numpy as np
import pytest
from builders import frame
from scenes import depth_of, person, view

from calibration.camera import Intrinsics, Mount, View, pose_of
from configs.build import ConfigError, build
from engines.overhead_depth import OverheadDepth
from engines.yolox import Yolox
from pipeline.messages import Encoded
from pipeline.stage import InputError, Stage
from stages.detect import Detect

pytest_plugins = ["known_models"]

DEPTH = depth_of(person(0.2, 0.1), view(3.0))


def test_gives_the_people_of_a_frame_with_their_places():
    (found,) = Detect(OverheadDepth()).process(frame(view=view(3.0), depth=DEPTH))
    assert len(found) == 1
    assert found.floor_m[0] == pytest.approx([0.2, 0.1], abs=0.05)


def test_a_frame_whose_floor_is_not_known_shows_nobody():
    (found,) = Detect(OverheadDepth()).process(frame(depth=DEPTH))
    assert len(found) == 0


def test_a_camera_without_depth_is_said_in_one_line():
    with pytest.raises(InputError, match="^east: frame 7 has no depth; give this camera a depth stream$"):
        list(Detect(OverheadDepth()).process(frame("east", 7, view=view(3.0))))


@dataclass
class Sees:
    """Finds one box for each picture, as wide as the picture is bright, and keeps what it was shown."""

    reads: str = "color"
    shown: list = field(default_factory=list)

    def __call__(self, pictures):
        self.shown.append(pictures)
        return [(np.array([[0, 0, one.max(), 8]], np.float32), np.ones(1, np.float32)) for one in pictures]


def grey(brightness):
    return np.full((4, 6), brightness, np.uint8)


@pytest.mark.parametrize("reads", ["color", "infrared"])
def test_a_detector_is_shown_the_picture_that_it_reads_of_all_frames_at_once(reads):
    other = {"color": "infrared", "infrared": "color"}[reads]
    frames = [frame(camera, **{reads: grey(b), other: grey(255)}) for camera, b in (("a", 5), ("b", 9))]
    detector = Sees(reads)
    found = [one for given in Detect(detector, max_batch=8).process_many(frames) for one in given]
    assert [one.camera_id for one in found] == ["a", "b"]
    assert [one.boxes[0, 2] for one in found] == [5, 9]
    assert len(detector.shown) == 1
    assert np.isnan(found[0].floor_m).all() and np.isnan(found[0].heights_m).all()


def test_whom_a_calibrated_camera_shows_stands_where_their_box_ends():
    mount = Mount(
        0.0, 0.0, 0.0, 3.0, 0.0, 0.0, is_placed=True
    )  # straight down, so that a box ends on the floor
    seen = View(Intrinsics(200, 100, 50.0, 50.0, 99.5, 49.5), mount, pose_of(mount))
    (found,) = Detect(Sees()).process(frame(view=seen, color=grey(99)))
    assert found.floor_m[0] == pytest.approx([-50 * 3 / 50, 41.5 * 3 / 50])
    cut = replace(seen, intrinsics=replace(seen.intrinsics, height_px=9))
    (found,) = Detect(Sees()).process(frame(view=cut, color=grey(99)))
    assert np.isnan(found.floor_m).all()


def test_a_picture_is_decoded_once_for_all_who_come_later():
    png = Encoded("png", cv2.imencode(".png", grey(7))[1].tobytes())
    (found,) = Detect(Sees("infrared")).process(frame(infrared=png, color=png))
    assert np.array_equal(found.frame.infrared, grey(7))
    assert found.frame.color is png


@pytest.mark.parametrize(("reads", "said"), [("color", "a color"), ("infrared", "an infrared")])
def test_a_camera_without_the_picture_that_is_read_is_said_in_one_line(reads, said):
    with pytest.raises(InputError, match=f"^east: frame 7 has no {reads}; give this camera {said} stream$"):
        list(Detect(Sees(reads)).process(frame("east", 7, depth=DEPTH)))


def test_of_many_pictures_the_damaged_one_is_named():
    png = cv2.imencode(".png", grey(7))[1].tobytes()
    frames = [frame("west", 3, color=Encoded("png", png)), frame("east", 7, color=Encoded("png", png[:-9]))]
    with pytest.raises(
        InputError, match="^east: frame 7 has a color that is damaged, .*; record it again, or leave"
    ):
        Detect(Sees(), max_batch=8).process_many(frames)


def test_depth_is_read_frame_by_frame_whatever_the_batch():
    frames = [frame(camera, view=view(3.0), depth=DEPTH) for camera in "ab"] + [frame("c", depth=DEPTH)]
    found = [one for given in Detect(OverheadDepth(), max_batch=8).process_many(frames) for one in given]
    assert [(one.camera_id, len(one)) for one in found] == [("a", 1), ("b", 1), ("c", 0)]


def test_a_batch_of_none_is_refused():
    with pytest.raises(ConfigError, match="^graph.detect: max_batch must be at least 1, got 0$"):
        build(
            "stages/detect", {"detector": {"engine": "overhead_depth"}, "max_batch": 0}, "graph.detect", Stage
        )


def test_a_network_finds_in_eight_cameras_at_once_what_it_finds_in_each(models, pictures):
    settings = {"detector": {"engine": "yolox", "model": "yolox_nano"}, "max_batch": 8}
    stage = build("stages/detect", settings, "graph.detect", Stage)
    stage.open()
    colors = [pictures[0], pictures[1], pictures[2], pictures[0][::2, ::2]] * 2
    frames = [frame(f"camera{number}", color=color) for number, color in enumerate(colors)]
    together = [one for given in stage.process_many(frames) for one in given]
    for one, seen in zip(together, frames, strict=True):
        (alone,) = stage.process(seen)
        assert len(alone) >= 3
        assert np.array_equal(one.boxes, alone.boxes) and np.array_equal(one.scores, alone.scores)
    stage.close()


def test_the_same_detector_finds_people_at_night_in_infrared(models, recordings):
    paths = sorted((recordings / "llvip_rgb_ir/infrared").glob("*.jpg"))
    stage = Detect(Yolox("yolox_nano", reads="infrared"))
    stage.open()
    greys = [cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in paths]
    found = [len(next(stage.process(frame(infrared=it)))) for it in greys]
    dim = [(it // 4).astype(np.uint16) * 16 + 4000 for it in greys]  # as a sensor of 16 bits may give them
    stretched = [len(next(stage.process(frame(infrared=it)))) for it in dim]
    stage.close()
    assert np.count_nonzero(found) >= 0.8 * len(paths)
    assert np.count_nonzero(stretched) >= 0.8 * len(paths)
