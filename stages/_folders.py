"""Whether a folder that is not there yet can be made, said before anything is written."""

from __future__ import annotations

import os
from pathlib import Path

from pipeline.stage import InputError


def existing(folder: Path) -> Path:
    """The folder, or of those that it will lie in the nearest that is there."""
    folder = folder.absolute()
    return next(path for path in (folder, *folder.parents) if os.access(path, os.F_OK))


def check_can_be_made(folder: Path) -> None:
    """Raise InputError for a folder that cannot be made or written."""
    there = existing(folder)
    if not there.is_dir():
        raise InputError(f"{folder}: cannot be made, {there} is not a folder; choose another folder")
    if not os.access(there, os.R_OK | os.W_OK | os.X_OK):
        raise InputError(f"{folder}: cannot be made, {there} cannot be written; choose another folder")
