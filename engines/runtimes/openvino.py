"""Runs networks with OpenVINO, on a CPU: one request for each core, each in a thread of its own."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from functools import cache
from io import BytesIO
from pathlib import Path
from queue import SimpleQueue
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from configs.build import InputError
from engines._cache import Recipe, keep, kept
from engines._manifest import Manifest
from engines._network import Outputs, Port, Precision
from engines.runtimes._parallel import Parallel, cores, warmed_up

DEVICE = "CPU"


def opened(model: Path, manifest: Manifest, precision: Precision = "fp32") -> Parallel:
    """The network in an ONNX file or in an OpenVINO IR; raises InputError where it is none that can run."""
    if model.suffix == ".xml" and b"<net" not in _head(model):  # else every reader that OpenVINO has tries it
        raise InputError(f"{model}: is no OpenVINO IR, it does not begin with <net; fetch it again")
    if precision != "fp32":
        raise InputError(f"{model}: openvino runs fp32 only as yet, got {precision}")
    core = _core()
    recipe = _recipe(core, manifest, precision)
    engine = kept(recipe)
    compiled = (
        _compiled(core, model) if engine is None else core.import_model(BytesIO(engine), DEVICE, _settings())
    )
    inputs = {port.any_name: _port(port) for port in compiled.inputs}
    outputs = {port.any_name: _port(port) for port in compiled.outputs}
    names = "openvino", f"{DEVICE}, {recipe.device}"
    network = warmed_up(model, manifest, names, (inputs, outputs), _runner(compiled, list(outputs)))
    if engine is None:
        keep(recipe, compiled.export_model().getvalue())
    return network


@cache
def _core() -> Any:
    """The only one of this process. Each takes a signal stack for its thread when it first compiles, and gives it back
    when it goes: of two that go in the order in which they came, the thread is left with one that is no more, and the
    next Ctrl-C is a segmentation fault.
    """
    return _library().Core()


def _library() -> Any:
    """OpenVINO, without its telemetry: as it comes, it writes an id into the home folder and reports each import."""
    sys.modules.setdefault("openvino_telemetry", cast(Any, None))  # as if it were not installed
    import openvino

    return openvino


def _recipe(core: Any, manifest: Manifest, precision: Precision) -> Recipe:
    return Recipe(
        model=manifest.name,
        files={file.name: file.sha256 for file in manifest.files},
        runtime="openvino",
        version=_library().get_version(),
        device=core.get_property(DEVICE, "FULL_DEVICE_NAME"),
        capability=" ".join(core.get_property(DEVICE, "OPTIMIZATION_CAPABILITIES")),
        precision=precision,
        shapes={},  # as the model has them
        flags=_settings(),
    )


def _settings() -> dict[str, str]:
    """One thread for a request: what it gives is then the same, bit for bit, however many run."""
    return {
        "INFERENCE_PRECISION_HINT": "f32",
        "NUM_STREAMS": str(cores()),
        "INFERENCE_NUM_THREADS": str(cores()),
    }


def _compiled(core: Any, model: Path) -> Any:
    try:
        return core.compile_model(core.read_model(model), DEVICE, _settings())
    except RuntimeError as error:
        raise InputError(f"{model}: is no network that OpenVINO can run, {_reason(error)}") from error


def _head(model: Path) -> bytes:
    with model.open("rb") as file:
        return file.read(1024)


def _runner(compiled: Any, names: Iterable[str]) -> Any:
    """Runs one part on whichever request is free, and waits for one where none is."""
    free: SimpleQueue[Any] = SimpleQueue()
    for _ in range(cores()):
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
