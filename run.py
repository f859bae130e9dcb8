"""Sightline's command line: python run.py --graph configs/topview_rgbd.yaml"""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Mapping
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

if __name__ == "__main__":  # until a run begins, and after it: nothing needs an end or a word
    signal.signal(signal.SIGINT, lambda *_: os._exit(130))

import typer
from rich.console import Console
from typer.core import TyperGroup

from configs.build import ConfigError, InputError
from pipeline._simulated_options import Fps, People, Seconds, Seed
from pipeline.progress import ConsoleHandler

INTERRUPTED = 128 + signal.SIGINT
COMMANDS = {  # in the order of --help: where each is
    "simulate": "pipeline._run_commands:simulate",
    "record": "pipeline._run_commands:record",
    "check": "pipeline._graph_commands:check",
    "show": "pipeline._graph_commands:show",
    "schema": "pipeline._graph_commands:schema",
    "worker": "pipeline._host_commands:worker",
    "keypair": "pipeline._host_commands:keypair",
    "tail": "clients.tail:tail",
    "top": "pipeline.top:top",
    "follow": "pipeline._follow_command:follow",
    "who": "pipeline._follow_command:who",
    "search": "pipeline._search_command:search",
    "models": "engines._model_commands:models",
    "compile": "engines._model_commands:compile_model",
    "train": "engines.reid._train_command:train",
    "eval-reid": "engines._reid_commands:eval_reid",
    "erase": "pipeline._erase_command:erase_identity",
    "eval": "engines.evaluate._command:evaluate",
    "correct": "pipeline._correct_command:correct_identity",
}


class Commands(TyperGroup):
    """Each command is imported when it is asked for: most need little of what the others do."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands: dict[str, Any] = dict.fromkeys(COMMANDS)  # their names alone

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """One of them, or none."""
        if cmd_name not in COMMANDS:
            return None
        module, _, function = COMMANDS[cmd_name].partition(":")
        alone = typer.Typer(add_completion=False)
        alone.command(cmd_name)(getattr(import_module(module), function))
        return typer.main.get_command(alone)


HELP = {"help_option_names": ["-h", "--help"]}
app = typer.Typer(cls=Commands, add_completion=False, pretty_exceptions_enable=False, context_settings=HELP)
err = Console(stderr=True, soft_wrap=True, highlight=False)

Flag: Any = partial(typer.Option, metavar="")
Port = Annotated[int | None, typer.Option(help="Of /metrics.", min=1, max=65535, metavar="PORT")]


@app.callback(invoke_without_command=True)
def main(  # noqa: PLR0913
    context: typer.Context,
    graph: Annotated[Path | None, typer.Option(help="Run this graph.", metavar="GRAPH")] = None,
    replay: Annotated[Path | None, typer.Option(help="Recordings instead of cameras.", metavar="DIR")] = None,
    simulate: Annotated[bool, Flag("--simulate", help="Simulated people, no cameras.")] = False,
    folder: Annotated[Path | None, typer.Option("--out", help="Results; else var/.", metavar="DIR")] = None,
    speed: Annotated[float, typer.Option(help="Times real time; 0: full speed.", min=0, metavar="N")] = 0.0,
    positions: Annotated[bool, Flag("--positions", help="Log every position, for eval.")] = False,
    picture: Annotated[bool, Flag("--picture", help="Draw a picture, of real people too.")] = False,
    video: Annotated[Path | None, typer.Option(help="Film who is followed.", metavar="FILE")] = None,
    executor: Annotated[str, typer.Option(help="threads, processes or inline; else what suits.")] = "",
    placement: Annotated[str, typer.Option(help="Of nodes on hosts.", metavar="NAME")] = "",
    metrics: Port = None,
    people: People = 12,
    seconds: Seconds = 120.0,
    fps: Fps = 10.0,
    seed: Seed = 1,
) -> None:
    """Follow people across cameras without knowing who they are.

    Without a command, runs a graph: on live cameras, or on recordings (--replay), or on simulated people (--simulate).
    """
    if context.invoked_subcommand is not None:
        return
    if graph is None:
        raise ConfigError("--graph: is missing; try --graph configs/topview_rgbd.yaml --simulate, or --help")
    from pipeline._run_commands import Choices, run_graph  # late: few commands need what a run does

    crowd = {"people": people, "seconds": seconds, "fps": fps, "seed": seed}
    choices = Choices(
        replay=replay,
        simulate=_simulated(context, crowd),
        speed=speed,
        executor=executor,
        placement=placement,
        positions=positions or simulate,
        is_drawn=picture or simulate,
        video=video,
    )
    raise typer.Exit(run_graph(graph, choices, folder, metrics))


def _simulated(context: typer.Context, crowd: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The people, or none. Raises ConfigError where some are asked for without --simulate."""
    if context.params["simulate"]:
        return crowd
    asked = [name for name in crowd if "COMMANDLINE" in str(context.get_parameter_source(name))]
    if asked:
        raise ConfigError(f"--{asked[0]}: is for simulated people; leave it out, or add --simulate")
    return None


def start() -> int:
    """Run the command line; a mistake of its user's is one line and status 2, a failing stage status 1."""
    logging.basicConfig(format="%(levelname)s: %(message)s", handlers=[ConsoleHandler(err)])
    os.umask(0o077)  # what is written shows people, or where they were: for nobody else
    try:
        return int(app(standalone_mode=False) or 0)  # what an Exit says is returned here
    except typer.TyperException as mistake:
        said = mistake.format_message().rstrip(".")
        err.print(f"{said[:1].lower()}{said[1:]}; try --help", markup=False)
        return 2
    except _failures() as failure:
        err.print(str(failure), markup=False)
        return 2 if isinstance(failure, _mistakes()) else 1


def _failures() -> tuple[type[Exception], ...]:
    from pipeline.instances import StageError

    return (*_mistakes(), StageError)


def _mistakes() -> tuple[type[Exception], ...]:
    from calibration.manifest import ManifestError
    from pipeline._store_file import StoreError
    from pipeline.publish._lines import LogError

    return ConfigError, InputError, LogError, ManifestError, StoreError


if __name__ == "__main__":
    status = start()
    if status == INTERRUPTED:  # whoever is stuck, perhaps inside a library, is not waited for
        sys.stdout.flush()
        os._exit(status)
    sys.exit(status)
