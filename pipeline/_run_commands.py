"""Runs a graph, or records its cameras or simulated people, and says what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console

from calibration.manifest import Manifest, RecordedCamera, recorded
from calibration.manifest import write as write_manifest
from engines.evaluate._command import print_scores
from pipeline._simulated_options import Fps, People, Seconds, Seed
from pipeline._store_file import StoreError
from pipeline._tables import clock, printed, short
from pipeline.choices import RECORD, folder_of
from pipeline.choices import Choices as Choices
from pipeline.events import CODE_VERSION
from pipeline.graphfile import GraphFile
from pipeline.instances import StageError
from pipeline.progress import shown
from pipeline.publish._lines import LogError
from pipeline.publish.log import EVENTS
from pipeline.report import CUT_SHORT, Report, ledger_table
from pipeline.report import Path as Walk
from pipeline.session import Session
from pipeline.stage import InputError

SIMULATED = Path(__file__).parents[1] / "configs" / "topview_rgbd.yaml"  # whose cameras `simulate` records
NewFolder = Annotated[Path, typer.Option("--out", help="A new folder.", metavar="DIR")]
out = Console(highlight=False)
err = Console(stderr=True, soft_wrap=True, highlight=False)


def run_graph(graph: Path, choices: Choices, folder: Path | None, metrics: int | None) -> int:
    """Run it, print what came of it, and give the exit status."""
    file = GraphFile.read(graph)
    session = Session(file, choices, folder := folder or folder_of(file, choices))
    with _measured(session, metrics):
        status = _conduct(session)
    if session.had_ended:
        return status
    out.print(session.report.table(), ledger_table(session.ledger()))
    if choices.simulate is not None and status == 0:
        _write_truth(folder, choices.simulate, session)
        print_scores(folder / EVENTS, folder)
    out.print(f"events: {folder / EVENTS}", soft_wrap=True)
    if choices.is_drawn:
        path = _draw(session.report, folder / "picture.png", choices.simulate is not None)
        out.print(f"picture: {path}", soft_wrap=True)
    out.print("".join(f"video: {path}\n" for path in session.videos), end="", soft_wrap=True)
    return status


def simulate(  # noqa: PLR0913
    folder: NewFolder,
    people: People = 12,
    seconds: Seconds = 120.0,
    cameras: Annotated[int, typer.Option(help="How many of the four.", min=1, max=4, metavar="N")] = 4,
    fps: Fps = 10.0,
    seed: Seed = 1,
) -> None:
    """Record simulated people as RealSense files, with the truth beside them. Needs the 'realsense' extra."""
    crowd = {"people": people, "seconds": seconds, "fps": fps, "seed": seed}
    file = GraphFile.read(SIMULATED)
    choices = Choices(simulate=crowd, cameras=tuple(file.cameras)[:cameras], record=folder)
    session = Session(file, choices, folder)
    status = _conduct(session)
    out.print(ledger_table(session.ledger()))
    if status == 0:
        _write_truth(folder, crowd, session)
    _write_manifest(folder, session, "simulated")
    raise typer.Exit(status)


def record(
    graph: Annotated[Path, typer.Option(help="Its cameras are recorded.", metavar="GRAPH")],
    folder: NewFolder,
    seconds: Annotated[float | None, typer.Option(help="Else until Ctrl-C.", min=0.1, metavar="N")] = None,
) -> None:
    """Record the cameras of a graph, one RealSense .db3 each, and a manifest. Needs the 'realsense' extra."""
    session = Session(GraphFile.read(graph), Choices(record=folder, seconds=seconds), folder)
    status = _conduct(session)
    out.print(ledger_table(session.ledger()))
    _write_manifest(folder, session, "recorded")
    raise typer.Exit(status)


def _measured(session: Session, port: int | None) -> AbstractContextManager[None]:
    """While inside, /metrics answers on this port, if there is one."""
    if port is None:
        return nullcontext()
    from pipeline.metrics import Metrics, served

    run, presence = lambda: session.run, lambda: session.report.presence
    return served(Metrics(session.graph, run, presence, session.store.waiting), port)


def _conduct(session: Session) -> int:
    try:
        with shown(session.progress, err):
            return session.conduct(say=_say)
    except (InputError, LogError, StageError, StoreError):
        if session.run.frames:
            out.print(ledger_table(session.ledger(), CUT_SHORT))
        raise


_say = partial(err.print, markup=False)


def _write_truth(folder: Path, crowd: Mapping[str, Any], session: Session) -> None:
    from stages.source.simulated import write_truth

    counted = write_truth(folder, crowd, session.file.site, session.camera_ids)
    out.print(printed("Counted in the truth", ("", "all cameras"), counted.rows))


def _write_manifest(folder: Path, session: Session, kind: Literal["recorded", "simulated"]) -> None:
    """What was recorded, as far as it was."""
    cameras: dict[str, RecordedCamera] = {}
    for row in [row for row in session.ledger() if row.node == RECORD]:
        mount = session.file.site.cameras[row.camera_id].mount
        if kind == "simulated":
            mount = replace(mount, height_m=None, pitch_deg=None, roll_deg=None)
        cameras |= recorded(folder, row.camera_id, mount, row.processed, sum(row.dropped.values()))
    if not cameras:
        _say(f"{folder}: nothing was recorded")
        return
    manifest = Manifest(f"sightline {CODE_VERSION}", kind, session.file.site.name, cameras)
    out.print(str(write_manifest(folder, manifest)), soft_wrap=True)


def _draw(report: Report, file: Path, is_simulated: bool) -> Path:
    import cv2

    from engines.evaluate.picture import Person, Visit, picture_of

    people = report.people()
    began_ns = min((path.first_ns for one in people for path in one.paths), default=0)

    def visit(path: Walk) -> Visit:
        return Visit(path.camera_id, path.way_m, clock((path.first_ns - began_ns) / 1e9), path.portrait)

    cards = [Person(short(one.identity_id), one.details, list(map(visit, one.paths))) for one in people]
    title = f"{len(people)} identities" + (", simulated people" if is_simulated else "")
    if not cv2.imwrite(str(file), picture_of(cards, title)[:, :, ::-1]):
        raise InputError(f"{file}: cannot be written; make room and run again")
    return file
