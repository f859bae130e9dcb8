"""Runs networks with ONNX Runtime, on a CPU: one thread for each part, and as many parts at once as there are cores."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from configs.build import InputError
from engines._manifest import Manifest
from engines._network import Outputs, Port, Precision
from engines.runtimes._parallel import Parallel, warmed_up

DTYPES = {  # of the types that ONNX Runtime names
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(double)": "float64",
    "tensor(uint8)": "uint8",
    "tensor(int32)": "int32",
    "tensor(int64)": "int64",
    "tensor(bool)": "bool",
}


def opened(model: Path, manifest: Manifest, precision: Precision = "fp32") -> Parallel:
    """The network in an ONNX file; raises InputError where it is none that can run."""
    if precision != "fp32":
        raise InputError(f"{model}: onnxruntime runs fp32 only as yet, got {precision}")
    onnxruntime = _library()
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = settings.inter_op_num_threads = 1
    settings.log_severity_level = 4  # what is wrong is raised, and said once
    try:
        session = onnxruntime.InferenceSession(str(model), settings, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's own share no other class
        raise InputError(f"{model}: is no network that ONNX Runtime can run, {_reason(error)}") from error
    inputs = {port.name: _port(port, model) for port in session.get_inputs()}
    outputs = {port.name: _port(port, model) for port in session.get_outputs()}
    fed = next(iter(inputs))

    def run(part: NDArray[Any]) -> Outputs:
        return dict(zip(outputs, session.run(None, {fed: part}), strict=True))

    return warmed_up(model, manifest, ("onnxruntime", "CPU"), (inputs, outputs), run)


def _library() -> Any:
    """ONNX Runtime, without its telemetry: as it comes, it writes an id into the cache folder and reports its use."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # read once, when it is first imported
    import onnxruntime

    return onnxruntime


def _port(port: Any, model: Path) -> Port:
    if port.type not in DTYPES:
        raise InputError(
            f"{model}: {port.name!r} is a {port.type}, which cannot be fed or read; export it anew"
        )
    shape = tuple(size if isinstance(size, int) else None for size in port.shape)
    return Port(shape, np.dtype(DTYPES[port.type]))


def _reason(error: Exception) -> str:
    return str(error).splitlines()[0].rpartition(" : ")[2].rstrip(".")
