"""What every detector on pictures does with real weights, whatever decodes it; what each finds is judged in tests/judges."""

import numpy as np
import pytest
from msgspec.structs import replace

from configs.build import ConfigError, InputError, build
from engines._weights import trust
from engines.ssd import Ssd
from engines.yolox import Yolox

pytest_plugins = ["known_models"]
pytestmark = pytest.mark.usefixtures("models")
EVERY = pytest.mark.parametrize(
    ("engine", "model"), [("yolox", "yolox_nano"), ("ssd", "person_detection_retail_0013")]
)


def made(engine, model, **given):
    return build(f"engines/{engine}", {"model": model, **given}, "graph.detect.detector", object)


@pytest.fixture
def opened(request):
    def opened(engine, model, **given):
        detector = made(engine, model, **given)
        detector.open()
        request.addfinalizer(detector.close)
        return detector

    return opened


def assert_equal(ours, others):
    assert len(ours) == len(others)
    for (boxes, scores), (their_boxes, their_scores) in zip(ours, others, strict=True):
        assert np.array_equal(boxes, their_boxes)
        assert np.array_equal(scores, their_scores)


@EVERY
def test_finds_people_as_rows_with_the_best_first(opened, pictures, engine, model):
    for picture, (boxes, scores) in zip(pictures, opened(engine, model)(pictures), strict=True):
        assert boxes.dtype == scores.dtype == np.float32
        assert boxes.shape == (len(scores), 4)
        assert len(scores) >= 4
        assert (np.diff(scores) <= 0).all()
        assert scores.min() >= 0.3
        assert (boxes[:, 2:] > boxes[:, :2]).all()
        assert (boxes[:, 2:] - boxes[:, :2]).min(axis=0)[1] > 20  # upright people, in pixels of the picture
        assert (boxes <= [*picture.shape[1::-1]] * 2).all()


@EVERY
def test_a_picture_gives_the_same_whatever_it_is_batched_with(opened, pictures, engine, model):
    detector = opened(engine, model)
    night = np.zeros((33, 71), np.uint16)
    batch = [pictures[0], np.empty((0, 0, 3), np.uint8), night, *pictures, pictures[1][::-1, ::2]]
    together = detector(batch)
    assert_equal(together, [detector([picture])[0] for picture in batch])
    assert [len(scores) for _, scores in together[1:3]] == [0, 0]


@EVERY
def test_no_pictures_give_no_answers(opened, engine, model):
    assert opened(engine, model)([]) == []


@EVERY
def test_with_a_higher_least_score_fewer_are_found(opened, pictures, engine, model):
    (boxes, scores), (few, best) = (
        opened(engine, model, min_score=least)([pictures[0]])[0] for least in (0.2, 0.6)
    )
    assert 0 < len(best) < len(scores)
    assert np.array_equal(few, boxes[scores >= 0.6])


@EVERY
def test_what_is_no_picture_is_refused(opened, engine, model):
    detector = opened(engine, model)
    for shape, said in (((4, 4, 3), r"\(4, 4, 3\)"), ((0,), r"\(0,\)")):
        with pytest.raises(ValueError, match=f"^a picture is uint8 .*, got float64 {said}$"):
            detector([np.zeros(shape)])


@EVERY
def test_must_be_open(pictures, engine, model):
    detector = made(engine, model)
    detector.close()  # what was never opened is closed without harm
    with pytest.raises(RuntimeError, match="is not open: call open"):
        detector(pictures)
    detector.open()
    detector.close()
    with pytest.raises(RuntimeError, match="is not open"):
        detector(pictures)


