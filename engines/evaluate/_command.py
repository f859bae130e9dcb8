"""The command that scores a run, or results of anybody's, against the truth."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from configs.build import InputError

SIZE = re.compile(r"([1-9]\d{0,4})x([1-9]\d{0,4})")


def evaluate(  # noqa: PLR0913
    events: Annotated[Path, typer.Argument(help="A run's events.jsonl; or MOT results.", metavar="EVENTS")],
    truth: Annotated[Path, typer.Option(help="A folder or a file of truth.", metavar="TRUTH")],
    report: Annotated[Path | None, typer.Option(help="Draw a page too.", metavar="FILE.html")] = None,
    pictures: Annotated[
        Path | None, typer.Option(help="Show people in it: their videos or pictures.", metavar="DIR")
    ] = None,
    camera: Annotated[str, typer.Option(help="Of the run, that a MOT truth is about.", metavar="NAME")] = "",
    size: Annotated[str, typer.Option(help="Of the picture that a MOT truth is for.", metavar="WxH")] = "",
) -> None:
    """Score a run against the truth: HOTA, IDF1, MOTA of each camera, and identities across cameras.

    Truth is a folder with truth/, a MOT gt.txt, a folder of MOT17 or MOT20, of WILDTRACK, or SceneScape's gtLoc.json.
    """
    if pictures is not None and report is None:
        raise InputError("--pictures: are shown in a report; add --report FILE.html")
    asked = SIZE.fullmatch(size)
    if size and asked is None:
        raise InputError(f"--size: must be like 768x576, got {size!r}")
    size_px = (int(asked[1]), int(asked[2])) if asked else None
    print_scores(events, truth, report, pictures, camera, size_px)


def print_scores(  # noqa: PLR0913
    events: Path,
    truth: Path,
    report: Path | None = None,
    pictures: Path | None = None,
    camera: str = "",
    size_px: tuple[int, int] | None = None,
) -> None:
    """Print the tables of what came of a run; and write the page where one is asked for."""
    from engines.evaluate.evaluation import evaluate as evaluated
    from engines.evaluate.tables import tables_of

    out = Console(highlight=False)
    try:
        found = evaluated(events, truth, size_px, camera)
        tables = tables_of(found)
        if report is not None:
            from engines.evaluate.report import write_report

            write_report(report, f"{events} against {truth}", found, tables, pictures, size_px)
    except ValueError as error:
        raise InputError(str(error)) from error
    for one in tables:
        table = Table(*one.headers, title=one.title)
        for row in one.rows:
            table.add_row(*row)
        out.print(table)
    if report is not None:
        out.print(f"report: {report}", soft_wrap=True)
