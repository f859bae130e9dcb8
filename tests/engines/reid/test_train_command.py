"""`run.py train`: what it writes, what can be done with that, and what it says of mistakes."""

import re
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from painted_people import painted_people
from typer.testing import CliRunner

import run
from configs.build import ConfigError, InputError, build, names
from engines.reid.data._records import opened
from engines.reid.recipe import method_of, read_recipe
from engines.reid.trained import Trained

ROOT = Path(__file__).parents[3]
RECIPES = sorted((ROOT / "configs/reid").glob("*.yaml"))
PAPERS = [path for path in RECIPES if path.stem.startswith("clip_reid_m")]
TINY = {
    "architecture": "tiny", "size": [64, 32], "stride": [8, 8], "prompt_epochs": 1, "prompt_batch": 8, "epochs": 1,
    "people_a_batch": 3, "pictures_each": 2,
}  # fmt: skip
FOLDERS = ("bounding_box_train", "query", "bounding_box_test")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Painted people in the layout of Market-1501; those of the test are the same."""
    root = tmp_path_factory.mktemp("market")
    for folder in FOLDERS:
        (root / folder).mkdir()
        for number, (picture, person, camera) in enumerate(painted_people()):
            name = f"{person + 1:04}_c{camera + 1}s1_{number:06}_00.jpg"
            cv2.imwrite(str(root / folder / name), picture[..., ::-1])
    return root


@pytest.fixture
def recipe(tmp_path):
    def write(**changes):
        path = tmp_path / "recipe.yaml"
        settings = {**TINY, **changes.pop("settings", {})}
        told = {"method": "clip_reid", "data_set": "market1501", "settings": settings, **changes}
        path.write_text(yaml.safe_dump({key: value for key, value in told.items() if value is not None}))
        return path

    return write


def trained(recipe, data, out, *more):
    words = ["train", str(recipe), "--data", str(data), "--out", str(out), *map(str, more)]
    done = CliRunner().invoke(run.app, words)
    if isinstance(done.exception, Exception):
        raise done.exception
    return done


def test_writes_a_network_that_embeds_and_an_onnx_that_embeds_alike(recipe, data, tmp_path):
    done = trained(recipe(), data, tmp_path / "out", "--onnx", tmp_path / "twin.onnx")
    model = tmp_path / "out" / "model.safetensors"
    assert done.stdout.split() == [str(model), str(tmp_path / "twin.yaml")]
    assert re.findall(r"^(\w+) 1/1: ", done.stderr, re.MULTILINE) == ["prompts", "images"]

    embedder = build("engines/reid/trained", {"file": str(model)}, "embedder", object)
    embedder.open()
    assert (embedder.reads, embedder.model_id) == (
        "color",
        f"trained.{sha256(model.read_bytes()).hexdigest()[:8]}",
    )
    shown = [picture.image for picture in painted_people()[:5]]
    vectors = embedder([*shown, np.empty((0, 0, 3), np.uint8), shown[0][:20, :, 0]])
    assert (vectors.shape, vectors.dtype) == ((7, 192 + 128), np.float32)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 1, 1, 1, 1, 0, 1], abs=1e-5)
    assert embedder([]).shape[0] == 0

    import onnxruntime

    described = yaml.safe_load((tmp_path / "twin.yaml").read_text())
    (mean,), (scale,) = ({*described["input"]["range"][name]} for name in ("mean", "scale"))
    pixels = (np.stack(shown).transpose(0, 3, 1, 2).astype(np.float32) - mean) / scale
    (others,) = onnxruntime.InferenceSession(tmp_path / "twin.onnx").run(None, {"images": pixels})
    assert described["output"] == {"length": others.shape[1]}
    assert (others * vectors[:5]).sum(1).min() > 0.9999


def test_trains_and_is_tested_on_people_who_lie_in_no_folder(recipe, tmp_path):
    people = {"train_people": 6, "val_people": 1, "test_people": 3}
    asked = recipe(data_set="synthped", data_settings=people)
    for _ in range(2):  # the second time it has ended, and is only read
        done = CliRunner().invoke(run.app, ["train", str(asked), "--out", str(tmp_path / "out")])
        assert done.exit_code == 0, done.exception
    engine = f"{{engine: reid/trained, file: {tmp_path / 'out' / 'model.safetensors'}}}"
    command = ["eval-reid", "synthped", "--model", engine, "--protocol", "infrared_to_color"]
    done = CliRunner().invoke(run.app, command)
    assert done.exit_code == 0, done.exception
    assert "400 of 400" in done.stdout


def test_what_it_has_trained_can_be_tested(recipe, data, tmp_path):
    trained(recipe(settings={"epochs": 4, "lr": 1e-3}), data, tmp_path / "out")
    model = f"{{engine: reid/trained, file: {tmp_path / 'out' / 'model.safetensors'}}}"
    done = CliRunner().invoke(
        run.app, ["eval-reid", "market1501", str(data), "--model", model], env={"COLUMNS": "160"}
    )
    found = re.search(r"│\s+([\d.]+)\s+│", done.stdout)
    assert found, (done.stdout, done.stderr, done.exception)
    assert 60 < float(found[1]) <= 100  # by chance some 30


def test_the_same_command_goes_on_and_another_recipe_is_refused(recipe, data, tmp_path):
    for _ in range(2):
        trained(recipe(), data, tmp_path / "out")
    with pytest.raises(
        InputError, match=r"begun.safetensors: was trained with seed 1, not 2; name another folder"
    ):
        trained(recipe(seed=2), data, tmp_path / "out")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"settings": {"people_a_batch": 1}}, "settings: people_a_batch must be at least 2, got 1"),
        ({"settings": {"stride": [0, 8]}}, "settings: stride must be at least 1, got 0"),
        ({"seeds": 1}, "recipe.yaml: seeds: a recipe has no such setting; did you mean 'seed'?"),
        ({"method": None}, "recipe.yaml: method: is missing; name one of engines/reid/methods/"),
        (
            {"method": "clip_ried"},
            r"recipe.yaml: settings: there is no .*clip_ried.py; did you mean 'clip_reid'\?",
        ),
        (
            {"data_set": "market"},
            "data_set: there is no engines/reid/data/market.py; did you mean 'market1501'?",
        ),
        ({"precision": "fp8"}, "recipe.yaml: precision: must be one of fp32, bf16, got 'fp8'"),
        ({"settings": {"epoch": 3}}, "settings.epoch: ClipReid has no such setting; did you mean 'epochs'?"),
        ({"settings": {"stride": 8}}, "settings.stride: must be a list of a whole number, got 8"),
        ({"settings": {"weights": "a.pt"}}, "settings.weights: ClipReid has no such setting"),
        ({"settings": {"size": [4, 4]}}, "settings: size must be at least one patch of 8 px, got 4x4"),
        ({"settings": {"template": "A person."}}, "settings: a template must have slots 'X'"),
        ({"settings": {"people_a_batch": 9}}, "a batch of 9 people cannot be drawn, there are 6"),
    ],
)
def test_a_mistake_in_a_recipe_is_one_line(changes, said, recipe, data, tmp_path):
    with pytest.raises(
        (ConfigError, InputError), match=said.replace("?", r"\?") if "\\" not in said else said
    ) as refused:
        trained(recipe(**changes), data, tmp_path / "out")
    assert "\n" not in str(refused.value)


def test_weights_and_a_device_that_are_not_there_are_said(recipe, data, tmp_path):
    full = recipe(settings={"architecture": "ViT-B/16"})
    with pytest.raises(
        InputError, match="--weights: is missing; clip_reid begins with a file of CLIP's weights"
    ):
        trained(full, data, tmp_path / "out")
    with pytest.raises(InputError, match="none.pt: cannot be read, No such file"):
        trained(full, data, tmp_path / "out", "--weights", tmp_path / "none.pt")
    with pytest.raises(InputError, match="--device: must be cpu or cuda, got 'tpu'"):
        trained(recipe(), data, tmp_path / "out", "--device", "tpu")
    assert not (tmp_path / "out").exists()


def test_a_training_that_has_not_ended_is_no_model(recipe, data, tmp_path):
    trained(recipe(), data, tmp_path / "out")
    with pytest.raises(
        InputError, match="begun.safetensors: is a training that has not ended; name the model"
    ):
        Trained(str(tmp_path / "out" / "begun.safetensors")).open()


@pytest.mark.parametrize("track", ["rgb", "depth", "cross"])
def test_the_recipes_of_tvrid_are_its_baselines(track):
    (path,) = (one for one in RECIPES if one.stem == f"tvrid_baseline_{track}")
    asked = read_recipe(path)
    method = method_of(asked.method, asked.settings, str(path))
    told = (method.track, method.size, method.frames, method.epochs, method.batch, method.lr, method.margin)
    assert told == (track, 224, 5, 20, 8, 1e-3, 0.25)
    assert asked.seed == 42


@pytest.mark.parametrize("path", PAPERS, ids=lambda path: path.stem)
def test_the_recipes_that_come_with_it_are_the_papers(path):
    asked = read_recipe(path)
    method = method_of(asked.method, asked.settings, str(path))
    assert method.lacks_weights
    batch = method.people_a_batch * method.pictures_each
    stages = (method.prompt_epochs, method.prompt_lr, method.epochs, method.milestones, method.lr, batch)
    assert stages == (120, 3.5e-4, 60, (30, 50), 5e-6, 64)
    assert method.sie is (asked.data_set == "msmt17")


@pytest.mark.parametrize("path", [one for one in RECIPES if "tiny" in one.stem], ids=lambda path: path.stem)
def test_the_recipes_of_twins_need_neither_weights_nor_a_folder(path):
    asked = read_recipe(path)
    assert not method_of(asked.method, asked.settings, str(path)).lacks_weights
    assert opened(asked.data_set, asked.data_settings, (str(path), "--data"), None).train_people >= 200


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_is_one_of_a_method_and_a_set_that_there_are(path):
    asked = read_recipe(path)
    assert method_of(asked.method, asked.settings, str(path))
    assert asked.data_set in names("engines/reid/data")


def test_a_mistake_is_one_line_without_a_traceback(recipe, tmp_path):
    command = [
        sys.executable,
        "run.py",
        "train",
        recipe(seed="one"),
        "--data",
        ".",
        "--out",
        tmp_path / "out",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"{tmp_path}/recipe.yaml: seed: must be a whole number, got 'one'\n"
