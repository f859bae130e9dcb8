"""What a data set of person re-identification holds: records of people, for training, and trials by which it is tested.

A data set is a name: `engines/reid/data/<name>.py`, whose one public class reads it from its folder.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from configs.build import InputError, build
from engines.evaluate.retrieval import Counts, Distance, Order, other_cameras
from engines.reid.data._folders import color

Reads = Literal["color", "depth", "text"]
ALL = "all"  # the case of a protocol that has no others
SETS = "engines/reid/data"
NOBODY = -1  # who is in a record of a test is not said, or the detector that cut it out was wrong


@dataclass(frozen=True, slots=True)
class Record:
    """What gets one vector: a picture, the frames of a passage, or a caption."""

    name: str  # of its vector: no other record of a trial has it
    path: Path  # of the picture; of a passage its folder
    person: int  # of training 0 to people - 1, of a test as the set numbers them
    camera: int  # from 0; 0 where a set has one, or does not say
    view: str = ""
    track: str = ""
    caption: str = ""
    reads: Reads = "color"
    frames: tuple[Path, ...] = ()  # of a passage, in order of time


@dataclass(frozen=True, slots=True)
class Trial:
    """Queries, the gallery in which each is looked for, and who of it counts, by the name of the case."""

    query: tuple[Record, ...]
    gallery: tuple[Record, ...]
    cases: Mapping[str, Counts]
    distance: Distance = "cosine"
    is_labelled: bool = True


@dataclass
class DataSet(ABC):
    """A data set in its folder. Reading it raises InputError, in one line that says what was expected."""

    folder: Path
    protocols: ClassVar[tuple[str, ...]] = ("single_query",)
    needs_folder: ClassVar[bool] = True

    @abstractmethod
    def train(self) -> tuple[Record, ...]:
        """Of whom a model may learn: people numbered without gaps, in the order of their numbers in the set."""

    @abstractmethod
    def trial(self, protocol: str) -> Trial:
        """How one of its protocols tests a model."""

    def picture(self, path: Path) -> NDArray[np.uint8]:
        """What a record's path stands for, RGB (h, w, 3)."""
        return color(path)

    def shown(self, record: Record) -> tuple[Path | NDArray[np.uint8], ...]:
        """The pictures by which a model is tested on a record, or the files of them."""
        return record.frames or (record.path,)

    def write_rankings(self, protocol: str, folder: Path, distances: NDArray[np.floating[Any]]) -> Path:
        """Write what the challenge of this set wants to have submitted, of the distances (queries, gallery)."""
        raise InputError(f"--submission: {type(self).__name__} has no challenge to submit to; leave it out")

    def read_rankings(self, protocol: str, folder: Path) -> Sequence[Order]:
        """Orders as `write_rankings` wrote them."""
        raise InputError(f"--rankings: {type(self).__name__} has none; give --model or --features")


def opened(name: str, settings: Mapping[str, Any], places: tuple[str, str], folder: Path | None) -> DataSet:
    """The data set of that name. `places` say where name and folder come from; raises ConfigError and InputError."""
    made: DataSet = build(f"{SETS}/{name}", settings, places[0], DataSet, {"folder": folder or Path()})
    if folder is None and made.needs_folder:
        raise InputError(f"{places[1]}: is missing; name the folder in which {name} lies")
    if folder is not None and not made.needs_folder:
        raise InputError(f"{places[1]}: {name} lies in no folder, it is made; leave it out")
    return made


def people(records: Sequence[Record]) -> NDArray[np.int64]:
    """Who is in each record."""
    return np.array([record.person for record in records], np.int64)


def cameras(records: Sequence[Record]) -> NDArray[np.int64]:
    """By which camera each record was seen."""
    return np.array([record.camera for record in records], np.int64)


def single_query(query: Sequence[Record], gallery: Sequence[Record]) -> Trial:
    """The usual trial: what the query's own camera saw of its person does not count."""
    counts = other_cameras(people(query), cameras(query), people(gallery), cameras(gallery))
    return Trial(tuple(query), tuple(gallery), {ALL: counts})


def relabelled(records: Iterable[Record], where: Path) -> tuple[Record, ...]:
    """Records with people numbered from 0 without gaps; raises InputError where there are not two of them."""
    records = tuple(records)
    numbers = {person: number for number, person in enumerate(sorted({one.person for one in records}))}
    if len(numbers) < 2:
        raise InputError(
            f"{where}: all {len(records)} records are of one person; a model learns from two people at least"
        )
    return tuple(replace(one, person=numbers[one.person]) for one in records)
