"""Our boxes and scores against those of others' decoders, on the same pictures by the same networks; with two colours
swapped, none of them agrees.
"""

import hashlib

import cv2
import numpy as np
import pytest
from judges.detector_judge import (
    MADE,
    RANDOM,
    YOLO,
    are_same,
    asked,
    average_precision,
    described,
    found_by_judge,
)

from engines import _manifest
from engines.evaluate.mot import read_mot
from engines.ssd import Ssd
from engines.yolo import Yolo
from engines.yolox import Yolox

pytest_plugins = ["known_models"]
pytestmark = pytest.mark.usefixtures("models")
DETECTORS = ".venv-judges-detectors"
LEAST, MIN_VISIBILITY, POINTS = 0.01, 0.3, 100
SURE = 0.1  # below, rtmlib's suppression, which counts the pixels of a box's edges, keeps others now and then
ONNX, IR = "models/yolox_nano_416x416.onnx", "models/person-detection-retail-0013_fp16.xml"


@pytest.fixture(scope="module")
def paths(recordings):
    """13 pictures of three streets and squares, 1920x1080."""
    return sorted((recordings / "mot17/mini_img").glob("*/*.jpg"))


@pytest.fixture(scope="module")
def answers(recordings, paths, tmp_path_factory):
    """What others find in these pictures."""
    job, folder = {"pictures": list(map(str, paths)), "min_score": LEAST}, tmp_path_factory.mktemp("judge")
    onnx, ir = {"model": str(recordings / ONNX)}, {"model": str(recordings / IR)}
    script = "detector_boxes.py", DETECTORS, folder
    return {
        "yolox": asked(*script, kind="yolox", size=[416, 416], max_overlap=0.45, **onnx, **job),
        "ssd": asked(*script, kind="ssd", is_whole=False, **ir, **job),
        "ssd, whole": asked(*script, kind="ssd", is_whole=True, **ir, **job),
    }


@pytest.fixture(scope="module")
def made(paths, tmp_path_factory):
    """Networks with random weights, their manifests, and what Ultralytics finds with them in one picture a place."""
    folder, some = tmp_path_factory.mktemp("yolo"), paths[::4]
    answer = asked(
        "yolo_boxes.py",
        YOLO,
        folder,
        descriptions=list(MADE),
        pictures=list(map(str, some)),
        seed=1,
        **RANDOM,
    )
    for name, is_end_to_end in MADE.items():
        sha256 = hashlib.sha256((folder / f"{name}.onnx").read_bytes()).hexdigest()
        text = described(name, "yolo", f"{name}.onnx", is_end_to_end=is_end_to_end, sha256=sha256)
        (folder / f"{name}.yaml").write_text(text)
    return folder, some, answer


@pytest.fixture
def yolo(made, monkeypatch):
    folder, some, answer = made
    monkeypatch.setattr(_manifest, "MODELS", folder)
    monkeypatch.setenv("SIGHTLINE_MODELS", str(folder))
    return [pixels(path) for path in some], answer


def pixels(path):
    return cv2.imread(str(path))[:, :, ::-1]


def found_with(detector, pictures):
    detector.open()
    try:
        return detector(pictures)
    finally:
        detector.close()


def same(ours, answers, pictures, is_rounded=False):
    """For each picture, whether both found the same, of what is sure."""
    theirs = judged(answers, pictures)
    if is_rounded:
        ours = rounded(ours)
    assert min(np.count_nonzero(scores >= SURE) for _, scores in theirs) >= 3
    return [are_same(sure(a), sure(b)) for a, b in zip(ours, theirs, strict=True)]


def judged(answers, pictures):
    return [found_by_judge(one, it.shape[1::-1]) for one, it in zip(answers, pictures, strict=True)]


def sure(found):
    return found[0][found[1] >= SURE], found[1][found[1] >= SURE]


def rounded(found):
    """To whole pixels, as OpenVINO Model API gives them."""
    return [(boxes.round(), scores) for boxes, scores in found]


def swapped(pictures):
    return [picture[:, :, ::-1] for picture in pictures]


