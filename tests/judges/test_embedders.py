"""Our vectors against those of published implementations with the same weights; with two colours swapped they are others."""

import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from judges.detector_judge import asked

from engines._manifest import manifest
from engines._weights import trust
from engines.embedder import Embedder
from engines.evaluate.mot import read_mot

REID = ".venv-judges-reid"
OSNETS = ("osnet_x0_25", "osnet_x0_5", "osnet_x0_75", "osnet_x1_0", "osnet_ain_x1_0")
SCRIPT = re.compile(r"# export_osnet.py\n.*?(?=```)", re.DOTALL)
MIN_COSINE = 0.9999
SEQUENCE = "MOT17-09-FRCNN"


@pytest.fixture(scope="module")
def people(recordings):
    """A picture, and the boxes of some people in it, in whole pixels."""
    path = recordings / "mot17/mini_img" / SEQUENCE / "000001.jpg"
    rows = read_mot(recordings / "mot17/train" / SEQUENCE / "gt/gt.txt")
    there = (rows.frames == 1) & (rows.classes == 1) & (rows.visibilities >= 0.5)
    return path, rows.corners[there].clip(0, [1920, 1080] * 2).astype(int)[:8]


@pytest.fixture(scope="module")
def answer(people, tmp_path_factory):
    """What the judges say; the networks lie where models are looked for, and are trusted."""
    folder, (path, boxes) = tmp_path_factory.mktemp("osnet"), people
    script = folder / "export_osnet.py"
    page = Path(__file__).parents[2] / "docs" / "models.md"
    script.write_text(SCRIPT.search(page.read_text())[0])
    crops = [str(folder / f"{number}.png") for number in range(len(boxes))]
    for name, crop in zip(crops, fitted(people), strict=True):
        cv2.imwrite(name, crop[..., ::-1])
    job = {"models": OSNETS, "seed": 1, "exporter": str(script), "crops": crops}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SIGHTLINE_MODELS", str(folder))
        yield asked("osnet_vectors.py", REID, folder, picture=str(path), boxes=boxes.tolist(), **job)


def cut(people):
    path, boxes = people
    picture = cv2.imread(str(path))[..., ::-1]
    return [picture[top:bottom, left:right] for left, top, right, bottom in boxes]


def fitted(people):
    return [cv2.resize(np.ascontiguousarray(crop), (128, 256)) for crop in cut(people)]


def vectors(name, runtime, crops):
    trust(name)
    embedder = Embedder(name, runtime)
    embedder.open()
    try:
        return embedder(crops)
    finally:
        embedder.close()


def cosines(ours, theirs):
    theirs = np.array(theirs)
    return (ours * theirs).sum(axis=1) / np.linalg.norm(theirs, axis=1)


@pytest.mark.parametrize("name", OSNETS)
@pytest.mark.parametrize("runtime", ["openvino", "onnxruntime"])
def test_osnet_gives_the_vectors_that_torchreid_does(answer, people, name, runtime):
    ours = vectors(name, runtime, fitted(people))
    assert ours.shape == (len(people[1]), manifest(name).output["length"])
    assert cosines(ours, answer[name]["torchreid"]).min() >= MIN_COSINE
    swapped = vectors(name, runtime, [crop[..., ::-1] for crop in fitted(people)])
    assert cosines(swapped, answer[name]["torchreid"]).max() < MIN_COSINE


@pytest.mark.parametrize("name", OSNETS)
def test_osnet_gives_the_vectors_that_boxmot_does_of_boxes_in_a_picture(answer, people, name):
    assert cosines(vectors(name, "auto", cut(people)), answer[name]["boxmot"]).min() >= MIN_COSINE
    swapped = [crop[..., ::-1] for crop in cut(people)]
    assert cosines(vectors(name, "auto", swapped), answer[name]["boxmot"]).max() < MIN_COSINE


def test_a_crop_gives_the_same_whatever_it_is_batched_with(answer, people):
    crops = cut(people) * 3
    trust("osnet_x0_25")
    for runtime in ("openvino", "onnxruntime"):
        embedder = Embedder("osnet_x0_25", runtime)
        embedder.open()
        alone = np.concatenate([embedder([crop]) for crop in crops])
        for count in (2, 3, 5, len(crops)):
            assert np.array_equal(embedder(crops[:count]), alone[:count]), (runtime, count)
        embedder.close()
