"""Manifests of models: what they must say, and where it is said that they are wrong."""

import pytest

from configs.build import ConfigError
from engines import _manifest
from engines._manifest import Input, manifest, models, read_manifest

GOOD = """\
name: small
task: detect
engine: yolox
source: made by a test
licence: Apache-2.0
download: make it again
files:
- {name: small.xml, sha256: SUM}
- {name: small.bin, sha256: SUM}
input: {name: images, layout: NCHW, size: [416, 320], color: bgr, letterbox: 114}
output: {name: output, strides: [8, 16, 32]}
"""


def write(folder, *changes, name="small.yaml"):
    text = GOOD
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (folder / name).write_text(text.replace("SUM", "0a" * 32))
    return folder / name


def test_says_what_goes_in_and_what_comes_out(tmp_path):
    made = read_manifest(write(tmp_path))
    assert made.input == Input("images", "NCHW", (416, 320), "bgr", letterbox=114)
    assert (made.input.range.mean, made.input.range.scale) == ((0.0,), (1.0,))
    assert made.output["strides"] == [8, 16, 32]
    assert [file.name for file in made.files] == ["small.xml", "small.bin"]
    assert made.accuracy == "not measured"


@pytest.mark.parametrize(
    ("layout", "color", "shape"),
    [("NCHW", "bgr", (3, 416, 320)), ("NHWC", "rgb", (416, 320, 3)), ("NHWC", "grey", (416, 320, 1))],
)
def test_knows_the_shape_of_a_picture(tmp_path, layout, color, shape):
    made = read_manifest(write(tmp_path, ("NCHW", layout), ("color: bgr", f"color: {color}")))
    assert made.input.shape == shape


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("name: small\n", "name: other\n", "name: must be 'small', as the file is called, got 'other'"),
        ("task: detect", "task: find", "task: invalid enum value 'find'"),
        ("engine: yolox\n", "", "manifest: object missing required field `engine`"),
        ("task: detect", "task: detect\ntsk: 1", "manifest: object contains unknown field `tsk`"),
        ("layout: NCHW", "layout: HWC", "input.layout: invalid enum value 'HWC'"),
        ("size: [416, 320]", "size: [416]", "input.size: expected `array` of length 2"),
        ("size: [416, 320]", "size: [0, 320]", "input.size: must be height and width in px, got [0, 320]"),
        ("letterbox: 114", "letterbox: 300", "input.letterbox: must be 0 to 255, got 300"),
        ("letterbox: 114", "range: {scale: [0]}", "input.range.scale: must not be 0"),
        ("letterbox: 114", "range: {mean: [1, 2]}", "input.range.mean: must be one number, or one for each"),
        ("name: small.bin", "name: ../small.bin", "files[1].name: must be a name without a folder"),
        ("name: small.bin", "name: /small.bin", "files[1].name: must be a name without a folder"),
        ("- {name: small.bin, sha256: SUM}\n", "", "files: must name 'small.bin' too"),
        (
            "small.xml, sha256: SUM",
            "small.xml, sha256: abc",
            "files[0].sha256: must be 64 hexadecimal digits",
        ),
        (
            "name: small.xml",
            "name: small.pt",
            "files[0].name: must be the model, .onnx or .xml, got 'small.pt'",
        ),
        (
            "- {name: small.xml, sha256: SUM}\n- {name: small.bin, sha256: SUM}",
            "  []",
            "files: must name the",
        ),
    ],
)
def test_a_wrong_manifest_is_one_line_with_file_and_place(tmp_path, old, new, said):
    with pytest.raises(ConfigError) as told:
        read_manifest(write(tmp_path, (old, new)))
    assert str(told.value).startswith(f"{tmp_path / 'small.yaml'}: {said}")
    assert "\n" not in str(told.value)


def test_what_is_no_map_is_one_line_too(tmp_path):
    (tmp_path / "small.yaml").write_text("- 1\n")
    with pytest.raises(ConfigError, match="small.yaml: manifest: expected `object`, got `array`"):
        read_manifest(tmp_path / "small.yaml")


def test_a_name_is_a_file_in_the_folder_of_models(tmp_path, monkeypatch):
    monkeypatch.setattr(_manifest, "MODELS", tmp_path)
    write(tmp_path)
    assert models() == ["small"]
    assert manifest("small").name == "small"
    with pytest.raises(ConfigError, match="there is no engines/models/smal.yaml; did you mean 'small'"):
        manifest("smal")


def test_every_manifest_that_is_shipped_can_be_read():
    assert [manifest(name).name for name in models()] == models()


def test_a_checkpoint_is_for_the_engine_that_can_read_one(tmp_path):
    as_checkpoint = [("small.xml", "small.pt"), ("- {name: small.bin, sha256: SUM}\n", "")]
    made = read_manifest(write(tmp_path, *as_checkpoint, ("engine: yolox", "engine: ultralytics")))
    assert made.files[0].name == "small.pt"
    with pytest.raises(ConfigError, match=r"files\[0\].name: must be the model, .pt, got 'small.onnx'"):
        read_manifest(
            write(
                tmp_path, *as_checkpoint, ("engine: yolox", "engine: ultralytics"), ("small.pt", "small.onnx")
            )
        )
