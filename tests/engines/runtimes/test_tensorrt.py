"""Engines for NVIDIA GPUs, built without one, and never run."""

from dataclasses import replace

import numpy as np
import onnx
import pytest
import tensorrt_rtx
from networks import REAL, manifest_of, network, real, written

from configs.build import InputError
from engines._cache import kept, recipes
from engines._engine import only_built
from engines._network import opened
from engines._plan import Plan
from engines.runtimes import tensorrt
from engines.runtimes._cuda import Gpu, gpu


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    for name in ("XDG_CACHE_HOME", "XDG_STATE_HOME", "SIGHTLINE_MODELS"):
        monkeypatch.setenv(name, str(tmp_path))
    return tmp_path


RTX = Plan("tensorrt_rtx")


def build(path, made, **changes):
    return only_built(path, made, replace(RTX, **changes))


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


def test_a_real_network_at_fp16_is_smaller(recordings):
    name = "yolox_nano_416x416.onnx"
    path, made = recordings / "models" / name, real(recordings, name)
    half, whole = (kept(build(path, made, precision=precision)) for precision in ("fp16", "fp32"))
    assert weighs(path) / 2 < len(half) < len(whole)


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


@pytest.mark.parametrize("capability", ["7.5", "8.9"])
def test_an_engine_is_built_for_the_gpu_that_is_here(home, monkeypatch, capability):
    """Unless it is told, TensorRT-RTX builds for none of 7.5."""
    monkeypatch.setattr(tensorrt, "gpu", lambda: Gpu("Painted GPU", capability))
    aimed, aim = [], tensorrt._aim
    monkeypatch.setattr(tensorrt, "_aim", lambda trt, config: (aim(trt, config), aimed.append(config)))
    assert kept(build(written(home), manifest_of(written(home)))) is not None
    target = tensorrt_rtx.ComputeCapability.__members__[f"SM{capability.replace('.', '')}"]
    assert [aimed[0].get_compute_capability(n) for n in range(aimed[0].num_compute_capabilities)] == [target]


@pytest.mark.skipif(gpu() is not None, reason="there is a GPU")
def test_without_a_gpu_it_is_said_and_others_are_named(home):
    with pytest.raises(
        InputError,
        match="runtime: tensorrt_rtx needs an NVIDIA GPU, and there is none here; choose from auto, openvino",
    ):
        opened(manifest_of(written(home)), "tensorrt_rtx")
