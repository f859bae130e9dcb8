"""The command `tail`: prints the events of a run or a site, all or some, once or on and on."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from configs.build import InputError

# a wheel of its own, which nobody needs to install who runs this from the repository
sys.path.append(str(Path(__file__).parent / "python"))

from sightline_client import Gap, SightlineError, Subscription, subscribe  # noqa: E402

from clients._forms import FORMS  # noqa: E402
from clients._wanted import Wanted, since_ns  # noqa: E402

Source = Annotated[str, typer.Argument(help="A run's folder or log; kafka:// or zmq://.", metavar="SOURCE")]
Words = list[str] | None


def tail(  # noqa: PLR0913
    source: Source,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Wait for more.", metavar="")] = False,
    type: Annotated[Words, typer.Option(help="Like identity, appeared.", metavar="WORD")] = None,
    camera: Annotated[Words, typer.Option(help="Only of this one.", metavar="NAME")] = None,
    identity: Annotated[Words, typer.Option(help="Only of this one.", metavar="ID")] = None,
    since: Annotated[str, typer.Option(help="Like 10m, or 2026-01-31T12:00.", metavar="WHEN")] = "",
    form: Annotated[str, typer.Option("--format", help="json, table, csv, parquet.", metavar="NAME")] = "",
    out: Annotated[Path | None, typer.Option(help="Into this file.", metavar="FILE")] = None,
    backlog: Annotated[Path | None, typer.Option(help="The run's log, for zmq://.", metavar="DIR")] = None,
    position: Annotated[Path | None, typer.Option(help="Go on where it says.", metavar="FILE")] = None,
) -> None:
    """Print the events of a run's folder or log, of a site on Kafka, of a running graph over ZeroMQ."""
    name = form or ("table" if out is None and sys.stdout.isatty() else "json")
    if name not in FORMS:
        raise InputError(f"--format: must be one of {', '.join(FORMS)}, got {name!r}")
    wanted = Wanted(type or (), camera or (), identity or (), since_ns(since, datetime.now(UTC)))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # what is begun is finished
    try:
        with subscribe(
            source, follow=follow, backlog=backlog, position=position, on_gap=_say, skip_damaged=True
        ) as loop:
            _print(loop, wanted, name, out)
    except SightlineError as error:
        raise InputError(str(error)) from error
    except BrokenPipeError:  # whoever reads has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _print(loop: Subscription, wanted: Wanted, form: str, out: Path | None) -> None:
    printing = FORMS[form](out)
    try:
        with suppress(KeyboardInterrupt):
            for event in loop:
                if wanted.includes(event):
                    printing.put(event)
    finally:
        printing.finish()


def _say(gap: Gap) -> None:
    Console(stderr=True, soft_wrap=True, highlight=False).print(str(gap), markup=False)
