"""CUHK-PEDES: people described in words. Every caption of the test is a query, all its pictures are the gallery.

Not checked against another reader.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import msgspec

from configs.build import InputError
from engines.evaluate.retrieval import everybody
from engines.reid.data._folders import checked
from engines.reid.data._records import ALL, DataSet, Record, Trial, relabelled

ENTRIES, PICTURES = "reid_raw.json", "imgs"
LAYOUT = f"the folder CUHK-PEDES, with {PICTURES} and {ENTRIES}"
Split = Literal["train", "val", "test"]


class _Entry(msgspec.Struct, frozen=True):
    """A picture; other keys are not asked for."""

    split: Split
    captions: tuple[str, ...]
    file_path: str
    id: Annotated[int, msgspec.Meta(ge=0, lt=2**31)]


class CuhkPedes(DataSet):
    """No cameras are known, and none are left out."""

    protocols: ClassVar = ("text_to_image",)

    def train(self) -> tuple[Record, ...]:
        """One for each caption, with its picture."""
        return relabelled(self.captions("train"), self.folder / ENTRIES)

    def trial(self, protocol: str) -> Trial:
        gallery = tuple(self.pictures("test"))
        return Trial(tuple(self.captions("test")), gallery, {ALL: everybody(gallery)})

    def captions(self, split: Split) -> Iterator[Record]:
        """A record for each caption, under the name of its picture and its number."""
        for entry in self._entries(split):
            for number, caption in enumerate(entry.captions):
                path = self.folder / PICTURES / entry.file_path
                name = f"{entry.file_path}#{number}"
                yield Record(name, path, entry.id, 0, caption=caption, reads="text")

    def pictures(self, split: Split) -> Iterator[Record]:
        """A record for each picture."""
        for entry in self._entries(split):
            yield Record(entry.file_path, self.folder / PICTURES / entry.file_path, entry.id, 0)

    def _entries(self, split: Split) -> list[_Entry]:
        file = checked(self.folder, (PICTURES, ENTRIES), LAYOUT) / ENTRIES
        every = _read(file)
        for number, entry in enumerate(every):
            if not entry.captions:
                raise InputError(f"{file}: [{number}].captions: is empty; write one, or take the entry out")
            for place, caption in enumerate(entry.captions):
                if not caption.strip():
                    raise InputError(
                        f"{file}: [{number}].captions[{place}]: is empty; write it, or take it out"
                    )
        chosen = [entry for entry in every if entry.split == split]
        if not chosen:
            raise InputError(f"{file}: has no entry whose split is {split!r}; expected train, val and test")
        return chosen


def _read(file: Path) -> list[_Entry]:
    try:
        return msgspec.json.decode(file.read_bytes(), type=list[_Entry])
    except OSError as error:
        raise InputError(f"{file}: cannot be read, {error.strerror}; fetch it again") from error
    except msgspec.ValidationError as error:
        what, _, place = str(error).partition(" - at `$")
        raise InputError(
            f"{file}: {place.strip('`') or 'its top'}: {what[0].lower()}{what[1:]}; fetch it again"
        ) from error
    except msgspec.DecodeError as error:
        raise InputError(f"{file}: is no JSON, {error}; fetch it again") from error
