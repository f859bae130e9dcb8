"""How engines for GPUs are run, on a GPU that is only memory of this process: what is sent, run and fetched, in which
order, and that all of it is given back. That a real one does the same, no run here says.
"""

import ctypes
import inspect
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
import tensorrt_rtx
from cards import Card
from cuda.bindings import runtime as cudart
from networks import manifest_of, written

from configs.build import InputError
from engines import _compile, _engine, _network
from engines._cache import recipes
from engines._compile import Asked, compile_for
from engines._plan import Plan
from engines.runtimes import _cuda, tensorrt
from engines.runtimes._cuda import Gpu

KINDS = cudart.cudaMemcpyKind
MEANS = "means"


class Context:
    """Gives the mean of each picture's channels."""

    def __init__(self, engine):
        self._engine, self._at, self._shape = engine, {}, None

    def set_input_shape(self, name, shape):
        assert self._engine.profile[0][0] <= shape[0] <= self._engine.profile[2][0]
        self._shape = tuple(shape)
        return True

    def get_max_output_size(self, name):
        return self._shape[0] * 3 * 4

    def get_tensor_shape(self, name):
        return (self._shape[0], 3)

    def set_tensor_address(self, name, address):
        self._at[name] = address
        return True

    def execute_async_v3(self, stream):
        shape = self._shape

        def compute():
            def view(name, shape):
                room = (ctypes.c_float * int(np.prod(shape))).from_address(self._at[name])
                return np.frombuffer(room, np.float32).reshape(shape)

            view(MEANS, (shape[0], 3))[:] = view("picture", shape).mean(axis=(2, 3))

        self._engine.ran.append(shape[0])
        self._engine.card.streams[stream].append(compute)
        return True


class Engine:
    """Of one input and one output."""

    num_io_tensors = 2

    def __init__(self, card, profile):
        self.card, self.profile, self.ran = card, [(size, 3, 8, 8) for size in profile], []

    def get_tensor_name(self, number):
        return ("picture", MEANS)[number]

    def get_tensor_mode(self, name):
        modes = tensorrt_rtx.TensorIOMode
        return modes.INPUT if name == "picture" else modes.OUTPUT

    def get_tensor_dtype(self, name):
        return tensorrt_rtx.DataType.FLOAT

    def get_tensor_shape(self, name):
        return (-1, 3, 8, 8) if name == "picture" else (-1, 3)

    def get_tensor_profile_shape(self, name, number):
        return self.profile

    def create_execution_context(self):
        return Context(self)


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """One with a GPU, on which an engine of any bytes is this one; gives them and a manifest."""
    for name in ("XDG_CACHE_HOME", "XDG_STATE_HOME", "SIGHTLINE_MODELS"):
        monkeypatch.setenv(name, str(tmp_path))
    card = Card()
    here = [Gpu("Painted GPU", "8.9")]
    for module in (_cuda, _compile, _network, tensorrt):
        monkeypatch.setattr(module, "gpu", lambda: here[0])
    monkeypatch.setattr(_cuda, "_runtime", lambda: card)
    engine = Engine(card, (2, 4, 8))
    listener = tensorrt_rtx.ILogger
    library = SimpleNamespace(
        Runtime=lambda log: SimpleNamespace(
            deserialize_cuda_engine=lambda content: engine if content else None
        ),
        TensorIOMode=tensorrt_rtx.TensorIOMode,
        ILogger=listener,
        nptype=tensorrt_rtx.nptype,
    )
    monkeypatch.setattr(tensorrt, "import_module", lambda name: library)
    path = written(tmp_path)
    return SimpleNamespace(here=here, card=card, engine=engine, path=path, manifest=manifest_of(path))


@pytest.fixture
def made(machine):
    opened = tensorrt.loaded(machine.path, machine.manifest, Plan("tensorrt_rtx"), b"engine")
    yield opened
    opened.close()


def pictures(count, seed=1):
    return np.random.default_rng(seed).uniform(0, 255, (count, 3, 8, 8)).astype(np.float32)


@pytest.mark.parametrize(
    ("count", "ran"), [(0, []), (1, [2]), (2, [2]), (8, [8]), (9, [2, 8]), (21, [5, 8, 8])]
)
def test_a_batch_is_run_in_parts_that_fit_the_profile(machine, made, count, ran):
    machine.engine.ran.clear()
    batch = pictures(count)
    for given in (made(batch), made.submit(batch)()):
        np.testing.assert_allclose(given[MEANS], batch.mean(axis=(2, 3)), rtol=1e-5)
    assert sorted(machine.engine.ran) == sorted(ran * 2)
    assert (made.runtime, made.device, made.most) == ("tensorrt_rtx", "GPU, Painted GPU", 8)


