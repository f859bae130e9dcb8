"""What runtimes make of networks on this machine, above all on a GPU: python benchmarks/gpu.py [--out FILE] [--record]

Each network is built for each runtime and precision, compared with fp32 on another runtime, and timed with batches of 1
to 256, from an array in memory to an array in memory. Where there is no GPU, what needs one is named as skipped. With
--record, the runtimes that were right are written into engines/runtimes/recorded.json.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from importlib.util import find_spec
from os import getloadavg
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
from numpy.typing import NDArray  # noqa: E402
from resnet import resnet50  # noqa: E402

from configs.build import InputError  # noqa: E402
from engines._comparison import Comparison  # noqa: E402
from engines._manifest import Manifest, manifest, models  # noqa: E402
from engines._network import KINDS, Network, checked, installed, runtime_of  # noqa: E402
from engines._plan import Plan, Precision  # noqa: E402
from engines._recorded import Run, record  # noqa: E402
from engines.runtimes._cuda import gpu  # noqa: E402
from engines.runtimes._parallel import noise  # noqa: E402
from engines.runtimes.torch import module  # noqa: E402

ON_GPU, ON_CPU = (1, 2, 4, 8, 16, 32, 64, 128, 256), (1, 8, 32)
PROFILE = (1, 64, 256)
ROUNDS, LEAST_S = 3, 0.2
COMPILED = "torch.compile"
REFERENCES = ("onnxruntime", "torch")


@dataclass
class Row:
    """A network on a runtime at a precision."""

    network: str
    runtime: str
    precision: str
    device: str = ""
    layers: str = ""
    build_s: float = 0.0
    engine_mb: float | None = None
    alike: str = ""  # a cosine, or a share of rows
    per_s: dict[int, float] = field(default_factory=dict)  # pictures, by size of batch
    wrong: str = ""


def main() -> None:
    """Measure, print and write."""
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("--out", type=Path, default=Path("var") / "gpu.json")
    asked.add_argument("--record", action="store_true")
    choices = asked.parse_args()
    sizes = ON_GPU if gpu() else ON_CPU
    rows: list[Row] = []
    with TemporaryDirectory() as folder:
        for model, described in networks(Path(folder)):
            rows += measured(model, described, sizes)
    skipped = list(not_here())
    told = {"gpu": asdict(found) if (found := gpu()) else None, "load": getloadavg(), "skipped": skipped}
    choices.out.parent.mkdir(parents=True, exist_ok=True)
    choices.out.write_text(json.dumps({**told, "rows": [asdict(row) for row in rows]}, indent=2) + "\n")
    show(rows, sizes, skipped)
    print(f"\n{choices.out}")
    if choices.record:
        write_down(rows)


def networks(folder: Path) -> Iterator[tuple[Path, Manifest]]:
    """The models whose weights are here, in ONNX, whose batch is 1; and one of the usual size that takes any batch."""
    for described in map(manifest, models()):
        try:
            model = checked(described)
        except InputError as error:
            print(f"skipped {described.name}: {error}", file=sys.stderr)
            continue
        if model.suffix == ".onnx":
            yield model, described
    yield resnet50(folder)


def measured(model: Path, described: Manifest, sizes: tuple[int, ...]) -> Iterator[Row]:
    """Every runtime that is here, at every precision that needs no pictures to tune on."""
    of_gpus = [name for name, kind in KINDS.items() if kind.needs_gpu and gpu() and find_spec(name)]
    for name in dict.fromkeys(
        [*of_gpus, *installed()]
    ):  # also on a GPU that it does not know: what does it do?
        for precision in runtime_of(name).precisions():
            if precision != "int8":
                yield shown(of_runtime, model, described, Row(described.name, name, precision), sizes)
    if "torch" in installed():
        for precision in ("fp32", "fp16") if gpu() else ("fp32",):
            yield shown(of_torch_compile, model, described, Row(described.name, COMPILED, precision), sizes)


def shown(way: Callable[..., Row], model: Path, described: Manifest, row: Row, sizes: tuple[int, ...]) -> Row:
    """A row, and that it is being made; a runtime that fails is a row too."""
    print(f"{row.network}, {row.runtime} {row.precision}", file=sys.stderr)
    try:
        return way(model, described, row, sizes)
    except Exception as error:  # whatever a library raises on a device that it was never tried on
        return replace(row, wrong=(str(error).splitlines() or [repr(error)])[0][:200])


def of_runtime(model: Path, described: Manifest, row: Row, sizes: tuple[int, ...]) -> Row:
    """As a graph would run it."""
    precision: Precision = row.precision  # type: ignore[assignment]
    plan, runtime = Plan(row.runtime, precision, PROFILE), runtime_of(row.runtime)
    began = time.perf_counter()
    engine = runtime.built(model, described, plan)
    network = runtime.loaded(model, described, plan, engine)
    took_s = time.perf_counter() - began
    try:
        made = replace(row, device=network.device, layers=network.layers, build_s=took_s)
        made = replace(made, engine_mb=len(engine) / 1e6 if engine else None)
        made = replace(made, **alike(model, described, plan, network))
        return replace(made, per_s=throughput(network, described, sizes))
    finally:
        network.close()


def alike(model: Path, described: Manifest, plan: Plan, network: Network) -> dict[str, str]:
    """How it compares on noise with fp32 on another runtime, and what is wrong with that."""
    name = next((name for name in REFERENCES if name in installed() and name != plan.runtime), None)
    if name is None:
        return {"alike": "compared with nothing"}
    with closing(runtime_of(name).loaded(model, described, Plan(name), None)) as other:
        compared = Comparison(described, other, plan.precision).on_noise(network)
    said = compared.said.removeprefix("cosine ").removesuffix(" on noise").replace(" of rows alike", "")
    return {"alike": said, "wrong": "" if compared.is_good else "is not like fp32"}


def of_torch_compile(model: Path, described: Manifest, row: Row, sizes: tuple[int, ...]) -> Row:
    """PyTorch's own compiler, on the same network, with the same copies there and back."""
    import torch

    where = "cuda" if gpu() else "cpu"
    dtype = torch.float16 if row.precision == "fp16" else torch.float32
    network, inputs, _ = module(model)
    fixed = next(iter(inputs.values())).shape[0]
    first = torch.rand((fixed or 2, *described.input.shape), device=where, dtype=dtype)
    sizes_of = None if fixed else ({0: torch.export.Dim.DYNAMIC},)
    traced = torch.export.export(
        network.to(where, dtype), (first,), dynamic_shapes=(sizes_of,) if sizes_of else None
    )
    run_it = torch.compile(traced.module())

    def run(batch: NDArray[Any]) -> NDArray[Any]:
        parts = [batch[at : at + fixed] for at in range(0, len(batch), fixed)] if fixed else [batch]
        with torch.inference_mode():
            given = [run_it(torch.tensor(part, device=where, dtype=dtype))[0] for part in parts]
            return torch.cat(given).float().cpu().numpy()

    began = time.perf_counter()
    batch = noise(described.input, 2).astype(np.float32)
    given = run(batch)
    took_s = time.perf_counter() - began
    with closing(runtime_of("torch").loaded(model, described, Plan("torch"), None)) as other:
        expected = next(iter(other(batch).values()))
    least = min(float(cosine(one, two)) for one, two in zip(given, expected, strict=True))
    per_s = {size: pictures_per_s(run, noise(described.input, size).astype(np.float32)) for size in sizes}
    device = found.name if (found := gpu()) else "CPU"
    return replace(row, device=device, build_s=took_s, alike=f"{least:.6f}", per_s=per_s)


