"""A model that is compiled: at which precisions, on which pictures it is compared, and what becomes of one that is not
like fp32.
"""

import json
import shutil

import cv2
import msgspec
import numpy as np
import pytest
from networks import manifest_of, network, written

from configs.build import InputError
from engines import _comparison, _manifest
from engines._cache import comparison, kept, recipes
from engines._compile import Asked, compile_for
from engines._engine import recipe_of
from engines._manifest import manifest
from engines._model import Model
from engines._network import opened, runtime_of
from engines._plan import Plan
from engines.embedder import Embedder

OUTPUT = {"length": 4 * 8 * 8}
BEST = {"openvino": ("bf16", "int8"), "onnxruntime": ("int8",)}
LOWER = [(name, precision) for name, several in BEST.items() for precision in several]


@pytest.fixture(autouse=True)
def small(tmp_path, monkeypatch):
    """The manifest of a small embedder, whose weights are there."""
    for name in ("XDG_CACHE_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("SIGHTLINE_MODELS", str(tmp_path / "models"))
    monkeypatch.setattr(_manifest, "MODELS", tmp_path / "manifests")
    (tmp_path / "manifests").mkdir()
    return described(written(tmp_path / "models"))


def described(path):
    made = manifest_of(path, output=OUTPUT)
    (_manifest.MODELS / f"{made.name}.yaml").write_text(json.dumps(msgspec.to_builtins(made)))
    return made


@pytest.fixture
def crops(tmp_path):
    """A folder of 20 pictures of noise."""
    folder = tmp_path / "crops"
    folder.mkdir()
    generator = np.random.default_rng(1)
    for number in range(20):
        cv2.imwrite(str(folder / f"{number}.png"), generator.integers(0, 256, (16, 8, 3), np.uint8))
    return folder


def compiled(made, steps=None, **asked):
    """What the command says."""

    def shown(step, done=0, total=None):
        if steps is not None:
            steps.append((step, done, total))

    return compile_for(made, Asked(**asked), shown)


def refused(made, **asked):
    with pytest.raises(InputError) as told:
        compiled(made, **asked)
    assert "\n" not in str(told.value)
    return str(told.value)


@pytest.mark.parametrize(("runtime", "precision"), LOWER)
def test_what_is_like_fp32_is_kept_and_a_graph_takes_it(small, crops, runtime, precision):
    steps = []
    said = compiled(small, steps, runtime=runtime, precision=precision, calibrate=crops)
    count = 10 if precision == "int8" else 20  # the other ten are what it is tuned on
    assert said.startswith(f"is compiled for {runtime} {precision}, CPU, ")
    assert f" in the mean of {count} pictures" in said
    assert steps[-1] == ("compare", 2 * count, 2 * count)
    recipe = recipe_of(small, Plan(runtime, precision))
    assert comparison(recipe) in said
    one = opened(small, runtime, precision)
    batch = np.random.default_rng(2).uniform(0, 255, (3, 3, 8, 8)).astype(np.float32)
    other = opened(small, runtime)
    assert 0 < np.abs(one(batch)["features"] - other(batch)["features"]).max() < 25
    one.close()
    other.close()


def test_openvino_says_what_its_layers_really_run_at(small, crops):
    assert ": 1 layers at bf16; cosine" in compiled(small, precision="bf16", calibrate=crops)
    assert ": 1 layers at u8; cosine" in compiled(small, precision="int8", calibrate=crops)


@pytest.mark.parametrize(("runtime", "precision"), LOWER)
def test_what_is_not_like_fp32_is_refused_with_the_figure_and_what_was_kept_before_goes(
    small, crops, monkeypatch, runtime, precision
):
    asked = {"runtime": runtime, "precision": precision, "calibrate": crops}
    compiled(small, **asked)
    assert [made.precision for made in recipes("small")] == [precision]
    monkeypatch.setitem(_comparison.LEAST_COSINE, precision, 1.01)
    said = refused(small, **asked)
    assert said.startswith(f"small: {runtime} at {precision} is not like fp32: cosine with fp32 ")
    assert said.endswith("; it is not kept, choose another runtime or precision")
    assert recipes("small") == []


def test_the_limits_are_those_of_the_manual():
    assert _comparison.LEAST_COSINE == {"fp32": 0.9999, "fp16": 0.999, "bf16": 0.999, "int8": 0.99}
    assert _comparison.MOST_LOST == 0.5


def test_a_graph_at_another_precision_names_the_command(small):
    with pytest.raises(
        InputError, match="small: is not compiled at int8 for openvino on this machine; python run.py "
    ) as told:
        opened(small, precision="int8")
    assert "compile small --runtime openvino --precision int8 --calibrate DIR" in str(told.value)


def test_a_precision_at_which_the_processor_does_not_compute_is_refused(small, crops):
    assert "onnxruntime computes at fp32, int8 on" in refused(small, runtime="onnxruntime", precision="bf16")
    said = refused(small, runtime="torch", precision="fp16", calibrate=crops)
    assert said.endswith("not at fp16; choose one of them")
    with pytest.raises(
        InputError, match="onnxruntime computes at fp32, int8 on .*, not at bf16; choose one of them"
    ):
        opened(small, "onnxruntime", "bf16")
    if "fp16" not in runtime_of("openvino").precisions():
        assert "openvino computes at fp32, " in refused(small, precision="fp16", calibrate=crops)


def test_without_pictures_only_fp32_is_compiled_and_that_is_compared_on_noise(small):
    assert "cosine 1.000000 on noise" in compiled(small)
    said = refused(small, precision="int8")
    assert said.startswith(
        "--calibrate: int8 is compared with fp32 on pictures; name a folder of 10 or more, crops of"
    )


def test_pictures_that_cannot_be_used_are_one_line(small, crops, tmp_path):
    asked = {"precision": "int8"}
    assert "nowhere is no folder; name one" in refused(small, calibrate=tmp_path / "nowhere", **asked)
    (crops / "0.png").write_bytes(b"no picture")
    assert "0.png: is no picture; remove it" in refused(small, calibrate=crops, **asked)
    for path in sorted(crops.iterdir())[9:]:
        path.unlink()
    assert f"{crops} has 9 pictures; at least 10 are needed" in refused(small, calibrate=crops, **asked)
    assert "--labels: says who is in the pictures" in refused(small, calibrate=crops, labels=crops, **asked)


@pytest.mark.parametrize(
    ("runtime", "batch", "said"),
    [
        ("openvino", "1,2,4", "--batch: openvino takes batches of any size as they come; leave it out"),
        ("tensorrt_rtx", "1,2", "--batch: must be three sizes, none smaller than the one before, got '1,2'"),
        ("tensorrt_rtx", "4,2,8", "--batch: must be three sizes"),
        ("tensorrt_rtx", "0,2,8", "--batch: must be three sizes"),
        ("tensorrt_rtx", "a,2,8", "--batch: must be three sizes"),
    ],
)
def test_sizes_of_batches_that_mean_nothing_are_refused(small, runtime, batch, said):
    assert refused(small, runtime=runtime, batch=batch).startswith(said)


def test_sizes_of_batches_are_for_models_whose_batch_is_open(small, tmp_path):
    compiled(small, runtime="tensorrt_rtx", batch="1,2,4")
    assert [made.shapes for made in recipes("small")] == [{"picture": [1, 2, 4]}]
    fixed = described(written(tmp_path / "models", network(rows=3)))
    said = refused(fixed, runtime="tensorrt_rtx", batch="1,2,4")
    assert said.endswith("small.onnx always takes 3 at once; leave it out, or export it with an open batch")


def test_an_engine_at_fp32_that_is_another_network_is_refused(small, tmp_path, monkeypatch):
    """Were a compiler wrong, nobody would see it without another one beside it."""
    runtime = runtime_of("openvino")
    right = runtime.built
    other = written(
        tmp_path / "other",
        network(weights=np.random.default_rng(3).normal(size=(4, 3, 3, 3)).astype(np.float32)),
    )
    monkeypatch.setattr(runtime, "built", lambda model, made, plan: right(other, made, plan))
    with pytest.raises(
        InputError, match=r"small: openvino at fp32 is not like fp32: cosine 0\.\d+ on noise; it is not kept"
    ):
        opened(small)
    assert recipes("small") == []


def test_a_graph_keeps_the_engine_that_it_started_with(small, tmp_path, crops):
    engine = Embedder("small")
    engine.open()
    pictures = [cv2.imread(str(path)) for path in crops.iterdir()]
    before = engine(pictures)
    shutil.rmtree(tmp_path / "XDG_CACHE_HOME")
    described(written(tmp_path / "models", network(weights=np.ones((4, 3, 3, 3), np.float32))))
    compiled(manifest("small"))
    np.testing.assert_array_equal(engine(pictures), before)
    engine.close()


def test_an_engine_runs_on_a_network_that_it_is_given(small, crops):
    one = opened(small)
    made = Embedder("small")
    Model.use(made, one)
    assert made([cv2.imread(str(next(crops.iterdir())))]).shape == (1, 256)
    made.close()
    with pytest.raises(ValueError, match="closed"):
        one(np.zeros((1, 3, 8, 8), np.float32))


def test_a_model_in_a_form_that_nothing_reads_says_so(small, tmp_path):
    path = tmp_path / "models" / "small.pt"
    path.write_bytes(b"")
    made = msgspec.structs.replace(manifest_of(path), name="small")
    with pytest.raises(InputError, match="small.pt: no runtime reads .pt"):
        opened(made)


REAL = [
    ("yolox_nano", "openvino"),
    ("yolox_nano", "onnxruntime"),
    ("person_detection_retail_0013", "openvino"),
]


@pytest.mark.parametrize(("model", "runtime"), REAL)
def test_a_real_detector_with_eight_bits_finds_whom_it_finds_at_fp32(
    recordings, tmp_path, monkeypatch, model, runtime
):
    monkeypatch.undo()
    for name in ("XDG_CACHE_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("SIGHTLINE_MODELS", str(recordings / "models"))
    frames = tmp_path / "frames"
    frames.mkdir()
    film = cv2.VideoCapture(str(recordings / "pets2009/S2L1_View001_480x360_vtest.mp4"))
    for number in range(240):
        film.grab()
        if number % 10 == 0:
            cv2.imwrite(str(frames / f"{number:03}.png"), film.retrieve()[1])
    made = manifest(model)
    said = compiled(made, runtime=runtime, precision="int8", calibrate=frames)
    assert "AP50 100.0, at fp32 100.0, of those of whom fp32 is sure in 12 pictures" in said
    assert kept(recipe_of(made, Plan(runtime, "int8"))) is not None


def test_rows_of_a_detector_may_come_in_another_order_and_some_may_be_others():
    rows = np.random.default_rng(1).uniform(0, 900, (300, 6))
    other = rows[np.random.default_rng(2).permutation(300)] * 1.001
    assert _comparison._shared(rows, other, 0.01) == 1.0
    other[:6] = 0
    assert _comparison._shared(rows, other, 0.01) == pytest.approx(0.98)
    assert _comparison._shared(rows, np.random.default_rng(3).uniform(0, 900, (300, 6)), 0.01) < 0.1
