"""What reads texts for an embedder: the same vectors without PyTorch, and what it says of words that it does not know."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
import yaml
from method_twins import twin
from painted_people import painted_people

from configs.build import ConfigError, InputError
from engines._embedder_file import EmbedderFile, ReaderFile
from engines.reader import Reader
from engines.reid.export import export
from engines.reid.halved import LEAST
from engines.reid.method import TextMethod

TEXTS = ["a person in a red coat", "someone with a blue backpack, no hat", "a tuba", "red " * 100]


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A folder with an embedder that reads texts, and what it is made of."""
    folder = tmp_path_factory.mktemp("exported")
    torch.manual_seed(5)
    method = twin("unified")
    network = method.network(6, 2).eval()
    export(method, network, folder / "twin.onnx", "Apache-2.0")
    return folder, method, network


@pytest.fixture
def engine(exported):
    made = EmbedderFile(str(exported[0] / "twin.onnx"), runtime="onnxruntime")
    made.open()
    yield made
    made.close()


def test_texts_are_read_as_they_are_where_it_was_trained(engine, exported):
    _, method, network = exported
    with torch.inference_mode():
        wanted = method.texts(network, torch.from_numpy(method.reader()(TEXTS))).numpy()
    found = engine.texts(TEXTS)
    assert np.linalg.norm(found, axis=1) == pytest.approx(1, abs=1e-5)
    assert (found * wanted).sum(1).min() > 0.9999
    pictures = engine([one.image for one in painted_people()[:2]])
    assert pictures.shape[1] == found.shape[1] and engine.texts([]).shape == (0, found.shape[1])


@pytest.mark.parametrize("runtime", ["openvino", "torch"])
def test_every_runtime_reads_the_same(runtime, engine, exported):
    other = ReaderFile(str(exported[0] / "twin_texts.onnx"), runtime)
    other.open()
    assert (other(TEXTS) * engine.texts(TEXTS)).sum(1).min() > 0.9999
    other.close()


def test_words_that_mean_nothing_are_said_and_it_need_not_be_open(exported):
    engine = EmbedderFile(str(exported[0] / "twin.onnx"))
    assert engine.unknown("a RED tuba, with an umbrella") == ["tuba", "an", "umbrella"]
    assert engine.unknown("a red coat") == []


def test_reading_needs_no_pytorch(exported):
    code = (
        "import sys; sys.modules['torch'] = None; from engines._embedder_file import ReaderFile;"
        f"made = ReaderFile({str(exported[0] / 'twin_texts.onnx')!r}, 'onnxruntime'); made.open();"
        "print(made(['a red coat']).shape[1]); made.close()"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("128\n", 0), done.stderr


def test_closed_it_can_be_opened_again(engine):
    first = engine.texts(TEXTS)
    engine.close()
    assert (engine.texts(TEXTS) == first).all()


def test_an_embedder_that_reads_no_texts_says_so(exported, tmp_path):
    export(twin("clip_reid"), twin("clip_reid").network(2, 1), tmp_path / "twin.onnx")
    engine = EmbedderFile(str(tmp_path / "twin.onnx"))
    for ask in (engine.unknown, lambda text: engine.texts([text])):
        with pytest.raises(
            InputError, match="twin.onnx: reads no texts; name a model that does, like unified"
        ):
            ask("a red coat")


def test_a_reader_that_is_not_what_its_manifest_says_is_refused(exported, tmp_path):
    for name in ("twin_texts.onnx", "twin_texts.yaml"):
        (tmp_path / name).write_bytes((exported[0] / name).read_bytes())
    path, described = tmp_path / "twin_texts.onnx", tmp_path / "twin_texts.yaml"
    told = yaml.safe_load(described.read_text())
    described.write_text(yaml.safe_dump({**told, "output": {**told["output"], "length": 5}}))
    made = ReaderFile(str(path), "onnxruntime")
    made.open()
    with pytest.raises(InputError, match=r"must give vectors of 5, gives \[128\]"):
        made(TEXTS)
    made.close()
    described.write_text(yaml.safe_dump({**told, "engine": "embedder"}))
    with pytest.raises(InputError, match="must have task embed, engine reader"):
        ReaderFile(str(path))
    described.write_text(yaml.safe_dump({**told, "output": {"length": 128, "word": []}}))
    with pytest.raises(ConfigError, match="twin_texts.yaml: output: object contains unknown field `word`"):
        ReaderFile(str(path))
    with pytest.raises(ValueError, match="is for embedder, which embeds"):
        Reader("person_reidentification_retail_0248")


def test_weights_are_kept_in_16_bits_and_no_others(exported):
    folder, method, network = exported
    assert isinstance(method, TextMethod)
    model = onnx.load(folder / "twin.onnx")
    kinds = {one.data_type for one in model.graph.initializer if np.prod(one.dims) >= LEAST}
    assert kinds == {onnx.TensorProto.FLOAT16}
    parameters = sum(one.numel() for one in network.clip.visual.parameters())
    assert (folder / "twin.onnx").stat().st_size < 2.2 * parameters
