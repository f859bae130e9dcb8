"""Runs networks with PyTorch, operator by operator: the reference that engines are compared with, not the fastest."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from configs.build import InputError
from engines._manifest import Manifest
from engines._network import Outputs, Port
from engines._plan import Plan, Precision
from engines.runtimes._parallel import Parallel, Ready, warmed_up
from engines.runtimes._processor import processor

PART = 16  # rows, on a GPU; kernels round otherwise for another number


def precisions() -> tuple[Precision, ...]:
    """A reference has one."""
    return ("fp32",)


def device() -> tuple[str, str]:
    """What it runs on, and what that can do."""
    cuda = _library().cuda
    if not cuda.is_available():
        return processor()
    return cuda.get_device_name(), ".".join(map(str, cuda.get_device_capability()))


def version(runtime: str) -> str:
    """Of the library, as it is installed."""
    return str(_library().__version__)


def flags(plan: Plan) -> dict[str, str]:
    """None."""
    return {}


def built(model: Path, manifest: Manifest, plan: Plan) -> None:
    """Nothing: it reads the model itself."""


def loaded(model: Path, manifest: Manifest, plan: Plan, engine: bytes | None) -> Parallel:
    """The network in an ONNX file, warmed up; raises InputError where it is none that can run."""
    torch = _library()
    on_gpu = torch.cuda.is_available()
    where, part = ("cuda", PART) if on_gpu else ("cpu", 1)
    if on_gpu:
        torch.backends.cudnn.allow_tf32 = False  # of the whole process: it cuts factors to 10 bits
    network, inputs, outputs = module(model)
    network = network.to(where)

    def run(part: NDArray[Any]) -> Outputs:
        try:
            with torch.inference_mode():
                given = network(torch.tensor(part, device=where))
        except (RuntimeError, IndexError, TypeError, ValueError) as error:
            said = str(error).splitlines()[0].rstrip(".")
            raise InputError(f"{model}: is no network that PyTorch can run, {said}") from error
        return dict(zip(outputs, (one.cpu().numpy() for one in given), strict=True))

    ready = Ready(
        "torch",
        f"{where.replace('cuda', 'gpu').upper()}, {device()[0]}",
        inputs,
        outputs,
        run,
        least=part,
        most=part,
        tried=max(part, 2),
        threads=2 if on_gpu else 1,  # on a processor it spreads a row over all cores by itself
        splits=not on_gpu,
    )
    return warmed_up(model, manifest, ready)


def module(model: Path) -> tuple[Any, dict[str, Port], dict[str, Port]]:
    """The network in an ONNX file as a PyTorch module, what goes in and what comes out."""
    import onnx

    from engines.runtimes._onnx_in_torch import OnnxModule
    from engines.runtimes._onnx_operators import UnknownOperator

    try:
        read = onnx.load(model)
        network = OnnxModule(read).eval()
    except UnknownOperator as error:
        raise InputError(f"{model}: is no network that PyTorch can run, {error}") from error
    weights = {one.name for one in read.graph.initializer}
    inputs = {port.name: _port(port, model) for port in read.graph.input if port.name not in weights}
    return network, inputs, {port.name: _port(port, model) for port in read.graph.output}


@cache
def _library() -> Any:
    import torch

    return torch


def _port(port: Any, model: Path) -> Port:
    import onnx

    told = port.type.tensor_type
    try:
        dtype = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(told.elem_type))
    except KeyError as error:
        raise InputError(f"{model}: {port.name!r} is of a kind that cannot be fed or read") from error
    sizes = (one.dim_value if one.HasField("dim_value") else None for one in told.shape.dim)
    return Port(tuple(sizes), dtype)
