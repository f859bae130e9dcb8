"""Folders of pictures whose names say who is in them and which camera saw them: 0002_c1s1_000451_03.jpg."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from configs.build import InputError
from engines.reid.data._folders import checked
from engines.reid.data._records import NOBODY, Record

FOLDERS = ("bounding_box_train", "query", "bounding_box_test")
NAME = re.compile(r"(?P<person>-?\d{1,9})_c(?P<camera>\d)")


def named(folder: Path, layout: str, cameras: int) -> list[Record]:
    """A record for each JPEG of a folder, by name, but of those that show nobody (-1); raises InputError."""
    parent = checked(folder.parent, FOLDERS, layout)
    made = list(_records(folder, parent, cameras))
    if not made:
        raise InputError(f"{folder}: has no pictures (*.jpg) of people; expected {layout}")
    return made


def _records(folder: Path, parent: Path, cameras: int) -> Iterator[Record]:
    for path in sorted(folder.glob("*.jpg")):
        said = NAME.match(path.name)
        if said is None or not 1 <= int(said["camera"]) <= cameras:
            raise InputError(
                f"{path}: is not named by person and camera, 1 to {cameras}, like 0002_c1s1_000451_03.jpg; take it out"
            )
        if int(said["person"]) != NOBODY:
            name = path.relative_to(parent).as_posix()
            yield Record(name, path, int(said["person"]), int(said["camera"]) - 1)
