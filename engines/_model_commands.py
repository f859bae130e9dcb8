"""The commands about models: a table of them all, and one that is compiled before a graph needs it."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from configs.build import InputError
from engines._cache import recipes
from engines._manifest import Manifest, manifest
from engines._manifest import models as names
from engines._network import ONLY_BUILT, checked, opened
from engines._weights import folder_of, weights
from engines.runtimes.tensorrt import build

HEADERS = ("model", "task", "weights", "compiled for", "licence")


def models() -> None:
    """List the models that can be named: whether their weights are there, and what they are compiled for."""
    table = Table(*HEADERS, title="Models")
    for column in table.columns:  # a name is there to be typed
        column.overflow, column.no_wrap = "fold", column.header == HEADERS[0]
    for one in map(manifest, names()):
        table.add_row(one.name, one.task, _weights(one), _compiled(one) or "-", one.licence)
    Console(highlight=False).print(table)


def compile_model(
    model: Annotated[str, typer.Argument(help="One of 'models'.", metavar="MODEL")],
    runtime: Annotated[str, typer.Option(help="Else the fastest here.", metavar="NAME")] = "auto",
) -> None:
    """Compile a model for this machine, before a graph needs it."""
    made = manifest(model)
    if runtime in ONLY_BUILT:
        compiled_for = build(checked(made), made, runtime).device
    else:
        network = opened(made, runtime)
        network.close()
        runtime, compiled_for = network.runtime, network.device
    is_kept = f"{runtime} fp32" in _compiled(made)
    said = "is compiled for" if is_kept else "has nothing compiled to keep, and runs on"
    Console(highlight=False).print(f"{model}: {said} {runtime}, {compiled_for}", soft_wrap=True)


def _weights(one: Manifest) -> str:
    if folder_of(one) is None:
        return "missing"
    try:
        return f"in {weights(one).parent}"
    except InputError:
        return "changed"


def _compiled(one: Manifest) -> str:
    """The runtimes and precisions that the weights which its manifest names are compiled for."""
    files = {file.name: file.sha256 for file in one.files}
    return ", ".join(f"{made.runtime} {made.precision}" for made in recipes(one.name) if made.files == files)
