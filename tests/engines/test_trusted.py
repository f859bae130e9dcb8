"""Files of which no manifest says what they must be: refused until the user vouches for them as they are."""

import re

import pytest
from networks import written
from typer.testing import CliRunner

from configs.build import ConfigError, InputError
from engines import _manifest
from engines._manifest import manifest
from engines._model_commands import models
from engines._network import opened
from engines._weights import trust, weights
from engines.embedder import Embedder

MANIFEST = """
name: small
task: embed
engine: embedder
source: made by a test
licence: Apache-2.0
download: make it again
files: [{name: small.onnx}]
input: {name: picture, layout: NCHW, size: [8, 8], color: rgb}
output: {length: 256}
"""


@pytest.fixture
def model(tmp_path, monkeypatch):
    """The file of a model whose manifest gives no sha256."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("SIGHTLINE_MODELS", str(tmp_path / "weights"))
    monkeypatch.setattr(_manifest, "MODELS", tmp_path)
    (tmp_path / "small.yaml").write_text(MANIFEST)
    return written(tmp_path / "weights")


@pytest.fixture
def told(tmp_path):
    return tmp_path / "config" / "sightline" / "trusted.sha256"


def said(*given):
    import typer

    app = typer.Typer()
    app.command()(models)
    return CliRunner().invoke(app, given, catch_exceptions=False).output


def refused(model):
    with pytest.raises(InputError) as error:
        weights(manifest("small"))
    assert re.fullmatch(
        rf"{model}: has sha256 [0-9a-f]{{64}}, for which nobody vouches; if you trust where you have it from, "
        "say so: python run.py models --trust small",
        str(error.value),
    )


def test_are_refused_until_the_user_vouches_for_them(model, told):
    refused(model)
    assert trust("small") == told
    assert weights(manifest("small")) == model
    assert told.read_text() == f"{manifest('small').files[0].sha256}  small/small.onnx\n"
    assert told.stat().st_mode & 0o777 == 0o600
    network = opened(manifest("small"))
    network.close()


def test_are_refused_again_once_they_are_other_bytes(model):
    trust("small")
    model.write_bytes(model.read_bytes() + b"\x70\0")
    with pytest.raises(InputError, match=f"^{model}: has sha256 .*, but small needs"):
        weights(manifest("small"))
    trust("small")
    assert weights(manifest("small")) == model


def test_vectors_of_other_bytes_are_of_another_kind(model):
    trust("small")
    one = Embedder("small").model_id
    model.write_bytes(model.read_bytes() + b"\x70\0")
    trust("small")
    assert Embedder("small").model_id != one


def test_the_word_for_one_model_is_none_for_another(model, told):
    trust("small")
    told.write_text(told.read_text().replace("small/", "other/"))
    refused(model)
    trust("small")
    assert [line[66:] for line in told.read_text().splitlines()] == ["other/small.onnx", "small/small.onnx"]


def test_what_a_manifest_pins_needs_no_word_and_takes_none(model, tmp_path):
    trust("small")
    pinned = MANIFEST.replace("small.onnx}", f"small.onnx, sha256: {'0a' * 32}}}")
    (tmp_path / "small.yaml").write_text(pinned)
    assert manifest("small").files[0].sha256 == "0a" * 32
    with pytest.raises(
        InputError, match="^small: its manifest says what its bytes must be; there is nothing to trust$"
    ):
        trust("small")


def test_a_word_is_of_files_as_they_are_named_now_and_of_those_that_are_not_pinned(model, tmp_path, told):
    trust("small")
    is_pinned = "{name: small.txt, sha256: " + "0a" * 32 + "}"
    renamed = MANIFEST.replace("[{name: small.onnx}]", "[{name: other.onnx}, " + is_pinned + "]")
    (tmp_path / "small.yaml").write_text(renamed)
    model.rename(model.with_name("other.onnx"))
    model.with_name("small.txt").write_bytes(b"1")
    trust("small")
    assert [line[66:] for line in told.read_text().splitlines()] == ["small/other.onnx"]
    told.write_text(told.read_text() + "0b" * 32 + "  small/small.txt\n")
    assert manifest("small").files[1].sha256 == "0a" * 32


def test_what_is_not_there_cannot_be_trusted(model, told):
    model.unlink()
    with pytest.raises(InputError, match="^small: small.onnx not found in"):
        trust("small")
    with pytest.raises(ConfigError, match="there is no engines/models/smal.yaml; did you mean 'small'"):
        trust("smal")
    assert not told.exists()


def test_a_word_that_others_could_have_written_is_none(model, told):
    trust("small")
    told.chmod(0o666)
    with pytest.raises(
        ConfigError, match=f"^{told}: others can write it; remove it, and trust again what you trust$"
    ):
        manifest("small")
    told.chmod(0o600)
    told.write_text("abc small\n")
    with pytest.raises(
        ConfigError, match=f"^{told}: line 1: must be a sha256 and model/file, got 'abc small'; mend"
    ):
        manifest("small")


def test_the_command_says_what_is_not_trusted_and_takes_the_users_word(model, told):
    assert "not trusted" in said()
    assert said("--trust", "small") == f"small: trusted from now on, {told}\n"
    assert "not trusted" not in said()


def test_every_model_that_is_shipped_says_what_to_fetch_and_under_which_licence():
    for made in map(manifest, _manifest.models()):
        assert made.download and made.licence in ("Apache-2.0", "AGPL-3.0", "MIT")
        assert made.files[0].name in made.download or "export" in made.download or made.files[0].sha256
