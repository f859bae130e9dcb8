"""Lessons in telling people apart from above, as arrays that are mapped into memory: made once, in a folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from configs.build import InputError
from engines._overhead_maps import CHANNELS, MAPS, NUMBERS, SIDE
from engines.reid import upright
from engines.reid.overhead_people import GROUP, Sample, lessons
from engines.reid.upright import CELLS, HIGH_PX, WIDE_PX

PLACES, PASSAGES, FRAMES = 4, 2, 2  # of each person
EACH = PLACES * PASSAGES * FRAMES
NAMES = ("maps", "numbers", "pictures", "cameras", "depths", "people", "places")


@dataclass(frozen=True, slots=True, eq=False)
class Lessons:
    """Frames of people, those of one person's passage side by side; people are numbered from 0."""

    maps: NDArray[np.uint8]  # (n, MAPS * CHANNELS, SIDE, SIDE)
    numbers: NDArray[np.float32]  # (n, NUMBERS)
    pictures: NDArray[np.uint8]  # (n, HIGH_PX, WIDE_PX, 3), upright
    cameras: NDArray[np.float32]  # (n, upright.NUMBERS)
    depths: NDArray[np.uint8]  # (n, 2, *CELLS), what pictures may say of depth
    people: NDArray[np.int32]  # (n,)
    places: NDArray[np.int32]  # (n,)


def write(
    folder: Path,
    seeds: Sequence[int],
    told: Callable[[int, int], None] = lambda done, of: None,
    processes: int = 1,
) -> Lessons:
    """A group of people for each seed, in a new folder. It is told how many groups are done."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        arrays = _made(folder, len(seeds) * GROUP * EACH)
    except OSError as error:
        raise InputError(f"{folder}: cannot be written, {error.strerror}; name another folder") from error
    row, made = 0, partial(_group, PLACES)
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        groups = map(made, seeds) if processes == 1 else pool.map(made, seeds)
        for done, group in enumerate(groups, 1):
            for person, place, sample in group:
                arrays.maps[row], arrays.numbers[row] = sample.maps, sample.numbers
                arrays.pictures[row], arrays.cameras[row] = sample.upright.picture, sample.upright.numbers
                arrays.depths[row] = sample.depth
                arrays.people[row], arrays.places[row] = (done - 1) * GROUP + person, place
                row += 1
            told(done, len(seeds))
    return arrays


def _group(places: int, seed: int) -> list[tuple[int, int, Sample]]:
    return list(lessons(seed, places, PASSAGES, FRAMES))


def read(folder: Path) -> Lessons:
    """Those in a folder; raises InputError where there are none."""
    try:
        return Lessons(*(np.load(folder / f"{name}.npy", mmap_mode="r") for name in NAMES))
    except (OSError, ValueError) as error:
        raise InputError(
            f"{folder}: has no lessons, {error}; make them with python benchmarks/tvrid.py lessons"
        ) from error


def _made(folder: Path, count: int) -> Lessons:
    shapes = {
        "maps": ((MAPS * CHANNELS, SIDE, SIDE), np.uint8),
        "numbers": ((NUMBERS,), np.float32),
        "pictures": ((HIGH_PX, WIDE_PX, 3), np.uint8),
        "cameras": ((upright.NUMBERS,), np.float32),
        "depths": ((2, *CELLS), np.uint8),
        "people": ((), np.int32),
        "places": ((), np.int32),
    }
    return Lessons(
        *(
            open_memmap(folder / f"{name}.npy", "w+", dtype, (count, *shape))
            for name, (shape, dtype) in shapes.items()
        )
    )
