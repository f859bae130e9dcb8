"""The small models that come with the program: they can be made again, to the byte, and are of the size that ships."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import yaml
from one_thread import one_thread
from onnx import numpy_helper
from safetensors.numpy import load_file
from typer.testing import CliRunner

import run

ROOT = Path(__file__).parents[3]
sys.path.append(str(ROOT / "benchmarks"))
from small_models import RECIPES, TRAINED, encoders, exported  # noqa: E402

__all__ = ["one_thread"]
NAMES = ("unified", "dpm", "saga")
LESS = {
    **{"prompt_epochs": 1, "epochs": 1, "text_epochs": 1, "first_epochs": 1, "refined_epochs": 1, "views": 1},
    **{"people_a_batch": 4, "captions_a_batch": 8},
}
ASKED = {"unified": ("people_a_batch", "captions_a_batch"), "dpm": (), "saga": ("people_a_batch",)}


@pytest.fixture(scope="module")
def recipes(tmp_path_factory):
    """Those with fewer people and epochs; and one that cannot be trained."""
    folder = tmp_path_factory.mktemp("recipes")
    for name in NAMES:
        file = f"{RECIPES.get(name, name)}_tiny_synthped.yaml"
        told = yaml.safe_load((ROOT / "configs/reid" / file).read_text())
        told["data_settings"] |= {"train_people": 6, "sites": 2, "train_cameras": [0, 1]}
        less = {key: value for key, value in LESS.items() if key in told["settings"] or key in ASKED[name]}
        told["settings"] |= less
        (folder / file).write_text(yaml.safe_dump(told))
    told["settings"]["refined_epochs"] = 0
    (folder / "broken_tiny_synthped.yaml").write_text(yaml.safe_dump(told))
    return folder


@pytest.fixture(scope="module")
def first(recipes, tmp_path_factory):
    """A folder in which the program has made all, until one failed; and what it said."""
    folder = tmp_path_factory.mktemp("first")
    command = [sys.executable, "benchmarks/small_models.py", str(folder), *NAMES, "broken"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, "--recipes", str(recipes)], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    return folder, done


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix in (".onnx", ".yaml")}


def test_all_are_made_of_the_size_that_ships_and_say_what_they_are(first):
    folder, _ = first
    made = files(folder)
    assert set(made) == {f"{name}.{end}" for name in (*NAMES, "unified_texts") for end in ("onnx", "yaml")}
    assert max(map(len, made.values())) <= 8_000_000
    assert all(yaml.safe_load(made[f"{name}.yaml"])["licence"] == "Apache-2.0" for name in NAMES)


def test_made_once_more_by_another_process_they_are_the_same_bytes(first, recipes, tmp_path, one_thread):
    words = ["train", str(recipes / "unified_tiny_synthped.yaml"), "--device", "cpu"]
    done = CliRunner().invoke(run.app, [*words, "--out", str(tmp_path / "unified")])
    assert done.exit_code == 0, done.output
    exported(tmp_path / "unified" / TRAINED, tmp_path / "unified.onnx")
    before, again = files(first[0]), files(tmp_path)
    assert len(again) == 4 and [name for name, one in again.items() if before[name] != one] == []


def test_a_training_that_fails_is_said_and_nothing_is_exported(first):
    folder, done = first
    assert done.returncode == 1 and "broken_tiny_synthped.yaml: was not trained to its end" in done.stderr
    assert not list(folder.glob("broken*.onnx"))


def test_dpm_begins_with_what_ships_of_unified_and_saga_with_what_was_trained(first):
    folder, _ = first
    short, whole = (load_file(encoders(folder, is_halved)) for is_halved in (True, False))
    shipped = onnx.load(folder / "unified.onnx").graph.initializer
    kept = {one.name: numpy_helper.to_array(one).astype(np.float32) for one in shipped}
    at = "visual.positional_embedding"
    assert np.array_equal(short[at], kept[f"network.clip.{at}.16"])
    assert not np.array_equal(whole[at], short[at]) and np.allclose(whole[at], short[at], atol=1e-3)
    assert np.array_equal(short["visual.ln_post.weight"], whole["visual.ln_post.weight"])
