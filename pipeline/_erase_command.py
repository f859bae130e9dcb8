"""The command that takes somebody out of a site."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from pipeline.erasure import erase


def erase_identity(
    identity: Annotated[str, typer.Argument(help="As events call them, P-...", metavar="IDENTITY")],
    folder: Annotated[Path, typer.Option("--out", help="The folder of the run.", metavar="DIR")],
    within: Annotated[float, typer.Option(help="Wait so long for a run at work.", min=0, metavar="S")] = 30.0,
) -> None:
    """Erase somebody, for good: what they look like, in memory and on the disk, and the key it was sealed with.

    Where a run is at work in the folder it is asked to, and waited for.
    """
    names = erase(folder, identity, within)
    others = f", who was also called {', '.join(names[1:])}" if names[1:] else ""
    Console(highlight=False).print(f"{names[0]}{others}: erased", soft_wrap=True, markup=False)
