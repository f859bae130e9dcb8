"""The command that searches the people whom a site has seen, by words or by a picture."""

from __future__ import annotations

import queue
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import cv2
import msgspec
import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.markup import escape

from configs.build import ConfigError, InputError
from pipeline._gallery_file import GalleryFile, Vector
from pipeline._questions import check_sees, checked_words, encoder_of, engine_of, of_picture, of_words
from pipeline._sheet import SHOTS, Card, sheet_of, write_sheet
from pipeline._store_file import FAULTS, NAME, StoreError, blamed
from pipeline._tables import printed, short
from pipeline.search import Filter, Found, found, kind_of, left_out, moment_ns
from pipeline.vault import ForgedError
from pipeline.wire import uncollected

HEADERS = ("", "identity", "score", "camera", "seen (UTC)", "place")
LOOKS_EVERY_S = 1.0  # while it waits for a question: whoever is erased is soon gone from its memory
IDLE = 10  # times as long as a look has taken it waits for the next
PICTURES = (".jpg", ".jpeg", ".png")
out = Console(highlight=False)
err = Console(stderr=True, soft_wrap=True, highlight=False)
Moment = Annotated[
    str, typer.Option(help="2026-01-31T14:30 (UTC), or 15m: so long before the last.", metavar="TIME")
]


def search(  # noqa: PLR0913
    folder: Annotated[Path, typer.Option("--out", help="The folder of the run.", metavar="DIR")],
    question: Annotated[
        str | None, typer.Argument(help="In words; else it reads a question a line.", metavar="[QUESTION]")
    ] = None,
    image: Annotated[Path | None, typer.Option(help="A picture of somebody instead.", metavar="FILE")] = None,
    camera: Annotated[
        list[str] | None, typer.Option(help="Only there; may be repeated.", metavar="ID")
    ] = None,
    since: Moment = "",
    until: Moment = "",
    limit: Annotated[int, typer.Option(help="So many people.", min=1, max=1000, metavar="N")] = 12,
    sheet: Annotated[Path | None, typer.Option(help="Draw a contact sheet, a PNG.", metavar="FILE")] = None,
    json: Annotated[bool, typer.Option("--json", help="A line of JSON for each.", metavar="")] = False,
    model: Annotated[str, typer.Option(help="Else that of the gallery.", metavar="MODEL")] = "",
    detector: Annotated[str, typer.Option(help="Finds who is in the picture.", metavar="ENGINE")] = "",
) -> None:
    """Search the people whom a site has seen, by words or by a picture, also while a run is at work.

    MODEL is a name or '{engine: NAME, SETTING: VALUE}', ENGINE is like '{engine: yolox, model: yolox_nano}'.
    """
    if question is not None and image is not None:
        raise InputError("search: give either a QUESTION or --image FILE")
    asks_once = question is not None or image is not None
    if sheet is not None:
        _check_sheet(sheet, asks_once)
    if question is not None:
        checked_words(question)
    with ExitStack() as closing_all:
        if asks_once:
            closing_all.enter_context(uncollected())  # it ends before there is anything to collect
        asked = _Asked(folder, model, detector, json, sheet, closing_all)
        asked.filter_by(tuple(camera or ()), since, until, limit)
        if asks_once:
            asked.answer(image if image is not None else str(question))
        else:
            asked.answer_all()


