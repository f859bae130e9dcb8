"""RSTPReid: people of MSMT17 described in words, five pictures each and two captions a picture.

Not checked against another reader.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import msgspec

from engines.reid.data._captioned import PICTURES, Captioned, Entry, Person, Split, decoded


class _Entry(msgspec.Struct, frozen=True):
    split: Split
    captions: tuple[str, ...]
    img_path: str
    id: Person


class RstpReid(Captioned):
    """4,101 people."""

    entries: ClassVar = "data_captions.json"
    layout: ClassVar = f"the folder RSTPReid, with {PICTURES} and {entries}"

    def read(self, file: Path) -> list[Entry]:
        return [Entry(one.split, one.captions, one.img_path, one.id) for one in decoded(file, list[_Entry])]
