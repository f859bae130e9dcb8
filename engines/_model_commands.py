"""The commands about models: tables of them and of what runs them, and one that is compiled before a graph needs it."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from configs.build import InputError
from engines._cache import recipes
from engines._manifest import Manifest, manifest
from engines._manifest import models as names
from engines._network import KINDS, Kind
from engines._plan import Precision
from engines._recorded import runs
from engines._weights import folder_of, weights
from engines._weights import trust as trust_files
from engines.runtimes._cuda import gpu

MODELS = ("model", "task", "weights", "compiled for", "licence")
RUNTIMES = ("runtime", "on", "here", "has run on")
NEVER = "built, never run"


def models(
    trust: Annotated[str, typer.Option(help="Vouch for its files.", metavar="MODEL")] = "",
) -> None:
    """List the models that can be named, whether their weights are there, what they are compiled for; and runtimes."""
    console = Console(highlight=False)
    if trust:
        console.print(f"{trust}: trusted from now on, {trust_files(trust)}", soft_wrap=True)
        return
    rows = [
        (one.name, one.task, _weights(one), _compiled(one) or "-", one.licence)
        for one in map(manifest, names())
    ]
    console.print(_table("Models", MODELS, rows))
    console.print(_table("Runtimes", RUNTIMES, _runtimes()))


def compile_model(  # noqa: PLR0913
    model: Annotated[str, typer.Argument(help="One of 'models'.", metavar="MODEL")],
    runtime: Annotated[str, typer.Option(help="Else the fastest here.", metavar="NAME")] = "auto",
    precision: Annotated[Precision, typer.Option(help="At which its layers compute.")] = "fp32",
    batch: Annotated[str, typer.Option(help="Smallest, usual, largest: 1,16,64.", metavar="N,N,N")] = "",
    calibrate: Annotated[
        Path | None, typer.Option(help="Pictures to tune on and to compare on.", metavar="DIR")
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(help="Who is in the pictures: a MOT gt.txt.", metavar="FILE")
    ] = None,
) -> None:
    """Compile a model for this machine, before a graph needs it, and compare it with fp32."""
    from engines._compile import Asked, compile_for  # late: no other command needs it

    asked = Asked(runtime, precision, batch, calibrate, labels)
    screen = Console(stderr=True)
    columns = SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_interactive) as progress:
        task = progress.add_task("look", total=None)

        def shown(step: str, done: int = 0, total: int | None = None) -> None:
            progress.update(task, description=step, completed=done, total=total)

        sentence = compile_for(manifest(model), asked, shown)
    Console(highlight=False).print(f"{model}: {sentence}", soft_wrap=True, markup=False)


def _table(title: str, headers: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(*headers, title=title)
    for column in table.columns:  # a name is there to be typed
        column.overflow, column.no_wrap = "fold", column.header == headers[0]
    for row in rows:
        table.add_row(*map(escape, row))
    return table


def _weights(one: Manifest) -> str:
    if folder_of(one) is None:
        return "missing"
    if not all(file.sha256 for file in one.files):
        return "not trusted"
    try:
        return f"in {weights(one).parent}"
    except InputError:
        return "changed"


def _compiled(one: Manifest) -> str:
    """The runtimes and precisions that the weights which its manifest names are compiled for."""
    files = {file.name: file.sha256 for file in one.files}
    return ", ".join(f"{made.runtime} {made.precision}" for made in recipes(one.name) if made.files == files)


def _runtimes() -> list[tuple[str, str, str, str]]:
    """A runtime on each kind of device that it can use."""
    seen = {(run.runtime, run.kind): run for run in runs()}
    rows = []
    for name, kind in KINDS.items():
        for on in kind.runs_on:
            run = seen.get((name, on))
            rows.append((name, on, _here(name, kind, on), f"{run.device}, {run.version}" if run else NEVER))
    return rows


def _here(name: str, kind: Kind, on: str) -> str:
    if not find_spec(name):
        return "not installed: pip install " + (f"'.[{kind.extra}]'" if kind.extra else name)
    if on == "GPU" and gpu() is None:
        return "no NVIDIA GPU"
    return "yes"
