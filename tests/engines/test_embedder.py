"""Vectors of crops by a real network: of length 1, the same whatever they are batched with, and of use."""

import cv2
import numpy as np
import onnxruntime
import pytest
import yaml
from networks import written

from configs.build import ConfigError, InputError, build
from engines._embedder_file import EmbedderFile
from engines.embedder import Embedder
from engines.evaluate.mot import read_mot

pytest_plugins = ["known_models"]
RETAIL = "person_reidentification_retail_0248"
GROWN = 768 / 480  # the truth of PETS is in pixels of a larger picture


@pytest.fixture(scope="module")
def embedder(models):
    made = build("engines/embedder", {"model": RETAIL}, "graph.embed.embedder", object)
    made.open()
    yield made
    made.close()


@pytest.fixture(scope="module")
def people(recordings):
    """Crops of PETS, one a second of everybody, covered or not, and who each is."""
    rows = read_mot(recordings / "pets2009/derived_S2L1_gt_mot_visible_1_265.txt")
    video = cv2.VideoCapture(str(recordings / "pets2009/S2L1_View001_480x360_vtest.mp4"))
    crops, ids = [], []
    for frame in range(1, 266):
        picture = video.read()[1][:, :, ::-1]
        now = rows.frames == frame
        if frame % 10 == 1:
            corners = (rows.corners[now] / GROWN).clip(0).astype(int).tolist()
            crops += [picture[top : bottom + 1, left : right + 1] for left, top, right, bottom in corners]
            ids += rows.ids[now].tolist()
    return crops, np.array(ids)


def test_gives_vectors_of_length_1_and_says_what_made_them(embedder, people):
    vectors = embedder(people[0][:5])
    assert (vectors.shape, vectors.dtype) == ((5, 256), np.float32)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(5), abs=1e-5)
    assert embedder.model_id == f"{RETAIL}.43891ce6"


def test_gives_what_the_network_says_of_the_crop_in_blue_green_red(embedder, people, recordings):
    session = onnxruntime.InferenceSession(recordings / "models/person-reidentification-retail-0248.onnx")
    crop = people[0][0]
    page = cv2.resize(np.ascontiguousarray(crop), (128, 256))[None].astype(np.float32)
    right, wrong = (session.run(None, {"inputs:0": given})[0][0] for given in (page[..., ::-1].copy(), page))
    (vector,) = embedder([crop])
    assert vector @ right / np.linalg.norm(right) == pytest.approx(1.0, abs=1e-5)
    assert vector @ wrong / np.linalg.norm(wrong) < 0.999


def test_a_crop_gives_the_same_whatever_it_is_batched_with(embedder, people):
    crops = [
        people[0][0],
        people[0][0][:0],
        people[0][1][::-1, ::2],
        people[0][2][:1, :1],
        people[0][3][..., 0],
    ]
    together = embedder(crops)
    assert np.array_equal(together, np.concatenate([embedder([crop]) for crop in crops]))
    assert not together[1].any()
    assert np.linalg.norm(together[[0, 2, 3, 4]], axis=1) == pytest.approx(np.ones(4), abs=1e-5)


def test_of_no_crops_or_only_empty_ones_no_network_is_asked(embedder, people):
    assert embedder([]).shape == (0, 256)
    assert not embedder([people[0][0][:, :0]] * 2).any()


def test_what_is_no_picture_is_refused(embedder):
    with pytest.raises(ValueError, match=r"^a picture is uint8 .*, got float32 \(8, 4, 3\)$"):
        embedder([np.zeros((8, 4, 3), np.float32)])


def a_network_that_says(output, folder):
    path = written(folder)  # its second output are means of what goes in, 0 to 255
    told = {
        "name": "small",
        "task": "embed",
        "engine": "embedder",
        "source": "a test",
        "licence": "Apache-2.0",
    }
    taken = {"name": "picture", "layout": "NCHW", "size": [8, 8], "color": "rgb"}
    files = {"files": [{"name": path.name, "sha256": "0" * 64}], "download": "make it again"}
    path.with_suffix(".yaml").write_text(yaml.safe_dump({**told, **files, "input": taken, "output": output}))
    return EmbedderFile(str(path), runtime="onnxruntime")


def test_whether_it_says_what_shows_stands_in_its_manifest_and_what_it_says_is_checked(tmp_path):
    pictures = [np.full((8, 8, 3), 200, np.uint8)]
    plain = a_network_that_says({"length": 256}, tmp_path)
    assert not plain.says_what_shows
    says = a_network_that_says({"length": 256, "parts": 4}, tmp_path)
    assert says.says_what_shows
    says.open()
    with pytest.raises(InputError, match="must say from 0 to 1 how far each part shows, says otherwise"):
        says.seen(pictures)
    other = a_network_that_says({"length": 256, "parts": 8}, tmp_path)
    other.open()
    with pytest.raises(InputError, match=r"must say of 8 parts how far they show, says \[4\]"):
        other.seen(pictures)
    with pytest.raises(
        ConfigError, match=r"small.yaml: output: parts must be 0, or divide length, 256, got 5"
    ):
        a_network_that_says({"length": 256, "parts": 5}, tmp_path)


def test_tells_people_of_pets_apart(embedder, people):
    """Of two pairs of crops, how often the one of one person is more alike: ties none."""
    crops, ids = people
    vectors = embedder(crops)
    alike, same = vectors @ vectors.T, ids[:, None] == ids
    pairs = np.triu(np.ones_like(same), 1)
    yes, no = np.sort(alike[pairs & same]), np.sort(alike[pairs & ~same])
    assert len(yes) > 500
    assert np.searchsorted(no, yes).mean() / len(no) >= 0.92


def test_must_be_open():
    with pytest.raises(RuntimeError, match="is not open: call open"):
        Embedder(RETAIL)([np.zeros((4, 4, 3), np.uint8)])


def test_a_network_that_gives_something_else_is_said_in_one_line(embedder, monkeypatch):
    class Shorter:
        inputs = {"in": np.zeros(0, np.float32)}
        most = None

        def __call__(self, batch):
            return {"out": np.ones((len(batch), 128), np.float32)}

        def close(self):
            pass

    other = Embedder(RETAIL)
    other._network = Shorter()
    with pytest.raises(InputError, match=f"^{RETAIL}: must give vectors of 256, gives 128 numbers$"):
        other([np.zeros((4, 4, 3), np.uint8)])
