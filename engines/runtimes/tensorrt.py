"""Builds and runs engines with TensorRT, or with TensorRT-RTX, which has the same interface and needs no GPU to build.

No run on a GPU that it knows has been recorded yet: see `engines/runtimes/recorded.json`.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
from numpy.typing import NDArray

from configs.build import InputError
from engines._lowered import lowered
from engines._manifest import Input, Manifest
from engines._network import Outputs, Port
from engines._plan import Batches, Plan, Precision
from engines.runtimes._cuda import Lane, gpu
from engines.runtimes._parallel import Parallel, Ready, warmed_up

LANES = 2  # a second batch is copied while the first is computed
NOWHERE = "no GPU"


def precisions() -> tuple[Precision, ...]:
    """Of networks whose every layer says its own."""
    return ("fp32", "fp16", "int8")


def device() -> tuple[str, str]:
    """What it runs on, and what that can do; where there is no GPU, an engine can only be built."""
    found = gpu()
    return (found.name, found.capability) if found else (NOWHERE, "all that it is built for")


def version(runtime: str) -> str:
    """Of the library, as it is installed."""
    return str(import_module(runtime).__version__)


def flags(plan: Plan) -> dict[str, str]:
    """TF32 cuts factors to 10 bits."""
    return {"TF32": "off"}


def built(model: Path, manifest: Manifest, plan: Plan) -> bytes:
    """The engine of an ONNX file; raises InputError for a network that cannot be built, with what the parser says."""
    trt, network_bytes = import_module(plan.runtime), lowered(model, plan)
    listener = _listener(trt)
    builder = trt.Builder(listener)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, listener)
    is_read = (
        parser.parse_from_file(str(model))
        if network_bytes is None
        else parser.parse(network_bytes, str(model))
    )
    config = builder.create_builder_config()
    config.clear_flag(trt.BuilderFlag.TF32)
    _aim(trt, config)
    engine = None
    if is_read:
        _add_profile(builder, config, network, manifest.input, plan.batches)
        engine = builder.build_serialized_network(network, config)
    if engine is None:
        said = parser.get_error(0).desc() if parser.num_errors else listener.said
        raise InputError(f"{model}: is no network that {plan.runtime} can build, {_reason(said)}")
    return bytes(engine)


def loaded(model: Path, manifest: Manifest, plan: Plan, engine: bytes | None) -> Parallel:
    """The network of an engine, on the GPU and warmed up."""
    if gpu() is None:
        raise InputError(
            f"runtime: {plan.runtime} needs an NVIDIA GPU, and there is none here; choose another"
        )
    trt = import_module(plan.runtime)
    listener = _listener(trt)
    runtime = trt.Runtime(listener)
    read = runtime.deserialize_cuda_engine(engine)
    if read is None:
        raise InputError(f"{model}: {plan.runtime} cannot run its engine here, {_reason(listener.said)}")
    names = [read.get_tensor_name(number) for number in range(read.num_io_tensors)]
    ports = {name: _port(trt, read, name) for name in names}
    is_input = {name: read.get_tensor_mode(name) == trt.TensorIOMode.INPUT for name in names}
    inputs = {name: ports[name] for name in names if is_input[name]}
    outputs = {name: ports[name] for name in names if not is_input[name]}
    try:
        lanes = _Lanes(model, read, inputs, outputs)
    except RuntimeError as error:
        raise InputError(f"{manifest.name}: {plan.runtime} cannot run here, {error}") from error
    ready = Ready(
        plan.runtime,
        f"GPU, {device()[0]}",
        inputs,
        outputs,
        lanes.run,
        layers=plan.precision,
        least=lanes.least,
        most=lanes.most,
        tried=min(lanes.most, max(lanes.least, 2)),
        threads=LANES,
        splits=False,
        given_back=lanes.close,
    )
    return warmed_up(model, manifest, ready)


class _Lanes:
    """The contexts in which an engine runs, each with a stream and memory of its own: one batch at a time in each."""

    def __init__(self, model: Path, engine: Any, inputs: dict[str, Port], outputs: dict[str, Port]) -> None:
        if len(inputs) != 1:
            raise InputError(
                f"{model}: takes {', '.join(inputs) or 'nothing'}; only networks of one input run"
            )
        ((self._fed, port),) = inputs.items()
        self._outputs = outputs
        least = most = port.shape
        if None in port.shape:
            least, _, most = (tuple(shape) for shape in engine.get_tensor_profile_shape(self._fed, 0))
        self.least, self.most = int(least[0] or 1), int(most[0] or 1)
        self._free: SimpleQueue[tuple[Any, Lane]] = SimpleQueue()
        self._engine, self._all = engine, []
        try:
            for _ in range(LANES):
                self._all.append(self._lane(most, port))
                self._free.put(self._all[-1])
        except BaseException:
            self.close()
            raise

    def run(self, part: NDArray[Any]) -> Outputs:
        """What comes of one part; any thread may call it, and waits where every lane is taken."""
        context, lane = taken = self._free.get()
        try:
            context.set_input_shape(self._fed, part.shape)
            lane.send(self._fed, part)
            if not context.execute_async_v3(lane.stream):
                raise RuntimeError("TensorRT: the batch was not taken")
            given = {
                name: lane.fetch(name, tuple(context.get_tensor_shape(name)), port.dtype)
                for name, port in self._outputs.items()
            }
            lane.wait()
            return {name: array.copy() for name, array in given.items()}
        finally:
            self._free.put(taken)

    def close(self) -> None:
        """Give the memory back, then the contexts, then the engine."""
        while self._all:
            self._all.pop()[1].close()
        self._free, self._engine = SimpleQueue(), None

    def _lane(self, most: tuple[Any, ...], port: Port) -> tuple[Any, Lane]:
        context = self._engine.create_execution_context()
        context.set_input_shape(self._fed, most)
        sizes = {name: context.get_max_output_size(name) for name in self._outputs}
        lane = Lane({self._fed: int(np.prod(most)) * port.dtype.itemsize, **sizes})
        for name in (self._fed, *sizes):
            context.set_tensor_address(name, lane.address(name))
        return context, lane


def _port(trt: Any, engine: Any, name: str) -> Port:
    shape = (None if size == -1 else int(size) for size in tuple(engine.get_tensor_shape(name)))
    return Port(tuple(shape), np.dtype(trt.nptype(engine.get_tensor_dtype(name))))


def _listener(trt: Any) -> Any:
    """Remembers the first error that TensorRT says, and says nothing itself."""

    class Listener(trt.ILogger):  # type: ignore[misc]  # the library is found when it is used
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.said = ""

        def log(self, severity: Any, message: str) -> None:
            if severity in (trt.ILogger.ERROR, trt.ILogger.INTERNAL_ERROR):
                self.said = self.said or message

    return Listener()


def _reason(said: str) -> str:
    return said.splitlines()[0].rstrip(".") if said else "for a reason that it does not give"


def _aim(trt: Any, config: Any) -> None:
    """TensorRT-RTX builds for any GPU from 8.0 on, so not for one of 7.5, unless it is told for which."""
    known = getattr(trt, "ComputeCapability", None)
    if (found := gpu()) and known:
        target = getattr(known, f"SM{found.capability.replace('.', '')}", None)
        if target is not None:
            config.num_compute_capabilities = 1
            config.set_compute_capability(target, 0)


def _add_profile(builder: Any, config: Any, network: Any, wanted: Input, batches: Batches) -> None:
    """How large the batch may be where it is not fixed; a picture is as large as the manifest says."""
    inputs = [network.get_input(number) for number in range(network.num_inputs)]
    open_ones = [one for one in inputs if -1 in tuple(one.shape)]
    if not open_ones:
        return
    profile = builder.create_optimization_profile()
    for one in open_ones:
        first, *rest = tuple(one.shape)
        rest = list(wanted.shape) if len(rest) == len(wanted.shape) else rest
        profile.set_shape(one.name, *((size if first == -1 else first, *rest) for size in batches))
    config.add_optimization_profile(profile)
