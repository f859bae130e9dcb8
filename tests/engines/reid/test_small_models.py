"""The small models that come with the program: they can be made again, and tell people apart whom they have never seen."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
NAMES = ("unified", "dpm", "saga")
LESS = {
    **{"prompt_epochs": 1, "epochs": 1, "text_epochs": 1, "first_epochs": 1, "refined_epochs": 1, "views": 1},
    **{"people_a_batch": 4, "captions_a_batch": 8},
}


def shortened(folder):
    """The recipes with fewer people and epochs."""
    folder.mkdir()
    for name in NAMES:
        path = ROOT / f"configs/reid/{name}_tiny_synthped.yaml"
        told = yaml.safe_load(path.read_text())
        told["data_settings"] |= {"train_people": 6, "sites": 2, "train_cameras": [0, 1]}
        told["settings"] |= {
            key: value for key, value in LESS.items() if key in told["settings"] or key in ASKED[name]
        }
        (folder / path.name).write_text(yaml.safe_dump(told))
    return folder


ASKED = {"unified": ("people_a_batch", "captions_a_batch"), "dpm": (), "saga": ("people_a_batch",)}


def made(recipes, folder, *names):
    command = [sys.executable, "benchmarks/small_models.py", str(folder), *names, "--recipes", str(recipes)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix in (".onnx", ".yaml")}


@pytest.fixture(scope="module")
def recipes(tmp_path_factory):
    return shortened(tmp_path_factory.mktemp("small") / "recipes")


def test_made_twice_they_are_the_same_bytes_and_of_the_size_that_ships(recipes, tmp_path):
    first = made(recipes, tmp_path / "first")
    assert set(first) == {f"{name}.{end}" for name in (*NAMES, "unified_texts") for end in ("onnx", "yaml")}
    assert max(map(len, first.values())) <= 8_000_000
    second = made(recipes, tmp_path / "second", "unified")
    assert len(second) == 4 and all(first[name] == again for name, again in second.items())
    assert all(yaml.safe_load(first[f"{name}.yaml"])["licence"] == "Apache-2.0" for name in NAMES)


def test_a_training_that_fails_is_said_and_nothing_is_exported(recipes, tmp_path):
    told = yaml.safe_load((recipes / "unified_tiny_synthped.yaml").read_text())
    told["settings"]["epochs"] = 0
    (tmp_path / "unified_tiny_synthped.yaml").write_text(yaml.safe_dump(told))
    command = [
        sys.executable,
        "benchmarks/small_models.py",
        str(tmp_path / "out"),
        "unified",
        "--recipes",
        str(tmp_path),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "was not trained to its end" in done.stderr
    assert not list((tmp_path / "out").glob("*.onnx"))
