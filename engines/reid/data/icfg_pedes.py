"""ICFG-PEDES: the people of MSMT17 described in words, by one long caption a picture. It has no validation.

Not checked against another reader.
"""

from __future__ import annotations

from typing import ClassVar

from engines.reid.data._captioned import PICTURES, Captioned


class IcfgPedes(Captioned):
    """4,102 people."""

    entries: ClassVar = "ICFG-PEDES.json"
    splits: ClassVar = ("train", "test")
    layout: ClassVar = f"the folder ICFG-PEDES, with {PICTURES} and {entries}"
