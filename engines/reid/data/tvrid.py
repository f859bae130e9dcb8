"""TVRID: passages of people under four overhead RGB-D cameras, with the frames of each in a folder of its own.

The passages of the test lie in test_public/, as its table means. (The README of the challenge scores them with those of
train/ in one example: not so here.) Whether its frames have a background, and in what unit their depth is, is nowhere
said. Not checked against another reader.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from configs.build import InputError
from engines.evaluate.retrieval import Order, nearest_first
from engines.evaluate.tvrid import (
    CAMERAS,
    TRACKS,
    is_labelled,
    passages_of,
    read_rankings,
    scenarios,
    without_itself,
    write_rankings,
)
from engines.reid.data import _folders
from engines.reid.data._records import NOBODY, DataSet, Reads, Record, Trial, relabelled

TRAIN, TEST = ("train_labels.csv", "train"), ("public_test_labels.csv", "test_public")
LAYOUT = f"the folder DB_extracted, with {', '.join((*TRAIN, *TEST))}"
FRAMES = {
    "color": (re.compile(r"(?P<stem>.+?)_RGB(_person)?\.png"), "000_RGB.png or 000_RGB_person.png"),
    "depth": (re.compile(r"(?P<stem>.+?)_(depth(_depth)?|D)\.png"), "000_depth.png or 000_D.png"),
}
TRACK_READS: dict[str, tuple[Reads, Reads]] = {
    "rgb": ("color", "color"),
    "depth": ("depth", "depth"),
    "cross": ("color", "depth"),  # this way alone is submitted
}
DIGITS = 10  # a name of so many is not taken for a number
T = TypeVar("T")
MOST_RAW, UNITS = (
    1000,
    10_000,
)  # what is above is in the unit of its file, and becomes tens of metres if that is mm


@dataclass
class Tvrid(DataSet):
    """Three tracks: colour, depth, colour among depth. A model is shown `frames` of each passage, evenly spread."""

    frames: int = 5
    protocols: ClassVar = TRACKS

    def train(self) -> tuple[Record, ...]:
        return self.passages("train", "color")

    def trial(self, protocol: str) -> Trial:
        asked, given = TRACK_READS[protocol]
        is_cross = asked != given
        query, gallery = (self.passages("test", reads, is_cross) for reads in (asked, given))
        table = self.folder / TEST[0]
        return Trial(query, gallery, scenarios(passages_of(table)), "euclid", is_labelled(table))

    def passages(
        self, split: Literal["train", "test"], reads: Reads, is_paired: bool = False
    ) -> tuple[Record, ...]:
        """The passages of a split with their frames of colour or depth: in the table's order, whichever are read.
        Paired, only frames that there are of both.
        """
        table, folder = TRAIN if split == "train" else TEST
        checked = _folders.checked(self.folder, (table, folder), LAYOUT)
        told = passages_of(checked / table)
        records = []
        for number, person in enumerate(_numbered(told.people)):
            path, camera = checked / folder / told.paths[number].replace("\\", "/"), str(told.cameras[number])
            record = Record(
                f"{'rgb' if reads == 'color' else reads}/{told.ids[number]}",
                path,
                person,
                CAMERAS.index(camera) if camera else 0,
                view=camera,
                track=str(told.names[number]),
                reads=reads,
                frames=_paired(path, reads) if is_paired else tuple(_frames(path, reads).values()),
            )
            records.append(record)
        if not records:
            raise InputError(f"{checked / table}: names no passage; fetch it again")
        return relabelled(records, checked / table) if split == "train" else tuple(records)

    def shown(self, record: Record) -> tuple[Path, ...]:
        return tuple(evenly(record.frames, self.frames))

    def write_rankings(self, protocol: str, folder: Path, distances: NDArray[np.floating[Any]]) -> Path:
        path = folder / f"rankings_{protocol}.csv"
        orders = without_itself(nearest_first([distances]))
        write_rankings(path, passages_of(self.folder / TEST[0]), orders, distances)
        return path

    def read_rankings(self, protocol: str, folder: Path) -> Sequence[Order]:
        return read_rankings(folder / f"rankings_{protocol}.csv", passages_of(self.folder / TEST[0]))


def evenly(frames: Sequence[T], count: int) -> list[T]:
    """So many frames from the first to the last, or the middle one; some of them twice where there are fewer."""
    if count == 1:
        return [frames[len(frames) // 2]]
    return [frames[int(place)] for place in np.linspace(0, len(frames) - 1, count)]


def scaled(depth: NDArray[np.uint16]) -> NDArray[np.float32]:
    """Depth as the challenge's own baseline is given it."""
    values = depth.astype(np.float32)
    return values / np.float32(UNITS) if values.size and values.max() > MOST_RAW else values


def _numbered(people: NDArray[np.str_]) -> list[int]:
    """People as the set numbers them, or by the order of their names where those are no numbers."""
    told = people.tolist()
    if all(name.isdecimal() and len(name) < DIGITS for name in told):
        return [int(name) for name in told]
    names = sorted({*told} - {""})
    return [names.index(name) if name else NOBODY for name in told]


def paired_frames(folder: Path) -> list[tuple[Path, Path]]:
    """The frames of a passage of which there are both, colour and depth."""
    return list(zip(_paired(folder, "color"), _paired(folder, "depth"), strict=True))


def _paired(folder: Path, reads: Reads) -> tuple[Path, ...]:
    """The frames that there are of both colour and depth."""
    others = _frames(folder, "depth" if reads == "color" else "color")
    both = tuple(frame for stem, frame in _frames(folder, reads).items() if stem in others)
    if not both:
        raise InputError(f"{folder}: has no frames of colour and depth that go together; fetch it again")
    return both


def _frames(folder: Path, reads: Reads) -> dict[str, Path]:
    """The frames of a passage by what their names begin with; of two that begin alike, the first."""
    pattern, like = FRAMES[reads]
    if not folder.is_dir():
        raise InputError(f"{folder}: is no folder, but its passage is in the table; fetch the data set again")
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if said := pattern.fullmatch(path.name):
            found.setdefault(said["stem"], path)
    if not found:
        raise InputError(f"{folder}: has no frame of {reads}, like {like}; fetch the data set again")
    return found
