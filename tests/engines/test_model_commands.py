"""The commands about models, as their user sees them."""

import json
import re

import msgspec
import pytest
import typer
from networks import manifest_of, written
from typer.testing import CliRunner

from configs.build import ConfigError, InputError
from engines import _manifest, _model_commands, _recorded
from engines._model_commands import NEVER, compile_model, models
from engines._network import KINDS
from engines._recorded import Run, record, runs


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder for weights; and the manifest of one model, whose weights are not there."""
    for name in ("XDG_CACHE_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("SIGHTLINE_MODELS", str(tmp_path / "weights"))
    monkeypatch.setattr(_manifest, "MODELS", tmp_path / "manifests")
    (tmp_path / "manifests").mkdir()
    describe(written(tmp_path))
    return tmp_path / "weights"


def describe(path):
    """Writes the manifest of the model as it is now."""
    told = json.dumps(msgspec.to_builtins(manifest_of(path)))  # which is YAML too
    (_manifest.MODELS / "small.yaml").write_text(told)


def said(*given):
    """What a command prints; what goes wrong is raised."""
    app = typer.Typer()
    app.command()(models)
    app.command(name="compile")(compile_model)
    done = CliRunner().invoke(app, given, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def row(printed):
    """The cells of the only row."""
    return next(
        [cell.strip() for cell in line.split("│")[1:-1]] for line in printed.splitlines() if "small" in line
    )


def test_the_table_says_whether_weights_are_there_and_for_what_they_are_compiled(folder):
    assert row(said("models")) == ["small", "embed", "missing", "-", "Apache-2.0"]
    path = written(folder)
    assert row(said("models"))[2:4] == [f"in {folder}", "-"]
    assert re.fullmatch(
        "small: is compiled for openvino fp32, CPU, .+: 1 layers at f32; cosine 1.0+ on noise\n",
        said("compile", "small"),
    )
    assert row(said("models"))[3] == "openvino fp32"
    said("compile", "small", "--runtime", "tensorrt_rtx")
    assert row(said("models"))[3] == "openvino fp32, tensorrt_rtx fp32"
    path.write_bytes(path.read_bytes() + b"\0")
    assert row(said("models"))[2] == "changed"


def test_what_was_compiled_of_other_weights_does_not_count(folder):
    path = written(folder)
    said("compile", "small")
    path.write_bytes(path.read_bytes() + b"\x70\0")  # a field that nobody reads
    describe(path)
    assert row(said("models"))[2:4] == [f"in {folder}", "-"]
    said("compile", "small")
    assert row(said("models"))[3] == "openvino fp32"


def test_a_runtime_that_compiles_nothing_says_so(folder):
    written(folder)
    printed = said("compile", "small", "--runtime", "onnxruntime")
    assert re.fullmatch(
        "small: has nothing compiled to keep, and runs on onnxruntime fp32, CPU, .+\n", printed
    )


def test_what_cannot_be_compiled_is_one_line(folder):
    with pytest.raises(ConfigError, match="there is no engines/models/smal.yaml; did you mean 'small'"):
        said("compile", "smal")
    with pytest.raises(InputError, match="small: small.onnx not found in"):
        said("compile", "small")


def test_a_long_name_is_whole_on_a_narrow_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    names = _manifest.models()
    assert max(map(len, names)) > 30
    assert [name for name in names if name not in said("models")] == []


def runtimes(printed):
    """The rows of the second table."""
    lines = printed.split("Runtimes")[1].splitlines()
    return [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines if "│" in line]


@pytest.fixture
def recorded(tmp_path, monkeypatch):
    """No runs but those that are recorded here."""
    monkeypatch.setattr(_recorded, "RECORDED", tmp_path / "recorded.json")
    (tmp_path / "recorded.json").write_text("[]")


def test_a_runtime_that_no_recorded_run_stands_behind_has_never_run(folder, recorded):
    places = [(name, on) for name, kind in KINDS.items() for on in kind.runs_on]
    assert [(row[0], row[1]) for row in runtimes(said("models"))] == places
    assert {row[3] for row in runtimes(said("models"))} == {NEVER} == {"built, never run"}
    record(Run("onnxruntime", "GPU", "Painted GPU", "1.0"))
    told = {(row[0], row[1]): row[3] for row in runtimes(said("models"))}
    assert told.pop(("onnxruntime", "GPU")) == "Painted GPU, 1.0"
    assert set(told.values()) == {NEVER}


def test_the_last_run_of_a_runtime_on_a_device_counts(recorded):
    for version in ("1.0", "2.0"):
        record(Run("torch", "CPU", "a processor", version))
    record(Run("torch", "CPU", "another", "1.0"))
    assert runs() == [Run("torch", "CPU", "a processor", "2.0"), Run("torch", "CPU", "another", "1.0")]


def test_what_runs_on_processors_has_been_recorded():
    assert {run.runtime for run in runs() if run.kind == "CPU"} == {"openvino", "onnxruntime", "torch"}


def test_what_is_not_here_says_how_it_would_be(folder, monkeypatch):
    monkeypatch.setattr(_model_commands, "find_spec", lambda name: None)
    told = {row[0]: row[2] for row in runtimes(said("models"))}
    assert told["tensorrt"] == "not installed: pip install tensorrt"
    assert told["tensorrt_rtx"] == "not installed: pip install '.[tensorrt-rtx]'"
    monkeypatch.undo()


def test_a_terminal_is_shown_how_far_it_is(folder, monkeypatch):
    written(folder)
    shown = []

    class Bar(_model_commands.Progress):
        def update(self, task_id, **told):
            shown.append((told["description"], self.disable))
            super().update(task_id, **told)

    monkeypatch.setattr(_model_commands, "Progress", Bar)
    monkeypatch.setenv("TTY_INTERACTIVE", "1")
    said("compile", "small")
    assert shown == [("compile", False)]
    monkeypatch.setenv("TTY_INTERACTIVE", "0")
    said("compile", "small")
    assert shown[1:] == [("compile", True)]
