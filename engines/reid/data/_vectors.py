"""The vectors of records: what an embedder gives for their pictures, or what a file holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from configs.build import InputError
from engines.reid.data._folders import color, depth
from engines.reid.data._records import Record

Shown = Callable[[Record], Sequence[Path | NDArray[np.uint8]]]
CHUNK = 64  # pictures at once: they fill a batch, and no memory


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """A vector for each record; a row of NaN where nothing of it can be seen."""

    rows: Mapping[Record, int]
    vectors: NDArray[np.floating[Any]]  # (n, d)

    def of(self, records: Sequence[Record]) -> NDArray[np.floating[Any]]:
        """Those of some records, in their order."""
        return self.vectors[[self.rows[one] for one in records]]


def read_features(path: Path, records: Sequence[Record]) -> Features:
    """`names` (n,) and `vectors` (n, d) of a .npz; raises InputError where one of these records has none."""
    names, vectors = _arrays(path)
    rows = {str(name): row for row, name in enumerate(names)}
    if len(rows) < len(names):
        raise InputError(f"{path}: names: {len(names) - len(rows)} stand there twice; keep one of each")
    if missing := [one.name for one in records if one.name not in rows]:
        raise InputError(
            f"{path}: names: {missing[0]!r} is not there, as are {len(missing)} of {len(records)}; "
            "each picture, passage or caption of the trial needs a vector"
        )
    if not np.isfinite(vectors).all():
        raise InputError(f"{path}: vectors: are not all finite numbers; make them again")
    return Features({one: rows[one.name] for one in records}, vectors)


def embedded(
    records: Sequence[Record], engine: Any, name: str, shown: Shown, told: Callable[[int], None]
) -> Features:
    """What an embedder gives for records; of several pictures of one, the mean. It is told how many are done."""
    made: list[NDArray[np.floating[Any]] | None] = []
    for reads, some in groupby(records, key=lambda one: one.reads):
        _check_reads(engine, name, reads)
        same = list(some)
        step = max(1, CHUNK // len(shown(same[0])))
        for first in range(0, len(same), step):
            part = same[first : first + step]
            made += _of_texts(part, engine) if reads == "text" else _of_pictures(part, engine, shown)
            told(len(made))
    length = next((len(one) for one in made if one is not None), 0)
    if not length:
        raise InputError(
            f"{name}: was shown nothing: no picture has pixels or valid depth; fetch the data set again"
        )
    nothing = np.full(length, np.nan, np.float32)
    vectors = np.array([nothing if one is None else one for one in made])
    return Features({one: row for row, one in enumerate(records)}, vectors)


def _check_reads(engine: Any, name: str, reads: str) -> None:
    """Raises InputError for an engine that cannot be shown what records are read by."""
    if not hasattr(engine, "model_id"):
        raise InputError(f"--model: {name} is no embedder; choose one of 'models' that embeds")
    if reads == "text" and not hasattr(engine, "texts"):
        raise InputError(f"--model: {name} reads no text; choose one that does, or give --features")
    if reads != "text" and getattr(engine, "reads", "color") != "color":
        raise InputError(
            f"--model: {name} needs places in metres, and a data set gives pictures; choose one that reads those"
        )


def _of_texts(records: Sequence[Record], engine: Any) -> list[NDArray[np.floating[Any]] | None]:
    return list(engine.texts([one.caption for one in records]))


def _of_pictures(
    records: Sequence[Record], engine: Any, shown: Shown
) -> list[NDArray[np.floating[Any]] | None]:
    pictures = [_seen(one, shown) for one in records]
    every = [picture for some in pictures for picture in some]
    if not every:
        return [None] * len(records)
    parts = np.split(engine(every), np.cumsum([len(some) for some in pictures])[:-1])
    return [part.mean(axis=0) if part.any() else None for part in parts]


def _seen(record: Record, shown: Shown) -> list[NDArray[Any]]:
    """The pictures of a record; of depth those in which any is valid, as it is in the file."""
    read = color if record.reads == "color" else depth
    pages = [read(one) if isinstance(one, Path) else one for one in shown(record)]
    return [page for page in pages if record.reads == "color" or page.any()]


def _arrays(path: Path) -> tuple[NDArray[Any], NDArray[np.floating[Any]]]:
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            names, vectors = file["names"], file["vectors"]
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read, {error.strerror or error}; name a file that is there"
        ) from error
    except KeyError as error:
        raise InputError(f"{path}: has no array 'names' or 'vectors'; write both: {error.args[0]}") from error
    except (ValueError, EOFError, BadZipFile, AttributeError, TypeError) as error:
        raise InputError(
            f"{path}: is no .npz of names and vectors, {error}; write it with numpy.savez"
        ) from error
    if names.ndim != 1 or names.dtype.kind != "U":
        raise InputError(f"{path}: names: must be text (n,), got {names.dtype} {names.shape}")
    if vectors.ndim != 2 or len(vectors) != len(names) or vectors.dtype.kind != "f":
        raise InputError(
            f"{path}: vectors: must be numbers with a point ({len(names)}, d), got {vectors.dtype} {vectors.shape}"
        )
    return names, vectors