@dataclass
class _Asked:
    """A gallery, and how it is asked."""

    folder: Path
    model: str
    detector: str
    is_json: bool
    sheet: Path | None
    closing_all: ExitStack

    def __post_init__(self) -> None:
        with _blamed(self.folder / NAME):
            self._gallery = self.closing_all.enter_context(closing(GalleryFile(self.folder)))
            kinds = self._gallery.kinds()
        made = engine_of(self.model, "--model") if self.model else None
        with _blamed(self._gallery.path):
            try:
                self._kind = kind_of(kinds, made.model_id if made else "", self._gallery.count)
            except InputError as error:
                raise InputError(f"{self._gallery.path}: {error}") from error
            others = left_out(kinds, self._kind, self._gallery.count)
        if others:
            err.print(f"{self._gallery.path}: {others}", markup=False)
        self._encoder = made or encoder_of(self._kind.model_id)
        check_sees(self._encoder)
        self._detector = engine_of(self.detector, "--detector") if self.detector else None
        self._due_s, self._is_kept = 0.0, False
        self._looks_at_pictures: list[Any] = [self._encoder, *([self._detector] if self._detector else [])]
        for engine in self._looks_at_pictures:
            if hasattr(engine, "close"):
                self.closing_all.callback(engine.close)

    def filter_by(self, cameras: tuple[str, ...], since: str, until: str, limit: int) -> None:
        """Which sightings count."""
        with _blamed(self._gallery.path):
            ends = [
                moment_ns(said, option, lambda: self._gallery.last_ns(self._kind)) if said else None
                for said, option in ((since, "--since"), (until, "--until"))
            ]
        if ends[0] is not None and ends[1] is not None and ends[0] > ends[1]:
            raise InputError(f"--until: {until} is before --since {since}; turn them round")
        self._filter = Filter(cameras, ends[0], ends[1], limit)

    def answer(self, question: str | Path) -> None:
        """Search once, and show who was found."""
        with ThreadPoolExecutor(1) as opening:  # a model, while what everybody looks like is unsealed
            told = opening.submit(self._vector, question)
            with _blamed(self._gallery.path):
                self._look()
        vector, visibility, asked = told.result()
        with _blamed(self._gallery.path):
            people = found(self._gallery, self._kind, vector, self._filter, visibility)
            self._gallery.note(time.time_ns(), f"{asked}, {len(people)} shown")
            if not people:
                self._say_cameras()
            if self.sheet is not None:
                cards = [self._card(one) for one in people]
                write_sheet(self.sheet, sheet_of(str(question), cards))
        self._show(str(question), people)
        if not self._is_kept:  # of a gallery that goes on changing once is enough
            self._is_kept = True
            with _blamed(self._gallery.path):
                self._gallery.keep(self._kind)

    def answer_all(self) -> None:
        """A question a line, until there are no more. Meanwhile it sees who is erased."""
        if sys.stdin.isatty():
            err.print("a question a line, words or the name of a picture; Ctrl-D ends it")
        for line in self._lines():
            try:
                is_file = line.lower().endswith(PICTURES) and Path(line).is_file()
                self.answer(Path(line) if is_file else line)
            except (InputError, ConfigError) as error:
                err.print(str(error), markup=False)
            if self.is_json:
                sys.stdout.write("\n")  # the end of an answer
            sys.stdout.flush()

    def _lines(self) -> Iterator[str]:
        lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=_read, args=(lines,), name="questions", daemon=True).start()
        while True:
            try:
                line = lines.get(timeout=LOOKS_EVERY_S)
            except queue.Empty:
                with _blamed(self._gallery.path):
                    self._look()
                continue
            if not line:
                return
            yield line.strip()

    def _look(self) -> None:
        """Now and then: whoever is found is looked up by themselves before they are shown, whatever is in memory."""
        began_s = time.monotonic()
        if began_s >= self._due_s:
            self._gallery.look(self._kind)
            self._due_s = time.monotonic() + max(LOOKS_EVERY_S, IDLE * (time.monotonic() - began_s))

    def _vector(self, question: str | Path) -> tuple[Vector, Vector | None, str]:
        """What is known of how far it is to be trusted, and what the audit log says of it."""
        visibility = None
        if isinstance(question, Path):
            self._open_for_pictures()
            vector, visibility, remark, digest = of_picture(self._encoder, self._detector, question)
            said = f"picture with sha256 {digest}"
        else:
            vector, unknown = of_words(self._encoder, question)
            said, remark = f"words {question!r}", ""
            if unknown:
                words = ", ".join(map(repr, unknown))
                remark = f"{self._kind.model_id} knows no word {words}; searched without"
        if remark:
            err.print(remark, markup=False)
        return vector, visibility, said

    def _say_cameras(self) -> None:
        """Nobody was found: perhaps because of a name that is no camera's."""
        there = self._gallery.cameras(self._kind) if self._filter.cameras else []
        if others := [repr(name) for name in self._filter.cameras if name not in there]:
            err.print(
                f"--camera: nobody was seen by {', '.join(others)}, but by {', '.join(there)}", markup=False
            )

    def _open_for_pictures(self) -> None:
        """Once; what reads words opens by itself, and needs none of this."""
        for engine in self._looks_at_pictures:
            if hasattr(engine, "open"):
                engine.open()
        self._looks_at_pictures = []

    def _card(self, one: Found) -> Card:
        own = sorted(self._gallery.pictures(one.identity_id), key=lambda kept: kept[0] != one.tracklet_id)
        shots = [_unpacked(jpeg) for _, jpeg in own[:SHOTS]]
        seen = f"{one.began[:10]} {one.began[11:19]} to {one.ended[11:19]} UTC"
        return Card(
            short(one.identity_id), (f"{one.score:.3f}   {one.camera_id}   {_place(one)}", seen), shots
        )

    def _show(self, title: str, people: Sequence[Found]) -> None:
        if self.is_json:
            for one in people:
                sys.stdout.write(f"{msgspec.json.encode(one).decode()}\n")
            return
        rows = [_row(number + 1, one) for number, one in enumerate(people)]
        remark = f"{len(self._gallery)} sightings by {self._kind.model_id}/{self._kind.modality} searched"
        table = printed(escape(title), HEADERS, rows, remark if rows else f"nobody; {remark}")
        table.columns[1].overflow = "fold"  # a name that is cut off is of no use
        out.print(table)
        if self.sheet is not None:
            out.print(f"sheet: {self.sheet}", soft_wrap=True, markup=False)


@contextmanager
def _blamed(path: Path) -> Iterator[None]:
    """Inside, what is wrong with the gallery's files is said as what is wrong with a store."""
    try:
        yield
    except (ForgedError, msgspec.DecodeError) as error:
        raise StoreError(f"{path}: is damaged, {error}; start its run, which sets it aside") from error
    except FAULTS as error:
        raise blamed(path, error) from error


def _read(lines: queue.SimpleQueue[str]) -> None:
    """What is written to this program, line by line; an empty one at the end."""
    for line in sys.stdin:
        lines.put(line)
    lines.put("")


def _check_sheet(sheet: Path, asks_once: bool) -> None:
    if not asks_once:
        raise InputError("--sheet: is of one question; give it, or leave --sheet out")
    if sheet.suffix != ".png":
        raise InputError(f"--sheet: must end in .png, got {sheet}")
    if not sheet.parent.is_dir():
        raise InputError(f"--sheet: there is no folder {sheet.parent}; make it, or name another file")


def _unpacked(jpeg: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR_RGB), np.uint8)


def _place(one: Found) -> str:
    return ", ".join(f"{value:.1f}" for value in one.floor_m) + (" m" if one.floor_m else "")


def _row(number: int, one: Found) -> tuple[str, ...]:
    seen = f"{one.began[:10]} {one.began[11:19]} to {one.ended[11:19]}"
    return str(number), one.identity_id, f"{one.score:.3f}", one.camera_id, seen, _place(one) or "-"