def test_each_part_is_copied_there_and_back(machine, made):
    machine.card.copies.clear()
    made(pictures(3))
    assert machine.card.copies == [KINDS.cudaMemcpyHostToDevice, KINDS.cudaMemcpyDeviceToHost]


def test_may_be_called_from_several_threads_and_what_it_gave_stays(made):
    batches = [pictures(5, seed) for seed in range(40)]
    with ThreadPoolExecutor(8) as threads:
        given = list(threads.map(lambda batch: made(batch)[MEANS], batches))
    for batch, found in zip(batches, given, strict=True):
        np.testing.assert_allclose(found, batch.mean(axis=(2, 3)), rtol=1e-5)


def test_all_memory_is_given_back(machine):
    opened = tensorrt.loaded(machine.path, machine.manifest, Plan("tensorrt_rtx"), b"engine")
    assert (len(machine.card.streams), len(machine.card.rooms)) == (2, 8)
    opened.close()
    opened.close()
    assert (machine.card.streams, machine.card.rooms) == ({}, {})


@pytest.mark.parametrize("full_at", [0, 1, 3, 5])
def test_a_gpu_that_is_full_is_one_line_and_gives_back_what_was_taken(machine, full_at):
    machine.card.full_at = full_at
    with pytest.raises(InputError, match="^small: tensorrt_rtx cannot run here, CUDA: out of memory"):
        tensorrt.loaded(machine.path, machine.manifest, Plan("tensorrt_rtx"), b"engine")
    assert (machine.card.streams, machine.card.rooms) == ({}, {})


def test_an_engine_that_the_runtime_does_not_take_is_one_line(machine):
    with pytest.raises(
        InputError, match="small.onnx: tensorrt_rtx cannot run its engine here, for a reason that it"
    ):
        tensorrt.loaded(machine.path, machine.manifest, Plan("tensorrt_rtx"), b"")


def test_what_stands_in_for_the_libraries_has_nothing_that_they_have_not():
    def public(kind):
        return {name for name, _ in inspect.getmembers(kind) if not name.startswith("_")}

    assert public(Context) <= public(tensorrt_rtx.IExecutionContext)
    assert public(Engine) <= public(tensorrt_rtx.ICudaEngine)
    assert {name for name in public(Card) if name.startswith("cuda")} <= public(cudart)


def test_where_a_gpu_is_auto_takes_what_needs_one(machine, monkeypatch):
    there = {"openvino", "onnxruntime", "tensorrt_rtx"}
    monkeypatch.setattr(_network, "find_spec", lambda name: name in there or None)
    assert _network.chosen_runtime(machine.path)[0] == "tensorrt_rtx"
    there.remove("tensorrt_rtx")
    assert _network.chosen_runtime(machine.path)[0] == "openvino"
    monkeypatch.setattr(_network, "_has_cuda", lambda: True)
    chosen, why = _network.chosen_runtime(machine.path)
    assert (chosen, why) == ("onnxruntime", "its CUDA provider is installed, for Painted GPU")


def test_an_engine_is_for_the_gpu_that_is_here_and_any_shapes(machine, monkeypatch):
    monkeypatch.setattr(tensorrt, "built", lambda model, made, plan: b"engine")
    monkeypatch.setattr(tensorrt, "version", lambda runtime: "1")
    monkeypatch.setattr(_engine, "_as_reference", lambda *given: None)
    monkeypatch.setattr(_compile, "_compared", lambda *given: None)
    compile_for(machine.manifest, Asked("tensorrt_rtx", batch="2,4,8"), lambda *given: None)
    (recipe,) = recipes("small")
    assert (recipe.device, recipe.capability, recipe.shapes) == ("Painted GPU", "8.9", {"picture": [2, 4, 8]})
    monkeypatch.setattr(tensorrt, "built", lambda model, made, plan: pytest.fail("it is compiled again"))
    _network.opened(machine.manifest, "tensorrt_rtx").close()


def test_a_gpu_that_a_runtime_does_not_know_is_not_given_to_it(machine):
    machine.here[0] = Gpu("NVIDIA H100", "9.0")
    assert _network.chosen_runtime(machine.path)[0] != "tensorrt_rtx"
    with pytest.raises(
        InputError, match="needs an NVIDIA GPU of compute capability 7.5, .*, and here is NVIDIA H100 of 9"
    ):
        _network.opened(machine.manifest, "tensorrt_rtx")


def test_the_gpus_that_tensorrt_rtx_knows_are_those_that_it_names():
    names = [name for name in tensorrt_rtx.ComputeCapability.__members__ if name.startswith("SM")]
    assert {f"{name[2:-1]}.{name[-1]}" for name in names} == set(_network.RTX)
