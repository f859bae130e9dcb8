"""A training's state in a file that is whole or not there: safetensors, and JSON in its header. Never pickle."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from configs.build import InputError

VERSION = 1
KEY = "sightline"
State = dict[str, Tensor]


def save(path: Path, state: Mapping[str, Tensor], told: Mapping[str, Any]) -> None:
    """Write a file in the place of the one that is there, or leave that as it is; raises InputError."""
    text = json.dumps({"version": VERSION, **told})
    new = path.with_name(f".{path.name}.new")
    try:
        save_file({name: tensor.contiguous() for name, tensor in state.items()}, new, {KEY: text})
        _flush(new)
        new.replace(path)
        _flush(path.parent)
    except (OSError, SafetensorError) as error:
        new.unlink(missing_ok=True)
        raise InputError(f"{path}: cannot be written, {error}; make room, and run it again") from error


def load(path: Path, device: str = "cpu") -> tuple[State, dict[str, Any]]:
    """The tensors and what is told of them; raises InputError with one line."""
    try:
        with safe_open(path, "pt", device) as file:
            told = json.loads((file.metadata() or {}).get(KEY, "{}"))
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, it is no mapping
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read, {error.strerror or error}; name a file that is there"
        ) from error
    except (SafetensorError, ValueError) as error:
        raise InputError(
            f"{path}: is damaged or no checkpoint, {error}; take it away, and train again"
        ) from error
    if told.get("version") != VERSION:
        found = f"of version {told['version']}" if "version" in told else "not written by this program"
        raise InputError(f"{path}: is {found}, this reads version {VERSION}; train again")
    return state, told


def _flush(path: Path) -> None:
    """To the disk itself, so that a power cut leaves the old or the new."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
