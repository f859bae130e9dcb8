"""A neural network, whatever runs it: one array in, named arrays out. Chooses what runs it on this machine.

It knows nothing of pictures, boxes or people: engines make the array and read what comes out.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from configs.build import InputError, closest
from engines._manifest import Manifest
from engines._onnx import checked_onnx
from engines._weights import weights

log = logging.getLogger(__name__)

Precision = Literal["fp32", "fp16", "bf16", "int8"]
Outputs = Mapping[str, NDArray[Any]]
# What each runtime reads, in the order in which `auto` tries them. A runtime is named as its package and its extra.
READS = {"openvino": (".onnx", ".xml"), "onnxruntime": (".onnx",)}
ONLY_BUILT = ("tensorrt", "tensorrt_rtx")  # compiled for, never run


@dataclass(frozen=True)
class Port:
    """What goes into a network or comes out of it; None is a dimension of any length."""

    shape: tuple[int | None, ...]
    dtype: np.dtype[Any]


class Network(Protocol):
    """A network that is open: has been read, compiled, warmed up and found to give finite numbers.

    A batch is (n, ...) in the layout and dtype of the only input, n >= 0; each output is (n, ...), in its order.
    It may be called from several threads at once.
    """

    runtime: str
    device: str
    inputs: Mapping[str, Port]
    outputs: Mapping[str, Port]
    most: int | None  # largest batch that runs as one; the parts of a larger one run side by side

    def __call__(self, batch: NDArray[Any]) -> Outputs: ...

    def submit(self, batch: NDArray[Any]) -> Callable[[], Outputs]:
        """Begin, and give what waits for the end."""

    def close(self) -> None: ...


def opened(manifest: Manifest, runtime: str = "auto", precision: Precision = "fp32") -> Network:
    """The network of a model on the named runtime, or on the fastest that is installed and can read it.

    Raises InputError for weights that are missing, changed or no such network, and for a runtime that is not there.
    """
    model = checked(manifest)
    chosen, why = chosen_runtime(model, runtime)
    network: Network = import_module(f"engines.runtimes.{chosen}").opened(model, manifest, precision)
    log.info("%s runs on %s, %s (%s)", manifest.name, chosen, network.device, why)
    return network


def checked(manifest: Manifest) -> Path:
    """The model's file, which is what its manifest says and needs nothing else; raises InputError."""
    model = weights(manifest)
    if model.suffix == ".onnx":
        checked_onnx(model, (file.name for file in manifest.files))
    return model


def chosen_runtime(model: Path, runtime: str = "auto") -> tuple[str, str]:
    """The runtime for a model's file, and why that one."""
    if runtime != "auto":
        return _named(model, runtime), "as named"
    reading = [name for name, endings in READS.items() if model.suffix in endings]
    there = [name for name in reading if find_spec(name)]
    if not there:
        raise InputError(f"{model}: nothing that reads it is installed; {_install(reading[0])}")
    return there[0], f"the first that is installed of {', '.join(reading)}"


def _named(model: Path, runtime: str) -> str:
    if runtime in ONLY_BUILT:
        raise InputError(
            f"runtime: {runtime} can be compiled for, not run yet; choose from auto, {', '.join(READS)}"
        )
    if runtime not in READS:
        raise InputError(f"runtime: there is no {runtime!r}{closest(runtime, ['auto', *READS])}")
    if model.suffix not in READS[runtime]:
        raise InputError(f"{model}: {runtime} reads {', '.join(READS[runtime])} only; choose another runtime")
    if not find_spec(runtime):
        raise InputError(f"runtime: {runtime} is not installed; {_install(runtime)}")
    return runtime


def _install(extra: str) -> str:
    return f"it needs the {extra!r} extra: pip install '.[{extra}]'"
