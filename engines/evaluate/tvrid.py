"""The top-view challenge TVRID: its rankings as it wants them submitted, and the scores of its public scorer.

Only the order of a ranking counts. Whoever a ranking leaves out is not looked for, so that the public scorer does not
punish a list that is cut off: reproduced. Its server's program is not public.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from configs.build import InputError
from engines.evaluate._lines import as_whole
from engines.evaluate.retrieval import Counts, Found, Order, found

CAMERAS = ("flat", "upward", "downward", "upsideDown")
TRACKS = ("rgb", "depth", "cross")
COLUMNS = ("query_gallery_id", "query_path", "gallery_id", "gallery_path", "rank", "distance")
SCENARIOS = ("same_cam_cross_passage", "up_down_cross_passage", "flat_vs_others")
GLOBAL = "global"  # there, but not counted by the challenge
KEYS = ("public_gallery_id", "gallery_id")  # the first that a table has
LABELS = ("person_id", "cam_name", "passage_name")
Row = Mapping[str, str]


@dataclass(frozen=True, slots=True, eq=False)
class Passages:
    """The passages that are ranked, as arrays of text (n,); but for ids and paths empty where they are not labelled."""

    ids: NDArray[np.str_]
    paths: NDArray[np.str_]
    people: NDArray[np.str_]
    cameras: NDArray[np.str_]
    names: NDArray[np.str_]  # like IN and OUT

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def numbers(self) -> NDArray[np.int64]:
        """The people as numbers, alike where they are."""
        return np.unique(self.people, return_inverse=True)[1].astype(np.int64)


def rows_of(path: Path, needed: Sequence[str]) -> list[tuple[str, Row]]:
    """The rows of a table with the columns that are needed, each with its place; raises InputError."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            if missing := [name for name in needed if name not in (reader.fieldnames or ())]:
                raise InputError(
                    f"{path}: line 1: has no column {missing[0]!r}; a table of TVRID has {', '.join(needed)}"
                )
            rows: list[tuple[str, Row]] = [(f"{path}: line {reader.line_num}", row) for row in reader]
    except OSError as error:
        raise InputError(f"{path}: cannot be read, {error.strerror}; name a file that is there") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: is no table of text, {error}; fetch it again") from error
    for where, row in rows:
        if empty := [name for name in needed if not row[name]]:
            raise InputError(f"{where}: {empty[0]} is empty; write it")
    return rows


def passages_of(path: Path) -> Passages:
    """The passages of a table of labels, like public_test_labels.csv; raises InputError with the line that is wrong."""
    key = key_of(path)
    rows = rows_of(path, (key, "path", *LABELS) if is_labelled(path) else (key, "path"))
    lines: dict[str, str] = {}
    for where, row in rows:
        if (first := lines.setdefault(row[key], where)) != where:
            raise InputError(f"{where}: {key} {row[key]!r} is that of {first} too; keep one of them")
        if row.get("cam_name", CAMERAS[0]) not in CAMERAS:
            raise InputError(f"{where}: cam_name is {row['cam_name']!r}; write one of {', '.join(CAMERAS)}")
    columns = [[row.get(name, "") for _, row in rows] for name in (key, "path", *LABELS)]
    return Passages(*(np.array(column, str) for column in columns))


def key_of(path: Path) -> str:
    """The column of a table that names its passages; raises InputError where there is none."""
    names = _header(path)
    if not (there := [name for name in KEYS if name in names]):
        raise InputError(
            f"{path}: line 1: has no column 'gallery_id', by which passages are named; fetch it again"
        )
    return there[0]


def is_labelled(path: Path) -> bool:
    """Whether a table says who is in its passages: that of a test did not at first."""
    return any(name in _header(path) for name in LABELS)


def scenarios(passages: Passages) -> dict[str, Counts]:
    """Who counts for a passage in each scenario, and in all together; never itself."""
    cameras, names, numbers = passages.cameras, passages.names, np.arange(len(passages))
    is_flat, is_steep = cameras == "flat", np.isin(cameras, ("upward", "downward"))

    def same_camera(query: int) -> NDArray[np.bool_]:
        return np.asarray((cameras == cameras[query]) & (names != names[query]))

    def up_and_down(query: int) -> NDArray[np.bool_]:
        return np.asarray(is_steep & is_steep[query] & (cameras != cameras[query]) & (names != names[query]))

    def flat_and_others(query: int) -> NDArray[np.bool_]:
        return np.asarray((is_flat != is_flat[query]) & (names != names[query]))

    every = (same_camera, up_and_down, flat_and_others)
    return {**dict(zip(SCENARIOS, every, strict=True)), GLOBAL: lambda query: numbers != query}


def scores(orders: Iterable[Order], passages: Passages) -> dict[str, Found]:
    """The scores of each scenario, of an order for each passage in turn."""
    return found(orders, passages.numbers, passages.numbers, scenarios(passages))


def without_itself(orders: Iterable[Order]) -> Iterator[Order]:
    """Orders of everybody for everybody, in which nobody is found by itself."""
    return (order[order != number] for number, order in enumerate(orders))


def write_rankings(
    path: Path, passages: Passages, orders: Iterable[Order], distances: NDArray[np.floating[Any]]
) -> None:
    """Write a track's file: for each passage its order, and the `distances` (n, n). It is whole, or not there."""
    part = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS)
            for query, order in enumerate(orders):
                own = passages.ids[query], passages.paths[query]
                for rank, other in enumerate(order, 1):
                    named = passages.ids[other], passages.paths[other]
                    writer.writerow((*own, *named, rank, float(distances[query, other])))
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise InputError(f"{path}: cannot be written, {error.strerror}; choose another place") from error


def read_rankings(path: Path, passages: Passages) -> list[Order]:
    """The order of each passage in a track's file; of one that is not in it, none. Rows of passages that are not known
    are left out, as by the public scorer. Raises InputError with the line that is wrong.
    """
    number = {name: place for place, name in enumerate(passages.ids.tolist())}
    listed: list[dict[int, int]] = [{} for _ in range(len(passages))]
    for where, row in rows_of(path, COLUMNS):
        rank = _rank(row, where)
        query, other = number.get(row["query_gallery_id"]), number.get(row["gallery_id"])
        if query is None or other is None:
            continue
        if other == query or other in listed[query]:
            why = (
                "is ranked for itself" if other == query else f"stands twice for {row['query_gallery_id']!r}"
            )
            raise InputError(f"{where}: {row['gallery_id']!r} {why}; take it out")
        listed[query][other] = rank
    return [_by_rank(ranks) for ranks in listed]


def _rank(row: Row, where: str) -> int:
    try:
        float(row["distance"])  # which nobody asks for, but all want to be a number
    except ValueError:
        raise InputError(f"{where}: distance is {row['distance']!r}; write a number") from None
    try:
        return as_whole(row["rank"], "rank", where, 1)
    except ValueError as error:
        raise InputError(str(error)) from error


def _by_rank(ranks: Mapping[int, int]) -> Order:
    others = np.array(list(ranks), np.int64)
    return others[np.argsort(np.array(list(ranks.values()), np.int64), kind="stable")]


def _header(path: Path) -> Sequence[str]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return next(csv.reader(file), [])
    except OSError as error:
        raise InputError(f"{path}: cannot be read, {error.strerror}; name a file that is there") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: is no table of text, {error}; fetch it again") from error
