"""Tensors by name from a file that somebody else has written: safetensors, PyTorch's, or a TorchScript archive.

Nothing in the file is run: of PyTorch's files only tensors are read, and of a TorchScript archive its tensors alone.
"""

from __future__ import annotations

import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from configs.build import InputError

SCRIPT = "constants.pkl"  # only a TorchScript archive has it
SCRIPTED = "__torch__."
LISTS = tuple(f"torch.jit._pickle.build_{kind}list" for kind in ("int", "double", "bool", "tensor"))


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Every tensor of a file, by name; raises InputError with one line."""
    try:
        path.open("rb").close()
    except OSError as error:
        raise InputError(f"{path}: cannot be read, {error.strerror}; name a file that is there") from error
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        found = _unscripted(path) if _is_script(path) else torch.load(path, "cpu", weights_only=True)
    except Exception as error:  # whatever a damaged file brings about
        raise InputError(f"{path}: {_refused(error)}") from error
    if isinstance(found, dict) and isinstance(found.get("state_dict"), dict):
        found = found["state_dict"]
    if not isinstance(found, dict) or not all(isinstance(tensor, Tensor) for tensor in found.values()):
        raise InputError(f"{path}: does not hold weights by name; name a file of weights")
    return found


def _refused(error: Exception) -> str:
    said = str(error)
    if "GLOBAL " in said:  # something that would be called
        return "holds more than weights, code that would run; have it saved as safetensors, and name that"
    why = said.splitlines()[0].rstrip(".") if said else "it ends too early"
    if why.startswith("Weights only"):
        why = "what is in it are no tensors"  # PyTorch would advise to load it all the same
    return f"is damaged or no file of weights, {why}; fetch it again"


def _is_script(path: Path) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith(f"/{SCRIPT}") for name in archive.namelist())


def _unscripted(path: Path) -> dict[str, Tensor]:
    """The tensors of a scripted module, without its code: its classes are stood in for by empty ones."""
    bare = BytesIO()
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(bare, "w") as kept:
        for name in archive.namelist():
            folder, _, record = name.partition("/")
            if record.startswith("data") or record in ("version", "byteorder"):
                kept.writestr(name, archive.read(name))
    bare.seek(0)
    needed = torch.serialization.get_unsafe_globals_in_checkpoint(bare)
    bare.seek(0)
    classes: list[Any] = [(type("Module", (), {}), name) for name in needed if name.startswith(SCRIPTED)]
    with torch.serialization.safe_globals([*classes, *((list, name) for name in LISTS)]):
        module = torch.load(bare, "cpu", weights_only=True)
    return dict(_named("", module))


def _named(prefix: str, module: Any) -> list[tuple[str, Tensor]]:
    found = []
    for name, value in vars(module).items():
        if isinstance(value, Tensor):
            found.append((prefix + name, value))
        elif hasattr(value, "__dict__"):
            found += _named(f"{prefix}{name}.", value)
    return found
