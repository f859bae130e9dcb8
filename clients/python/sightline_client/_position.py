"""Where a consumer stopped, in a small file that is whole at any moment."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from sightline_client.codec import decoded
from sightline_client.errors import SightlineError

VERSION = 1
LATEST_IDS = 2000  # kept across a restart
MOST_BYTES = 16 << 20


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """How far each part of a source has been read, and what is needed to tell repeats and gaps from there on."""

    version: int = VERSION
    places: dict[str, Any] = {}  # by topic and partition, or by file
    sequences: list[tuple[str, str, int]] = []  # the last of each stream and key
    ids: list[str] = []  # the latest


def load(path: Path) -> Position | None:
    """What was saved there, or None if nothing was."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise SightlineError(f"{path}: is too large for a position; choose another file")
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SightlineError(f"{path}: cannot be read, {error.strerror}; choose another file") from error
    try:
        position = decoded(data, Position)
    except SightlineError as error:
        raise SightlineError(f"{path}: {error}; remove it to begin anew") from error
    if position.version != VERSION:
        text = f"was written by version {position.version}, this reads {VERSION}"
        raise SightlineError(f"{path}: {text}; use the same version of sightline_client")
    return position


def save(path: Path, position: Position) -> None:
    """Replace what was saved: after a crash there is the old one or this one."""
    beside = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        with beside.open("wb") as file:
            file.write(msgspec.json.encode(position))
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        with suppress(OSError):
            beside.unlink()
        raise SightlineError(f"{path}: cannot be written, {error.strerror}; choose another file") from error
