"""What runtimes make of networks: built, compared with fp32 on another runtime, and timed, from an array in memory to
an array in memory.

It knows of one runtime at a time, and not how rows are shown.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray
from resnet import resnet50

from configs.build import InputError
from engines._comparison import Comparison
from engines._manifest import Manifest, manifest, models
from engines._network import Outputs, Port, checked, installed, runtime_of
from engines._plan import Plan, Precision
from engines.runtimes._cuda import gpu
from engines.runtimes._parallel import noise
from engines.runtimes.torch import module

ON_GPU, ON_CPU = (1, 2, 4, 8, 16, 32, 64, 128, 256), (1, 8, 32)
ONE_BY_ONE = 32  # a network that takes one picture at once is timed with no more: it gets no quicker
PROFILE = (1, 64, 256)
ROUNDS, LEAST_S = 3, 0.1
EAGER, COMPILED = "torch as it comes", "torch.compile"
BEGUN = "was not finished"
REFERENCES = ("onnxruntime", "torch")


@dataclass
class Row:
    """A network on a runtime at a precision."""

    network: str
    runtime: str
    precision: str
    version: str = ""  # of the runtime
    device: str = ""
    layers: str = ""
    build_s: float = 0.0
    engine_mb: float | None = None
    alike: str = ""  # a cosine, or a share of rows
    per_s: dict[int, float] = field(default_factory=dict)  # pictures, by size of batch
    wrong: str = ""


def rows_of(runtime: str, named: Sequence[str], folder: Path) -> Iterator[Row]:
    """Of every network, or of those that are named, at every precision that needs no pictures to tune on; each twice:
    begun, and done.
    """
    library = "torch" if runtime in (EAGER, COMPILED) else runtime
    for model, described in networks(folder):
        for precision in precisions_of(runtime) if described.name in named or not named else ():
            row = Row(described.name, runtime, precision, runtime_of(library).version(library))
            yield replace(row, wrong=BEGUN)
            yield made(row, model, described)


def networks(folder: Path) -> Iterator[tuple[Path, Manifest]]:
    """The models in ONNX whose weights are here; and one of the usual size that takes any batch."""
    for described in map(manifest, models()):
        try:
            model = checked(described)
        except InputError:  # its weights are not here
            continue
        if model.suffix == ".onnx":
            yield model, described
    yield resnet50(folder)


def precisions_of(runtime: str) -> tuple[str, ...]:
    """Those that are timed."""
    if runtime == EAGER and not gpu():
        return ()  # there it runs as ours does
    if runtime in (EAGER, COMPILED):
        return ("fp32", "fp16", "bf16") if gpu() else ("fp32",)
    return tuple(one for one in runtime_of(runtime).precisions() if one != "int8")


def made(row: Row, model: Path, described: Manifest) -> Row:
    """A row; a runtime that fails is a row too."""
    way = of_torch if row.runtime in (EAGER, COMPILED) else of_runtime
    try:
        return way(model, described, row)
    except Exception as error:  # whatever a library raises on a device that it was never tried on
        return replace(row, wrong=(str(error).splitlines() or [repr(error)])[0][:400])


def of_runtime(model: Path, described: Manifest, row: Row) -> Row:
    """As a graph would run it."""
    precision: Precision = row.precision  # type: ignore[assignment]
    plan, runtime = Plan(row.runtime, precision, PROFILE), runtime_of(row.runtime)
    began = time.perf_counter()
    engine = runtime.built(model, described, plan)
    network = runtime.loaded(model, described, plan, engine)
    took_s = time.perf_counter() - began
    with closing(network):
        row = replace(row, device=network.device, layers=network.layers, build_s=took_s)
        row = replace(row, engine_mb=len(engine) / 1e6 if engine else None)
        return timed(row, model, described, network)


def of_torch(model: Path, described: Manifest, row: Row) -> Row:
    """PyTorch as it comes, or with its own compiler, on the same network, with the same copies there and back."""
    began = time.perf_counter()
    network = Torch(model, described, row)
    network(noise(described.input, 2).astype(np.float32))
    took_s = time.perf_counter() - began
    device = f"GPU, {found.name}" if (found := gpu()) else "CPU"
    return timed(replace(row, device=device, build_s=took_s), model, described, network)


class Torch:
    """The module of a network, called as PyTorch's users would."""

    def __init__(self, model: Path, described: Manifest, row: Row) -> None:
        import torch

        torch.backends.cudnn.allow_tf32 = False  # as our runtime at fp32
        self._where, self._torch = "cuda" if gpu() else "cpu", torch
        self._dtype = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}[row.precision]
        network, self.inputs, outputs = module(model)
        self._network, self._outputs = network.to(self._where, self._dtype), list(outputs)
        self._fixed = next(iter(self.inputs.values())).shape[0]
        if row.runtime == COMPILED:
            self._network = self._compiled(described)

    def __call__(self, batch: NDArray[Any]) -> Outputs:
        fixed, torch = self._fixed, self._torch
        parts = [batch[at : at + fixed] for at in range(0, len(batch), fixed)] if fixed else [batch]
        with torch.inference_mode():
            given = [self._network(torch.from_numpy(part).to(self._where).to(self._dtype)) for part in parts]
            joined = [torch.cat(of_one).float().cpu().numpy() for of_one in zip(*given, strict=True)]
        return dict(zip(self._outputs, joined, strict=True))

    def _compiled(self, described: Manifest) -> Any:
        torch, rows = self._torch, self._fixed or 2
        first = torch.rand((rows, *described.input.shape), device=self._where, dtype=self._dtype)
        sizes = None if self._fixed else (({0: torch.export.Dim.DYNAMIC},),)
        traced = torch.export.export(self._network, (first,), dynamic_shapes=sizes)
        return torch.compile(traced.module(), dynamic=None if self._fixed else True)


def timed(row: Row, model: Path, described: Manifest, network: Any) -> Row:
    """How it compares on noise with fp32 on another runtime, and pictures a second by size of batch."""
    row = replace(row, **alike(row, model, described, network))
    port: Port = next(iter(network.inputs.values()))
    sizes = [size for size in (ON_GPU if gpu() else ON_CPU) if not port.shape[0] or size <= ONE_BY_ONE]
    batch = noise(described.input, sizes[-1]).astype(port.dtype)
    return replace(row, per_s={size: pictures_per_s(network, batch[:size]) for size in sizes})


def alike(row: Row, model: Path, described: Manifest, network: Any) -> Mapping[str, str]:
    """As it is said, and what is wrong with that."""
    name = next((name for name in REFERENCES if name in installed() and name != row.runtime), None)
    if name is None:
        return {"alike": "compared with nothing"}
    with closing(runtime_of(name).loaded(model, described, Plan(name), None)) as other:
        compared = Comparison(described, other, row.precision).on_noise(network)
    said = compared.said.removeprefix("cosine ").removesuffix(" on noise").replace(" of rows alike", "")
    return {"alike": said, "wrong": "" if compared.is_good else "is not like fp32"}


def pictures_per_s(run: Callable[[NDArray[Any]], Any], batch: NDArray[Any]) -> float:
    """The median of several rounds, each of at least so many seconds."""
    run(batch)
    began = time.perf_counter()
    run(batch)
    times = max(1, round(LEAST_S / (time.perf_counter() - began)))
    took = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        for _ in range(times):
            run(batch)
        took.append((time.perf_counter() - began) / times)
    return len(batch) / median(took)