@EVERY
def test_can_be_checked_without_its_weights_and_says_what_to_fetch_when_opened(
    monkeypatch, tmp_path, engine, model
):
    monkeypatch.setenv("SIGHTLINE_MODELS", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    detector = made(engine, model)
    with pytest.raises(InputError, match=f"^{model}: .* not found in .*fetch .*; put it into {tmp_path}"):
        detector.open()


@pytest.mark.parametrize(
    ("engine", "settings", "said"),
    [
        ("yolox", {"model": "yolox_nan"}, "model: there is no engines/models/yolox_nan.yaml; did you mean 'yolox_nano'"),
        ("ssd", {"model": "yolox_nano"}, "model: yolox_nano is for yolox, which detects; write {engine: yolox, model"),
        ("embedder", {"model": "yolox_nano"}, "model: yolox_nano is for yolox, which detects"),
        ("yolox", {"model": "yolox_nano", "min_score": 1.5}, "min_score must be 0 to 1, got 1.5"),
        ("yolo", {"model": "yolo11n_pt"}, "model: yolo11n_pt is for ultralytics, which detects; write {engine: ultra"),
        ("ultralytics", {"model": "yolo11n"}, "model: yolo11n is for yolo, which detects; write {engine: yolo, model"),
        ("ultralytics", {"model": "yolo11n_pt", "runtime": "openvino"}, "runtime must be torch at fp32, got openvino at"),
        ("ultralytics", {"model": "yolo11n_pt", "precision": "fp16"}, "runtime must be torch at fp32, got auto at fp16"),
        ("yolox", {"model": "yolox_nano", "max_overlap": -1}, "max_overlap must be 0 to 1, got -1"),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_said_in_one_line(engine, settings, said):
    with pytest.raises(ConfigError) as error:
        made(engine, **settings)
    assert str(error.value).startswith(f"graph.detect.detector: {said}")
    assert "\n" not in str(error.value)


def test_a_checkpoint_without_the_package_that_reads_it_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setenv("SIGHTLINE_MODELS", str(tmp_path))
    (tmp_path / "yolo11n.pt").write_bytes(b"1")
    trust("yolo11n_pt")
    with pytest.raises(
        InputError, match="^ultralytics is not installed; it needs the 'ultralytics' extra: pip"
    ):
        made("ultralytics", "yolo11n_pt").open()


class Answers:
    """A network that gives always the same."""

    most = None

    def __init__(self, **outputs):
        self.outputs = outputs
        self.inputs = {"images": np.zeros(0, np.float32)}

    def __call__(self, batch):
        return {name: np.repeat(array, len(batch), axis=0) for name, array in self.outputs.items()}

    def close(self):
        pass


def answered(detector, **outputs):
    detector._network = Answers(**outputs)
    return detector([np.zeros((832, 416, 3), np.uint8)])[0]


def test_yolox_reads_a_cell_of_each_stride_as_its_paper_says():
    rows = np.full((1, 3549, 85), 0, np.float32)
    rows[0, 52 * 3 + 4, :6] = 0.5, 0.25, np.log(2), np.log(4), 0.9, 0.8  # column 4, row 3, stride 8
    rows[0, 52 * 52 + 26 * 26 + 13 * 6 + 2, :6] = 0, 0, 0, 0, 0.5, 1.0  # column 2, row 6, stride 32
    boxes, scores = answered(Yolox("yolox_nano"), output=rows)
    assert scores == pytest.approx([0.72, 0.5])
    # (4.5, 3.25) * 8 = (36, 26), 16 x 32; twice as large in a picture that is twice as high
    assert boxes == pytest.approx(np.array([[56, 20, 88, 84], [96, 352, 160, 416]]))


def test_ssd_reads_rows_up_to_the_one_behind_the_last():
    rows = np.zeros((1, 1, 200, 7), np.float32)
    rows[0, 0, :5] = [
        [0, 1, 0.4, 0.0, 0.0, 0.5, 0.5],
        [0, 1, 0.9, 0.5, 0.25, 1.2, 0.5],
        [0, 2, 0.9, 0.0, 0.0, 0.5, 0.5],
        [-1, 0, 0, 0, 0, 0, 0],
        [0, 1, 0.9, 0.0, 0.0, 0.5, 0.5],
    ]
    boxes, scores = answered(Ssd("person_detection_retail_0013"), detection_out=rows)
    assert scores == pytest.approx([0.9, 0.4])
    assert boxes == pytest.approx(np.array([[208, 208, 416, 416], [0, 0, 208, 416]]), abs=1e-3)


def test_what_is_no_number_is_nobody():
    rows = np.full((1, 3549, 85), np.nan, np.float32)
    rows[0, 7, :6] = 1, 1, np.nan, 1, 0.9, 0.9
    assert len(answered(Yolox("yolox_nano"), output=rows)[1]) == 0


def test_a_network_that_gives_something_else_is_said_in_one_line():
    with pytest.raises(InputError, match=r"^yolox_nano: must give one output .*, gives out \(1, 3549, 80\)$"):
        answered(Yolox("yolox_nano"), out=np.zeros((1, 3549, 80), np.float32))


def test_the_manifest_decides_whether_a_picture_keeps_its_shape():
    detector, picture = made("yolox", "yolox_nano"), np.full((100, 400, 3), 200, np.uint8)
    (kept,), (there,) = detector._fitted([picture])
    assert (kept == 114).all(axis=2).sum() == 416 * (416 - 104)
    assert there.scale == (1.04, 1.04)
    wanted = replace(detector.manifest.input, letterbox=None)
    detector.manifest = replace(detector.manifest, input=wanted)
    (kept,), (there,) = detector._fitted([picture])
    assert (kept == 200).all()
    assert there.scale == (1.04, 4.16)
