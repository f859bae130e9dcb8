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
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from configs.build import InputError, closest
from engines._manifest import Manifest
from engines._onnx import checked_onnx
from engines._plan import Plan
from engines._plan import Precision as Precision
from engines._weights import weights
from engines.runtimes._cuda import gpu

log = logging.getLogger(__name__)

Outputs = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Kind:
    """What is known of a runtime before it is imported. It is named as its package."""

    reads: tuple[str, ...]
    extra: str
    file: str  # in engines/runtimes
    runs_on: tuple[str, ...]
    capabilities: tuple[str, ...] = ()  # of GPUs that it knows; or all

    @property
    def needs_gpu(self) -> bool:
        """Whether nothing else will do."""
        return self.runs_on == ("GPU",)


SOONEST = "soonest"  # a runtime that is asked for little: what takes longest is to open it
RTX = ("7.5", "8.0", "8.6", "8.9", "12.0", "12.1")  # what TensorRT-RTX 1.7 builds for
# in the order in which `auto` tries them; on a GPU, ONNX Runtime comes before what runs on the processor alone
KINDS = {
    "tensorrt": Kind((".onnx",), "", "tensorrt", ("GPU",)),
    "tensorrt_rtx": Kind((".onnx",), "tensorrt-rtx", "tensorrt", ("GPU",), RTX),
    "openvino": Kind((".onnx", ".xml"), "openvino", "openvino", ("CPU",)),
    "onnxruntime": Kind((".onnx",), "onnxruntime", "onnxruntime", ("CPU", "GPU")),
    "torch": Kind((".onnx",), "torch", "torch", ("CPU", "GPU")),
}


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
    layers: str  # at which precision they compute
    inputs: Mapping[str, Port]
    outputs: Mapping[str, Port]
    most: int | None  # largest batch that runs as one; the parts of a larger one run side by side

    def __call__(self, batch: NDArray[Any]) -> Outputs: ...

    def submit(self, batch: NDArray[Any]) -> Callable[[], Outputs]:
        """Begin, and give what waits for the end."""

    def close(self) -> None: ...


class Runtime(Protocol):
    """A file in `engines/runtimes`."""

    def precisions(self) -> tuple[Precision, ...]:
        """Those at which it really computes on its device."""

    def device(self) -> tuple[str, str]:
        """What it runs on here, and what that can do."""

    def version(self, runtime: str) -> str:
        """Of the library."""

    def flags(self, plan: Plan) -> dict[str, str]:
        """What else an engine depends on."""

    def built(self, model: Path, manifest: Manifest, plan: Plan) -> bytes | None:
        """The engine; none where it reads the model itself."""

    def loaded(self, model: Path, manifest: Manifest, plan: Plan, engine: bytes | None) -> Network:
        """The network, warmed up."""


def opened(manifest: Manifest, runtime: str = "auto", precision: Precision = "fp32") -> Network:
    """The network of a model on the named runtime, or on the fastest that is installed and can read it.

    Raises InputError for weights that are missing, changed or no such network, and for a runtime that is not there.
    """
    from engines._engine import ready

    model = checked(manifest)
    chosen, why = chosen_runtime(model, runtime)
    network = ready(model, manifest, Plan(chosen, precision, is_brief=runtime == SOONEST))
    log.info("%s runs on %s, %s (%s)", manifest.name, chosen, network.device, why)
    return network


def checked(manifest: Manifest) -> Path:
    """The model's file, which is what its manifest says and needs nothing else; raises InputError."""
    model = weights(manifest)
    if model.suffix == ".onnx":
        checked_onnx(model, (file.name for file in manifest.files))
    return model


def runtime_of(name: str) -> Runtime:
    """The file of a runtime."""
    return cast(Runtime, import_module(f"engines.runtimes.{KINDS[name].file}"))


def chosen_runtime(model: Path, runtime: str = "auto", only_builds: bool = False) -> tuple[str, str]:
    """The runtime for a model's file, and why that one. Raises InputError where it can't be had, and, but where one
    `only_builds`, where its device is not there.
    """
    if runtime not in ("auto", SOONEST):
        return _named(model, runtime, only_builds), "as named"
    reading = [name for name, kind in KINDS.items() if model.suffix in kind.reads and _has_device(kind)]
    if not reading:
        raise InputError(f"{model}: no runtime reads {model.suffix}; export it as ONNX")
    there = [name for name in reading if find_spec(name)]
    if not there:
        raise InputError(f"{model}: nothing that reads it is installed; {_install(reading[0])}")
    if "onnxruntime" in there and (found := gpu()) and not KINDS[there[0]].needs_gpu and _has_cuda():
        return "onnxruntime", f"its CUDA provider is installed, for {found.name}"
    if runtime == SOONEST and "onnxruntime" in there:
        return "onnxruntime", "it is open soonest"
    return there[0], f"the first that is installed of {', '.join(reading)}"


def installed() -> list[str]:
    """The runtimes that can run here."""
    return [name for name, kind in KINDS.items() if find_spec(name) and _has_device(kind)]


def _named(model: Path, runtime: str, only_builds: bool) -> str:
    if runtime not in KINDS:
        raise InputError(f"runtime: there is no {runtime!r}{closest(runtime, ['auto', SOONEST, *KINDS])}")
    kind = KINDS[runtime]
    if model.suffix not in kind.reads:
        raise InputError(f"{model}: {runtime} reads {', '.join(kind.reads)} only; choose another runtime")
    if not find_spec(runtime):
        raise InputError(f"runtime: {runtime} is not installed; {_install(runtime)}")
    if not only_builds and not _has_device(kind):
        found = gpu()
        others = ", ".join(["auto", *installed()])
        wanted = (
            f" of compute capability {', '.join(kind.capabilities)}" if found else ", and there is none here"
        )
        here = f", and here is {found.name} of {found.capability}" if found else ""
        raise InputError(f"runtime: {runtime} needs an NVIDIA GPU{wanted}{here}; choose from {others}")
    return runtime


def _has_device(kind: Kind) -> bool:
    if not kind.needs_gpu:
        return True
    found = gpu()
    return found is not None and (not kind.capabilities or found.capability in kind.capabilities)


def _has_cuda() -> bool:
    from engines.runtimes.onnxruntime import uses_gpu

    return uses_gpu()


def _install(runtime: str) -> str:
    extra = KINDS[runtime].extra
    return f"it needs the {extra!r} extra: pip install '.[{extra}]'" if extra else f"pip install {runtime}"
