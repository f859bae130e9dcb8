"""People partly hidden in one folder and whole in another, a folder of pictures for each: occluded_body_images/001/*.

Which camera took a picture is not said: those who are hidden count as one camera's and those who are whole as
another's, so that in a test everybody counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from configs.build import InputError
from engines.reid.data._folders import checked
from engines.reid.data._records import Record

HIDDEN, WHOLE = HALVES = ("occluded_body_images", "whole_body_images")
PICTURES = (".tif", ".tiff", ".jpg", ".png")
DIGITS = 9  # of a person at most


def half(folder: Path, name: str, layout: str, under: str = "") -> list[Record]:
    """A record for each picture of HIDDEN or WHOLE, which lie in `under`; raises InputError."""
    checked(folder, [f"{under}{one}" for one in HALVES], layout)
    made = list(_records(folder, folder / under / name, HALVES.index(name)))
    if not made:
        raise InputError(f"{folder / under / name}: has no pictures of people; expected {layout}")
    return made


def _records(folder: Path, part: Path, camera: int) -> Iterator[Record]:
    for own in sorted(one for one in part.iterdir() if one.is_dir()):
        if not (own.name.isascii() and own.name.isdecimal()) or len(own.name) > DIGITS:
            raise InputError(f"{own}: is not named by a person's number, like 001; take it out")
        for path in sorted(one for one in own.iterdir() if one.suffix.lower() in PICTURES):
            yield Record(path.relative_to(folder).as_posix(), path, int(own.name), camera)
