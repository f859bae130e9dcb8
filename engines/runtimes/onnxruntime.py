"""Runs networks with ONNX Runtime: on a CPU one thread for each part, and as many parts at once as there are cores, or
all of them for what comes alone; on an NVIDIA GPU, where its CUDA provider and one are there, parts of one size.
"""

from __future__ import annotations

import logging
import sys
from contextlib import redirect_stdout
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from configs.build import InputError
from engines._lowered import lowered, quiet
from engines._manifest import Manifest
from engines._network import Outputs, Port
from engines._plan import Plan, Precision
from engines.runtimes._cuda import gpu
from engines.runtimes._parallel import Parallel, Ready, cores, warmed_up
from engines.runtimes._processor import processor

log = logging.getLogger(__name__)

CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"
PART = (
    16  # rows: for another number it plans every convolution anew, which takes seconds, and rounds otherwise
)
DTYPES = {  # of the types that ONNX Runtime names
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(double)": "float64",
    "tensor(uint8)": "uint8",
    "tensor(int32)": "int32",
    "tensor(int64)": "int64",
    "tensor(bool)": "bool",
}


def uses_gpu() -> bool:
    """Whether there is a GPU, and a build of ONNX Runtime for it."""
    return gpu() is not None and CUDA in _library().get_available_providers()


def precisions() -> tuple[Precision, ...]:
    """Its kernels for CPUs would take numbers of 16 bits for 32 again."""
    return ("fp32", "fp16", "int8") if uses_gpu() else ("fp32", "int8")


def device() -> tuple[str, str]:
    """What it runs on, and what that can do."""
    found = gpu()
    return (found.name, found.capability) if found and uses_gpu() else processor()


def version(runtime: str) -> str:
    """Of the library, as it is installed."""
    return str(_library().__version__)


def flags(plan: Plan) -> dict[str, str]:
    """What its provider is, and how that is set."""
    return {"provider": CUDA, **_settings(plan)} if uses_gpu() else {"provider": CPU}


def built(model: Path, manifest: Manifest, plan: Plan) -> bytes | None:
    """The network at its precision; none for the file itself, which it reads as it is."""
    return lowered(model, plan)


def loaded(model: Path, manifest: Manifest, plan: Plan, engine: bytes | None) -> Parallel:
    """The network, warmed up; raises InputError where it is none that can run."""
    opened, on_gpu = session(model, plan, engine, threads=1)
    inputs = {port.name: _port(port, model) for port in opened.get_inputs()}
    outputs = {port.name: _port(port, model) for port in opened.get_outputs()}
    fed = next(iter(inputs))

    def run(part: NDArray[Any], session: Any = opened) -> Outputs:
        return dict(zip(outputs, session.run(None, {fed: part}), strict=True))

    name = f"{'GPU' if on_gpu else 'CPU'}, {device()[0]}"
    ready = Ready("onnxruntime", name, inputs, outputs, run, layers=plan.precision)
    if on_gpu:  # two threads: a second part is copied while the first is computed
        ready = replace(ready, least=PART, most=PART, tried=PART, threads=2, splits=False)
    elif cores() > 1 and not plan.is_brief:
        ready = replace(
            ready, run_alone=partial(run, session=session(model, plan, engine, threads=cores())[0])
        )
    return warmed_up(model, manifest, ready)


def session(model: Path, plan: Plan, engine: bytes | None, threads: int) -> tuple[Any, bool]:
    """ONNX Runtime's own that runs a file, or its bytes, and whether that is on the GPU; raises InputError."""
    onnxruntime = _library()
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads, settings.inter_op_num_threads = threads, 1
    settings.add_session_config_entry(
        "session.force_spinning_stop", "1"
    )  # else they keep cores busy in between
    settings.log_severity_level = 4  # what is wrong is raised, and said once
    providers: list[Any] = [CPU]
    if uses_gpu():
        providers = [(CUDA, _settings(plan)), CPU]
        with redirect_stdout(sys.stderr):
            onnxruntime.preload_dlls()  # it does not find the CUDA that is installed beside it
    try:
        made = onnxruntime.InferenceSession(engine or str(model), settings, providers=providers)
    except Exception as error:  # ONNX Runtime's own share no other class
        raise InputError(f"{model}: is no network that ONNX Runtime can run, {_reason(error)}") from error
    taken = made.get_providers()[0]
    if taken == CPU != providers[0]:  # it falls back without a word
        raise InputError(f"runtime: onnxruntime cannot use the GPU, {CUDA} does not start; mend its CUDA")
    return made, taken == CUDA


def _settings(plan: Plan) -> dict[str, str]:
    """Of the CUDA provider. TF32 cuts factors to 10 bits; without it numbers of 16 bits get no fast kernels either."""
    return {"use_tf32": "0" if plan.precision == "fp32" else "1", "cudnn_conv_algo_search": "HEURISTIC"}


@cache
def _library() -> Any:
    quiet()
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
