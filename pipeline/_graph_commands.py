"""The commands that look at a graph and open nothing: `check`, `show` and `schema`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from configs.read import write
from pipeline.drawing import as_svg, as_text
from pipeline.graph_schema import graph_schema
from pipeline.graphfile import GraphFile
from pipeline.schema import event_schemas

GraphArgument = Annotated[Path, typer.Argument(help="Like configs/topview_rgbd.yaml.", metavar="GRAPH")]
out = Console(highlight=False)


def check(graph: GraphArgument) -> None:
    """Say whether a graph can run, without opening a camera, a file or a model."""
    checked = GraphFile.read(graph).graph()
    cameras = len(checked.sources)
    out.print(f"{graph}: good, {cameras} cameras and {len(checked.nodes) - cameras} stages", soft_wrap=True)


def show(
    graph: GraphArgument,
    svg: Annotated[Path | None, typer.Option(help="Draw it into this file.", metavar="FILE")] = None,
) -> None:
    """Draw a graph: what runs, what feeds what, what travels between."""
    checked = GraphFile.read(graph).graph()
    if svg is None:
        out.print(as_text(checked), markup=False, soft_wrap=True)
    else:
        _write(svg, as_svg(checked))


def schema(
    events: Annotated[
        Path | None, typer.Option(help="Write the schemas of all events into this folder.", metavar="DIR")
    ] = None,
) -> None:
    """Print the JSON Schema of graph files, for editors; or write those of the events."""
    if events is None:
        typer.echo(json.dumps(graph_schema(), indent=2))
        return
    for name, made in event_schemas().items():
        _write(events / f"{name}.json", json.dumps(made, indent=2) + "\n")


def _write(path: Path, text: str) -> None:
    write(path, text)
    out.print(str(path), soft_wrap=True)
