"""Finds the files of a model in the user's folders, and makes sure that they are what the manifest says."""

from __future__ import annotations

import os
from hashlib import file_digest
from pathlib import Path

from configs.build import InputError
from engines import _manifest
from engines._machine_key import home
from engines._manifest import Manifest, as_shipped
from engines._trusted import trust_sums

FOLDERS = "SIGHTLINE_MODELS"  # folders, as in PATH
_hashed: dict[
    tuple[str, int, int, int], str
] = {}  # sha256 by path, size, time of change and place on the disk


def weights(manifest: Manifest) -> Path:
    """The model's file, beside which its others lie, all checked; raises InputError that says what to fetch."""
    folder = _folder_with(manifest)
    for file in manifest.files:
        path = folder / file.name
        found = _sha256(path)
        if not file.sha256:
            raise InputError(
                f"{path}: has sha256 {found}, for which nobody vouches; if you trust where you have it from, say so: "
                f"python run.py models --trust {manifest.name}"
            )
        if found != file.sha256:
            raise InputError(
                f"{path}: has sha256 {found}, but {manifest.name} needs {file.sha256}; {manifest.download.strip()}"
            )
    return folder / manifest.files[0].name


def trust(name: str) -> Path:
    """Let the user vouch for those files of a model of which no manifest says what they must be, as they are now; gives
    where that is written.
    """
    made = as_shipped(name)
    asked = [file.name for file in made.files if not file.sha256]
    if not asked:
        raise InputError(f"{name}: its manifest says what its bytes must be; there is nothing to trust")
    folder = _folder_with(made)
    return trust_sums(name, {file: _sha256(folder / file) for file in asked})


def folder_of(manifest: Manifest) -> Path | None:
    """The first folder that has all files of a model, whatever is in them; the last is of those that come with the
    program.
    """
    places = (*folders(), _manifest.MODELS)
    return next((one for one in places if all((one / file.name).is_file() for file in manifest.files)), None)


def _folder_with(manifest: Manifest) -> Path:
    folder = folder_of(manifest)
    if folder is None:
        asked = ", ".join(map(str, folders()))
        names = ", ".join(file.name for file in manifest.files)
        raise InputError(
            f"{manifest.name}: {names} not found in {asked}; {manifest.download.strip()}; "
            f"put it into {folders()[0]}, or name its folder in ${FOLDERS}"
        )
    return folder


def folders() -> list[Path]:
    """Where models are looked for: those of $SIGHTLINE_MODELS, then the user's own."""
    named = [Path(folder) for folder in os.environ.get(FOLDERS, "").split(os.pathsep) if folder]
    return [*named, home("XDG_DATA_HOME", ".local/share") / "models"]


def _sha256(path: Path) -> str:
    try:
        seen = path.stat()
        key = (str(path), seen.st_size, seen.st_mtime_ns, seen.st_ino)
        if key not in _hashed:
            with path.open("rb") as file:
                _hashed[key] = file_digest(file, "sha256").hexdigest()
        return _hashed[key]
    except OSError as error:
        raise InputError(f"{path}: cannot be read, {error.strerror}; mend it, or fetch it again") from error
