"""Engines for NVIDIA GPUs, built without one, and never run."""

import numpy as np
import onnx
import pytest
from networks import REAL, manifest_of, network, real, written

from configs.build import InputError
from engines._cache import kept, recipes
from engines._network import opened
from engines.runtimes import tensorrt
from engines.runtimes.tensorrt import build


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    for name in ("XDG_CACHE_HOME", "XDG_STATE_HOME", "SIGHTLINE_MODELS"):
        monkeypatch.setenv(name, str(tmp_path))
    return tmp_path


def weighs(path):
    """The bytes of all weights in an ONNX file."""
    return sum(np.prod(one.dims, dtype=int) * 4 for one in onnx.load(path).graph.initializer)


@pytest.mark.parametrize("name", [name for name in REAL if name.endswith(".onnx")])
def test_a_real_network_is_built_and_holds_its_weights(recordings, name):
    made = real(recordings, name)
    recipe = build(recordings / "models" / name, made)
    engine = kept(recipe)
    assert (
        weighs(recordings / "models" / name) < len(engine) < weighs(recordings / "models" / name) + 4_000_000
    )
    assert recipes(made.name) == [recipe]


def test_a_batch_that_is_not_fixed_is_built(home):
    assert kept(build(written(home), manifest_of(written(home)))) is not None


def test_what_it_does_not_know_is_one_line(home):
    model = network()
    model.graph.node[0].op_type = "Convolve"
    path = written(home, model)
    with pytest.raises(
        InputError, match=f"^{path}: is no network that tensorrt_rtx can build, .*Plugin not found"
    ) as told:
        build(path, manifest_of(path))
    assert "\n" not in str(told.value)
    assert recipes("small") == []


def test_what_is_not_installed_says_how_to_install_it(home, monkeypatch):
    monkeypatch.setattr(tensorrt, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"tensorrt_rtx is not installed; pip install '\.\[tensorrt-rtx\]'"):
        build(written(home), manifest_of(written(home)))


@pytest.mark.parametrize("runtime", ["tensorrt", "tensorrt_rtx"])
def test_it_does_not_run_yet(home, runtime):
    with pytest.raises(
        InputError, match=f"{runtime} can be compiled for, not run yet; choose from auto, openvino"
    ):
        opened(manifest_of(written(home)), runtime)
