"""The command that trains a method of person re-identification on a data set."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import file_digest
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from configs.build import ConfigError, InputError
from engines.reid.data._records import opened


def train(  # noqa: PLR0913
    recipe: Annotated[
        Path, typer.Argument(help="Like configs/reid/clip_reid_market1501.yaml.", metavar="RECIPE")
    ],
    folder: Annotated[
        Path, typer.Option("--out", help="A new folder, or of a training that goes on.", metavar="DIR")
    ],
    data: Annotated[Path | None, typer.Option(help="Where the data set lies.", metavar="DIR")] = None,
    weights: Annotated[Path | None, typer.Option(help="Of CLIP, to begin with.", metavar="FILE")] = None,
    device: Annotated[
        str, typer.Option(help="cpu or cuda; else the GPU if there is one.", metavar="NAME")
    ] = "",
    onnx: Annotated[Path | None, typer.Option(help="Write it as ONNX too.", metavar="FILE")] = None,
) -> None:
    """Train a network that tells people apart. Ended at any moment, the same command goes on.

    Needs the 'torch' extra.
    """
    if not find_spec("torch"):
        raise ConfigError("train: PyTorch is not installed; pip install '.[torch]'")
    from engines.reid.export import export  # late: no other command needs PyTorch
    from engines.reid.fit import Training
    from engines.reid.recipe import read_recipe, settings_of

    asked = read_recipe(recipe)
    method = _method(asked, recipe, weights, onnx)
    task = _task(asked, recipe, data, method, _device(device))
    task.seed_all()
    try:
        network = method.network(task.people_count, task.camera_count)
    except ValueError as error:
        raise ConfigError(f"{recipe}: settings: {error}") from error
    with _shown(Console(stderr=True, soft_wrap=True)) as shown:
        training = Training(folder, network, task, _told(asked, settings_of(method), task, weights), shown)
        path = training.fit(method.phases(network, task))
    out = Console(highlight=False)
    out.print(str(path), soft_wrap=True)
    if onnx is not None:
        out.print(str(export(method, network.cpu(), onnx)), soft_wrap=True)


def _method(asked: Any, recipe: Path, weights: Path | None, onnx: Path | None) -> Any:
    from engines.reid.recipe import method_of

    method = method_of(asked.method, asked.settings, f"{recipe}: settings", str(weights or ""))
    if method.lacks_weights:
        raise InputError(f"--weights: is missing; {asked.method} begins with a file of CLIP's weights")
    if onnx is not None and not hasattr(method, "look"):
        raise InputError(f"--onnx: {asked.method} is no network for single pictures; leave it out")
    return method


def _task(asked: Any, recipe: Path, data: Path | None, method: Any, device: str) -> Any:
    data_set = opened(asked.data_set, asked.data_settings, (f"{recipe}: data_set", "--data"), data)
    is_mixed = asked.precision == "bf16" and _is_16_bit(device)
    return method.task(
        data_set.train(), seed=asked.seed, device=device, is_mixed=is_mixed, open=data_set.picture
    )


def _told(asked: Any, settings: dict[str, Any], task: Any, weights: Path | None) -> dict[str, Any]:
    """What must be the same whenever the training goes on, as JSON gives it back."""
    told = {
        "method": asked.method,
        "settings": settings,
        "weights": _sha256(weights) if weights else "",
        "seed": asked.seed,
        "precision": "bf16" if task.is_mixed else "fp32",
        "data": task.fingerprint,
        "people": task.people_count,
        "cameras": task.camera_count,
    }
    return dict(json.loads(json.dumps(told)))


@contextmanager
def _shown(console: Console) -> Iterator[Callable[[Any, int, int], None]]:
    """A bar on a terminal, and a line for every epoch."""
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, transient=True, disable=not console.is_interactive) as progress:
        bar = progress.add_task("begin", total=None)

        def shown(place: Any, epochs: int, steps: int) -> None:
            said = f"{place.phase} {place.epoch}/{epochs}"
            progress.update(bar, description=said, completed=place.step, total=steps)
            if place.step == steps:
                means = ", ".join(f"{name} {total / steps:.4g}" for name, total in place.sums.items())
                console.print(f"{said}: {means}", markup=False, highlight=False)

        yield shown


def _device(name: str) -> str:
    import torch

    there = torch.cuda.is_available()
    if name not in ("", "cpu", "cuda"):
        raise InputError(f"--device: must be cpu or cuda, got {name!r}")
    if name == "cuda" and not there:
        raise InputError("--device: there is no GPU that PyTorch can use; leave it out, or say cpu")
    return name or ("cuda" if there else "cpu")


def _is_16_bit(device: str) -> bool:
    """Whether it multiplies bfloat16 faster than float32."""
    import torch

    return device != "cpu" or torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path}: cannot be read, {error.strerror}; name a file of weights") from error
