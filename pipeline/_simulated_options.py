"""What is asked of simulated people, as options of commands."""

from __future__ import annotations

from typing import Annotated, Any

import typer


def _crowd(text: str, least: float) -> Any:
    return typer.Option(help=text, min=least, metavar="N", rich_help_panel="Simulated people")


People = Annotated[int, _crowd("How many.", 0)]
Seconds = Annotated[float, _crowd("For how many seconds.", 0.1)]
Fps = Annotated[float, _crowd("Frames a second of each camera.", 0.1)]
Seed = Annotated[int, _crowd("Another number, other people.", 0)]
