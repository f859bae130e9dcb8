"""Runs networks with OpenVINO, on a CPU: one request for each core, each in a thread of its own; and one that has all
cores, for what comes alone.
"""

from __future__ import annotations

from collections import Counter
from functools import cache
from io import BytesIO
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from configs.build import InputError
from engines._lowered import eight_bits, quiet
from engines._manifest import Manifest
from engines._network import Outputs, Port
from engines._plan import Plan, Precision
from engines.runtimes._parallel import Parallel, Ready, cores, warmed_up

DEVICE = "CPU"
HINTS = {"fp32": "f32", "bf16": "bf16", "fp16": "f16", "int8": "f32"}  # int8: of what is not quantized
NEEDS = {"bf16": "BF16", "fp16": "FP16", "int8": "INT8"}  # what the processor must be able to do
LENGTH = 8  # bytes that say how long a description is
COMPUTING = ("Convolution", "FullyConnected", "MatMul", "Gemm")  # layers whose precision matters


def precisions() -> tuple[Precision, ...]:
    """Those at which this processor computes; at others OpenVINO would take another one without a word."""
    able = _core().get_property(DEVICE, "OPTIMIZATION_CAPABILITIES")
    every: tuple[Precision, ...] = ("fp32", "fp16", "bf16", "int8")
    return tuple(one for one in every if one not in NEEDS or NEEDS[one] in able)


def device() -> tuple[str, str]:
    """What it runs on, and what that can do."""
    able = _core().get_property(DEVICE, "OPTIMIZATION_CAPABILITIES")
    return str(_core().get_property(DEVICE, "FULL_DEVICE_NAME")), " ".join(able)


def version(runtime: str) -> str:
    """Of the library, as it is installed."""
    return str(_library().get_version())


def flags(plan: Plan) -> dict[str, str]:
    """One thread for a request: what it gives is then the same, bit for bit, however many run. The threads are tied to
    no core: others of the pipeline are busy too, and one that waits for its own core while another is free runs at half
    its speed.
    """
    return {
        "INFERENCE_PRECISION_HINT": HINTS[plan.precision],
        "NUM_STREAMS": str(cores()),
        "INFERENCE_NUM_THREADS": str(cores()),
        "ENABLE_CPU_PINNING": "NO",
    }


def built(model: Path, manifest: Manifest, plan: Plan) -> bytes:
    """The engine of an ONNX file or of an OpenVINO IR; raises InputError where it is no network that can run."""
    if model.suffix == ".xml" and b"<net" not in _head(model):  # else every reader that OpenVINO has tries it
        raise InputError(f"{model}: is no OpenVINO IR, it does not begin with <net; fetch it again")
    core = _core()
    try:
        network = core.read_model(model)
        if plan.precision == "int8":
            return _packed(eight_bits(network, plan, manifest.input.name))
        return bytes(core.compile_model(network, DEVICE, flags(plan)).export_model().getvalue())
    except RuntimeError as error:
        raise InputError(f"{model}: is no network that OpenVINO can run, {_reason(error)}") from error


def loaded(model: Path, manifest: Manifest, plan: Plan, engine: bytes | None) -> Parallel:
    """The network of an engine, warmed up."""
    compiled, on_all = (_compiled(engine or b"", plan, streams) for streams in (cores(), 1))
    inputs = {port.any_name: _port(port) for port in compiled.inputs}
    outputs = {port.any_name: _port(port) for port in compiled.outputs}
    ready = Ready(
        "openvino",
        f"{DEVICE}, {device()[0]}",
        inputs,
        outputs,
        _runner(compiled, list(outputs), cores()),
        layers=_layers(compiled),
        run_alone=_runner(on_all, list(outputs), 1) if cores() > 1 else None,
    )
    return warmed_up(model, manifest, ready)


def _compiled(engine: bytes, plan: Plan, streams: int) -> Any:
    """For so many requests at once, among which the cores are shared."""
    told = {**flags(plan), "NUM_STREAMS": str(streams)}
    if plan.precision == "int8":
        return _core().compile_model(_core().read_model(*_unpacked(engine)), DEVICE, told)
    return _core().import_model(BytesIO(engine), DEVICE, told)


def _packed(network: Any) -> bytes:
    """The network as an IR in one piece. Of some networks with 8 bits (retail-0013) OpenVINO 2026.4 exports an engine
    that finds nothing once it is imported, so such a network is kept, and compiled each time.
    """
    with TemporaryDirectory() as folder:
        path = Path(folder) / "network.xml"
        _library().save_model(network, path, compress_to_fp16=False)
        description, weights = path.read_bytes(), path.with_suffix(".bin").read_bytes()
    return len(description).to_bytes(LENGTH, "big") + description + weights


def _unpacked(engine: bytes) -> tuple[bytes, bytes]:
    end = LENGTH + int.from_bytes(engine[:LENGTH], "big")
    return engine[LENGTH:end], engine[end:]


@cache
def _core() -> Any:
    """The only one of this process. Each takes a signal stack for its thread when it first compiles, and gives it back
    when it goes: of two that go in the order in which they came, the thread is left with one that is no more, and the
    next Ctrl-C is a segmentation fault.
    """
    return _library().Core()


def _library() -> Any:
    quiet()
    import openvino

    return openvino


def _layers(compiled: Any) -> str:
    """At which precision the layers that compute most really run."""
    told = [node.get_rt_info() for node in compiled.get_runtime_model().get_ops()]
    kinds = Counter(
        one["runtimePrecision"].astype(str) for one in told if one["layerType"].astype(str) in COMPUTING
    )
    return ", ".join(f"{count} layers at {kind}" for kind, count in kinds.most_common()) or "no such layer"


def _head(model: Path) -> bytes:
    with model.open("rb") as file:
        return file.read(1024)


def _runner(compiled: Any, names: list[str], requests: int) -> Any:
    """Runs one part on whichever request is free, and waits for one where none is."""
    free: SimpleQueue[Any] = SimpleQueue()
    for _ in range(requests):
        free.put(compiled.create_infer_request())

    def run(part: NDArray[Any]) -> Outputs:
        request = free.get()
        try:
            result = request.infer([part], share_inputs=True, share_outputs=True)
            return {name: np.array(result[number]) for number, name in enumerate(names)}
        finally:
            free.put(request)

    return run


def _port(port: Any) -> Port:
    shape = tuple(None if size.is_dynamic else size.get_length() for size in port.get_partial_shape())
    return Port(shape, np.dtype(port.get_element_type().to_dtype()))


def _reason(error: RuntimeError) -> str:
    """The last line of what OpenVINO says that is no place in its source."""
    lines = [line.strip() for line in str(error).splitlines()]
    said = [line for line in lines if line and not line.startswith(("Exception from", "Check "))]
    return said[-1].rstrip(".") if said else "for a reason that it does not give"
