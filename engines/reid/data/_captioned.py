"""Sets of people described in words: a list of pictures and their captions in a JSON file, beside the folder `imgs`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import msgspec

from configs.build import InputError
from configs.known import known
from engines.evaluate.retrieval import everybody
from engines.reid.data._folders import checked
from engines.reid.data._records import ALL, DataSet, Record, Trial, relabelled

PICTURES = "imgs"
Split = Literal["train", "val", "test"]
Person = Annotated[int, msgspec.Meta(ge=0, lt=2**31)]


class Entry(msgspec.Struct, frozen=True):
    """A picture; other keys are not asked for."""

    split: Split
    captions: tuple[str, ...]
    file_path: str
    id: Person


class Captioned(DataSet):
    """Every caption of the test is a query, all its pictures are the gallery; no cameras are known."""

    protocols: ClassVar = ("text_to_image",)
    entries: ClassVar[str]  # the file that lists them
    layout: ClassVar[str]
    splits: ClassVar[tuple[Split, ...]] = ("train", "val", "test")

    def train(self) -> tuple[Record, ...]:
        """One for each caption, with its picture."""
        return relabelled(self.captions("train"), self.folder / self.entries)

    def trial(self, protocol: str) -> Trial:
        gallery = tuple(self.pictures("test"))
        return Trial(tuple(self.captions("test")), gallery, {ALL: everybody(gallery)})

    def captions(self, split: Split) -> Iterator[Record]:
        """A record for each caption, under the name of its picture and its number."""
        for entry in self._of(split):
            for number, caption in enumerate(entry.captions):
                path = self.folder / PICTURES / entry.file_path
                name = f"{entry.file_path}#{number}"
                yield Record(name, path, entry.id, 0, caption=caption, reads="text")

    def pictures(self, split: Split) -> Iterator[Record]:
        """A record for each picture."""
        for entry in self._of(split):
            yield Record(entry.file_path, self.folder / PICTURES / entry.file_path, entry.id, 0)

    def read(self, file: Path) -> list[Entry]:
        """The entries of the list."""
        found: list[Entry] = decoded(file, list[Entry])
        return found

    def _of(self, split: Split) -> list[Entry]:
        file = checked(self.folder, (PICTURES, self.entries), self.layout) / self.entries
        every = self.read(file)
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
            *others, last = self.splits
            raise InputError(
                f"{file}: has no entry whose split is {split!r}; expected {', '.join(others)} and {last}"
            )
        return chosen


def decoded(file: Path, kind: Any) -> Any:
    """What a JSON file holds; raises InputError with the place at which it is not of that kind."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=known(kind))
    except OSError as error:
        raise InputError(f"{file}: cannot be read, {error.strerror}; fetch it again") from error
    except msgspec.ValidationError as error:
        what, _, place = str(error).partition(" - at `$")
        raise InputError(
            f"{file}: {place.strip('`') or 'its top'}: {what[0].lower()}{what[1:]}; fetch it again"
        ) from error
    except msgspec.DecodeError as error:
        raise InputError(f"{file}: is no JSON, {error}; fetch it again") from error
