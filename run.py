"""Sightline's command line: python run.py --graph configs/topview_rgbd.yaml"""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

if __name__ == "__main__":  # until a run begins, and after it: nothing needs an end or a word
    signal.signal(signal.SIGINT, lambda *_: os._exit(130))

import typer
from rich.console import Console

from calibration.manifest import Manifest, ManifestError, RecordedCamera, recorded
from calibration.manifest import write as write_manifest
from clients.tail import tail
from configs.build import ConfigError
from engines._model_commands import add_commands
from engines.evaluate._command import evaluate, print_scores
from pipeline._correct_command import correct_identity
from pipeline._erase_command import erase_identity
from pipeline._follow_command import follow, who
from pipeline._graph_commands import check, schema, show
from pipeline._host_commands import keypair, worker
from pipeline._search_command import search
from pipeline.choices import RECORD, Choices, folder_of
from pipeline.events import CODE_VERSION
from pipeline.graphfile import GraphFile
from pipeline.instances import StageError
from pipeline.progress import ConsoleHandler, shown
from pipeline.publish._lines import LogError
from pipeline.publish.log import EVENTS
from pipeline.report import CUT_SHORT, Report, clock, ledger_table, printed, short
from pipeline.report import Path as Walk
from pipeline.session import INTERRUPTED, Session
from pipeline.stage import InputError
from pipeline.store import StoreError
from pipeline.top import top

MISTAKES = (ConfigError, InputError, LogError, ManifestError, StoreError)
SIMULATED = Path(__file__).parent / "configs" / "topview_rgbd.yaml"  # whose cameras `simulate` records

HELP = {"help_option_names": ["-h", "--help"]}
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, context_settings=HELP)
out = Console(highlight=False)
err = Console(stderr=True, soft_wrap=True, highlight=False)

Flag: Any = partial(typer.Option, metavar="")
Port = Annotated[int | None, typer.Option(help="Of /metrics.", min=1, max=65535, metavar="PORT")]
NewFolder = Annotated[Path, typer.Option("--out", help="A new folder.", metavar="DIR")]


def _crowd(text: str, least: float) -> Any:
    return typer.Option(help=text, min=least, metavar="N", rich_help_panel="Simulated people")


People = Annotated[int, _crowd("How many.", 0)]
Seconds = Annotated[float, _crowd("For how many seconds.", 0.1)]
Fps = Annotated[float, _crowd("Frames a second of each camera.", 0.1)]
Seed = Annotated[int, _crowd("Another number, other people.", 0)]


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
    crowd = {"people": people, "seconds": seconds, "fps": fps, "seed": seed}
    if not simulate:
        _check_nobody_is_asked_for(context, crowd)
    choices = Choices(
        replay=replay,
        simulate=crowd if simulate else None,
        speed=speed,
        executor=executor,
        placement=placement,
        positions=positions or simulate,
        is_drawn=picture or simulate,
        video=video,
    )
    raise typer.Exit(_run(GraphFile.read(graph), choices, folder, metrics))


@app.command()
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


@app.command()
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


for command in (check, show, schema, worker, keypair, tail, top, follow, who, search):
    app.command()(command)
add_commands(app)
app.command(name="erase")(erase_identity)
app.command(name="eval")(evaluate)
app.command(name="correct")(correct_identity)


def _check_nobody_is_asked_for(context: typer.Context, crowd: Mapping[str, Any]) -> None:
    asked = [name for name in crowd if "COMMANDLINE" in str(context.get_parameter_source(name))]
    if asked:
        raise ConfigError(f"--{asked[0]}: is for simulated people; leave it out, or add --simulate")


def _run(file: GraphFile, choices: Choices, folder: Path | None, metrics: int | None) -> int:
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


def start() -> int:
    """Run the command line; a mistake of its user's is one line and status 2, a failing stage status 1."""
    logging.basicConfig(format="%(levelname)s: %(message)s", handlers=[ConsoleHandler(err)])
    os.umask(0o077)  # what is written shows people, or where they were: for nobody else
    try:
        return int(app(standalone_mode=False) or 0)  # what an Exit says is returned here
    except typer.TyperException as mistake:
        said = mistake.format_message().rstrip(".")
        _say(f"{said[:1].lower()}{said[1:]}; try --help")
        return 2
    except (*MISTAKES, StageError) as failure:
        _say(str(failure))
        return 1 if isinstance(failure, StageError) else 2


if __name__ == "__main__":
    status = start()
    if status == INTERRUPTED:  # whoever is stuck, perhaps inside a library, is not waited for
        sys.stdout.flush()
        os._exit(status)
    sys.exit(status)
