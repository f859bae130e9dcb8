"""CUHK-PEDES: people described in words, by two captions a picture.

Not checked against another reader.
"""

from __future__ import annotations

from typing import ClassVar

from engines.reid.data._captioned import PICTURES, Captioned


class CuhkPedes(Captioned):
    """13,003 people."""

    entries: ClassVar = "reid_raw.json"
    layout: ClassVar = f"the folder CUHK-PEDES, with {PICTURES} and {entries}"