@pytest.mark.parametrize("runtime", ["openvino", "onnxruntime"])
def test_yolox_finds_what_rtmlib_does(answers, paths, runtime):
    pictures, detector = [pixels(path) for path in paths], Yolox("yolox_nano", runtime, min_score=LEAST)
    assert all(same(found_with(detector, pictures), answers["yolox"], pictures))
    assert not any(same(found_with(detector, swapped(pictures)), answers["yolox"], pictures))


def test_ssd_finds_what_openvino_model_api_makes_of_the_same_rows(answers, paths):
    pictures, detector = (
        [pixels(path) for path in paths],
        Ssd("person_detection_retail_0013", min_score=LEAST),
    )
    assert all(same(found_with(detector, pictures), answers["ssd"], pictures, is_rounded=True))
    assert not any(same(found_with(detector, swapped(pictures)), answers["ssd"], pictures, is_rounded=True))


@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize("runtime", ["openvino", "onnxruntime"])
def test_yolo_finds_what_ultralytics_does(yolo, name, runtime):
    pictures, answer = yolo
    detector = Yolo(name, runtime, **RANDOM)
    assert all(same(found_with(detector, pictures), answer[name], pictures))
    assert not any(same(found_with(detector, swapped(pictures)), answer[name], pictures))


def test_infrared_gives_what_three_equal_colours_do(recordings, tmp_path):
    path = sorted((recordings / "llvip_rgb_ir/infrared").glob("*.jpg"))[0]
    grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    (tmp_path / "grey.png").write_bytes(cv2.imencode(".png", grey)[1].tobytes())
    job = {"model": str(recordings / ONNX), "size": [416, 416], "min_score": 0.1, "max_overlap": 0.45}
    picture = [str(tmp_path / "grey.png")]
    answer = asked("detector_boxes.py", DETECTORS, tmp_path, kind="yolox", pictures=picture, **job)
    detector = Yolox("yolox_nano", min_score=0.1, reads="infrared")
    assert same(found_with(detector, [grey]), answer, [grey]) == [True]


def test_yolox_finds_as_many_of_the_people_of_mot17_as_rtmlib(recordings, answers, paths):
    ours, theirs = scores_of(Yolox("yolox_nano", min_score=LEAST), answers["yolox"], recordings, paths)
    assert theirs > 30
    assert ours == pytest.approx(theirs, abs=0.2)


def test_ssd_finds_as_many_of_the_people_of_mot17_as_openvino_model_api(recordings, answers, paths):
    detector = Ssd("person_detection_retail_0013", min_score=LEAST)
    ours, theirs = scores_of(detector, answers["ssd"], recordings, paths, rounded)
    assert theirs > 30
    assert ours == pytest.approx(theirs, abs=0.2)


def test_ssd_loses_nothing_by_resizing_with_opencv_what_model_api_resizes_with_openvino(
    recordings, answers, paths
):
    detector = Ssd("person_detection_retail_0013", min_score=LEAST)
    ours, theirs = scores_of(detector, answers["ssd, whole"], recordings, paths, rounded)
    assert ours > theirs - 0.2


def scores_of(detector, answers, recordings, paths, as_judged=list):
    """AP50 in points, of us and of the judge."""
    pictures = [pixels(path) for path in paths]
    truth = [people_of(recordings, path) for path in paths]
    found = as_judged(found_with(detector, pictures)), judged(answers, pictures)
    return [POINTS * average_precision(one, truth) for one in found]


def people_of(recordings, path):
    """Boxes of those of whom at least 0.3 can be seen."""
    rows = read_mot(recordings / "mot17/train" / path.parent.name / "gt/gt.txt")
    there = (rows.frames == int(path.stem)) & (rows.classes == 1) & (rows.confidences > 0)
    return rows.corners[there & (rows.visibilities >= MIN_VISIBILITY)]


def test_average_precision_of_one_hit_one_miss_and_one_who_is_not_there():
    box, other, far = [0, 0, 10, 10], [20, 0, 30, 10], [50, 50, 60, 60]
    found = [(np.array([box, far, other], float), np.array([0.9, 0.8, 0.7]))]
    assert average_precision(found, [np.array([box, other, [80, 80, 90, 90]], float)]) == pytest.approx(
        1 / 3 * 1 + 1 / 3 * 2 / 3
    )