def cosine(a: NDArray[Any], b: NDArray[Any]) -> Any:
    """Of two arrays."""
    one, other = a.ravel().astype(float), b.ravel().astype(float)
    return one @ other / np.linalg.norm(one) / np.linalg.norm(other)


def throughput(network: Network, described: Manifest, sizes: tuple[int, ...]) -> dict[int, float]:
    """Pictures a second, by size of batch."""
    port = next(iter(network.inputs.values()))
    return {size: pictures_per_s(network, noise(described.input, size).astype(port.dtype)) for size in sizes}


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


def not_here() -> Iterator[str]:
    """What was not measured, and why."""
    for name, kind in KINDS.items():
        for on in kind.runs_on:
            if on == "GPU" and gpu() is None:
                yield f"{name} on a GPU: there is no NVIDIA GPU here"
            elif name not in installed():
                yield f"{name} on a {on}: it is not installed"
            elif on == "CPU" and len(kind.runs_on) > 1 and gpu():
                yield f"{name} on a CPU: it takes the GPU where there is one"
    yield "int8: it is tuned on pictures; see run.py compile --precision int8"


def show(rows: list[Row], sizes: tuple[int, ...], skipped: list[str]) -> None:
    """The table, as in docs/benchmarks.md."""
    heads = ["network", "runtime", "build s", "MB", "alike", *(f"{size}" for size in sizes)]
    print("| " + " | ".join(heads) + " |\n|" + " --- |" * len(heads))
    for row in rows:
        cells = [row.network, f"{row.runtime} {row.precision}"]
        cells += [f"{row.build_s:.1f}", "-" if row.engine_mb is None else f"{row.engine_mb:.1f}", row.alike]
        cells += (
            [f"{row.per_s[size]:.0f}" for size in sizes]
            if row.per_s
            else [row.wrong, *[""] * (len(sizes) - 1)]
        )
        print("| " + " | ".join(cells) + " |")
    for sentence in skipped:
        print(f"skipped {sentence}")


def write_down(rows: list[Row]) -> None:
    """Each runtime that was right with every network at fp32."""
    for name in {row.runtime for row in rows} - {COMPILED}:
        of_it = [row for row in rows if row.runtime == name and row.precision == "fp32"]
        if of_it and not any(row.wrong for row in of_it):
            kind, _, device = of_it[0].device.partition(", ")
            record(Run(name, kind, device, runtime_of(name).version(name)))


if __name__ == "__main__":
    main()
