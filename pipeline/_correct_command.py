"""The command by which an operator says who is who."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from pipeline.correction import correct
from pipeline.stage import InputError

Two = Annotated[
    tuple[str, str] | None,
    typer.Option("--merge", help="Two identities, P-..., are one.", metavar="ONE OTHER"),
]
One = Annotated[
    tuple[str, str] | None,
    typer.Option("--split", help="This tracklet, T-..., is not theirs.", metavar="IDENTITY TRACKLET"),
]


def correct_identity(
    folder: Annotated[Path, typer.Option("--out", help="The folder of the run.", metavar="DIR")],
    merge: Two = None,
    split: One = None,
    within: Annotated[float, typer.Option(help="Wait so long for a run at work.", min=0, metavar="S")] = 30.0,
) -> None:
    """Say who is who: two identities are one person, or a tracklet is somebody else's. No review undoes it.

    Where a run is at work in the folder it is asked to, and waited for.
    """
    if (merge is None) == (split is None):
        raise InputError("correct: give either --merge ONE OTHER or --split IDENTITY TRACKLET")
    out = Console(highlight=False)
    if merge:
        *gone, stays = correct(folder, "merge", *merge, within)
        out.print(f"{', '.join(gone)}: is {stays} from now on", soft_wrap=True, markup=False)
    elif split:
        *_, new = correct(folder, "split", *split, within)
        out.print(f"{split[1]}: is of somebody new from now on, {new}", soft_wrap=True, markup=False)
