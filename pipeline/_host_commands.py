"""The commands of hosts that take part in a run which is begun elsewhere: `worker` and `keypair`."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer

from configs.build import ConfigError, closest
from pipeline.choices import Choices, cameras_of, graph_of
from pipeline.executors import zmq
from pipeline.executors._job import choices_of, plan_of, same
from pipeline.graph import Graph
from pipeline.graphfile import GraphFile
from pipeline.run import Run

log = logging.getLogger(__name__)


def worker(
    graph: Annotated[Path, typer.Option(help="The same as there.", metavar="GRAPH")],
    placement: Annotated[str, typer.Option(help="The same as there.", metavar="NAME")],
    host: Annotated[str, typer.Option(help="Which of its hosts this one is.", metavar="HOST")],
) -> None:
    """Take part, as a host of a placement, in one run that is begun on its first host."""
    file = GraphFile.read(graph)
    plan = plan_of(file, placement)
    if host not in plan.others:
        raise ConfigError(
            f"--host: {plan.path} has no host {host!r} beside the first{closest(host, plan.others)}"
        )
    running: list[Run] = []

    def stop(_number: int, _frame: FrameType | None) -> None:
        if not running or running[0].is_finishing:
            raise KeyboardInterrupt
        running[0].finish()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)

    def placed(job: Mapping[str, Any]) -> Graph:
        choices = Choices(**choices_of(job))
        given = graph_of(file, choices, cameras_of(file, choices))
        plan.check(given)
        return given

    zmq.serve(plan, host, same(file, plan), placed, running.append)
    log.warning("host %s: the run has ended", host)


def keypair(
    file: Annotated[Path, typer.Argument(help="For the secret key; nobody else may read it.")],
) -> None:
    """Make a key for a host: the secret one into a file, the public one onto the screen."""
    from zmq import curve_keypair

    public, secret = curve_keypair()
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
            opened.write(secret + b"\n")
    except FileExistsError as error:
        raise ConfigError(f"{file}: is there already; name a new file, or remove it yourself") from error
    except OSError as error:
        raise ConfigError(
            f"{file}: cannot be written, {(error.strerror or '').lower()}; choose another place"
        ) from error
    typer.echo(public.decode())
