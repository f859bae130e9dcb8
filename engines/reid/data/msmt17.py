"""MSMT17, its first version and its second, in which faces are blurred. It is trained on list_train and list_val.

Checked against Torchreid's reader.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from configs.build import InputError
from engines.reid.data._folders import checked
from engines.reid.data._records import DataSet, Record, Trial, relabelled, single_query

LISTS = ("list_train.txt", "list_val.txt", "list_query.txt", "list_gallery.txt")
LAYOUT = (
    f"the folder MSMT17_V1 (or V2), with train, test (or mask_train_v2, mask_test_v2), {', '.join(LISTS)}"
)
LINE = re.compile(r"(?P<path>\S+) (?P<person>\d{1,9})")
NAME = re.compile(r"[^_]*_[^_]*_(?P<camera>\d\d)_")
CAMERAS = 15


class Msmt17(DataSet):
    """Fifteen cameras, indoors and outdoors."""

    def train(self) -> tuple[Record, ...]:
        folder, _ = self._folders()
        learnt = [one for name in LISTS[:2] for one in _records(self.folder / name, folder)]
        return relabelled(learnt, self.folder / LISTS[0])

    def trial(self, protocol: str) -> Trial:
        _, folder = self._folders()
        query, gallery = (list(_records(self.folder / name, folder)) for name in LISTS[2:])
        return single_query(query, gallery)

    def _folders(self) -> tuple[Path, Path]:
        version = ("mask_train_v2", "mask_test_v2")
        names = version if (self.folder / version[0]).is_dir() else ("train", "test")
        checked(self.folder, (*names, *LISTS), LAYOUT)
        return self.folder / names[0], self.folder / names[1]


def _records(listed: Path, folder: Path) -> Iterator[Record]:
    try:
        lines = listed.read_text("utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise InputError(f"{listed}: is no list in UTF-8, see byte {error.start}; fetch it again") from error
    if not lines:
        raise InputError(f"{listed}: is empty; fetch it again")
    for number, line in enumerate(lines, 1):
        said = LINE.fullmatch(line.rstrip())
        named = NAME.match(said["path"].rpartition("/")[2]) if said else None
        if not said or not named or not 1 <= int(named["camera"]) <= CAMERAS:
            raise InputError(
                f"{listed}: line {number}: must be a picture and a person, like "
                f"0000/0000_000_01_0303morning_0008_0.jpg 0, got {line!r}; fetch it again"
            )
        path = folder / said["path"]
        name = f"{folder.name}/{said['path']}"
        yield Record(name, path, int(said["person"]), int(named["camera"]) - 1)
