"""A model by name, for the engine that decodes it: its manifest, and what it says of the output, checked."""

from __future__ import annotations

from typing import Literal, TypeVar

import msgspec

from configs.build import ConfigError
from engines._manifest import Manifest, manifest

T = TypeVar("T")


def model_of(name: str, task: Literal["detect", "embed"], engine: str, output: type[T]) -> tuple[Manifest, T]:
    """The manifest of that name, and its `output` as this engine reads it; raises ValueError where it is not for it."""
    try:
        made = manifest(name)
    except ConfigError as error:
        raise ValueError(str(error)) from error
    if (made.task, made.engine) != (task, engine):
        raise ValueError(
            f"model: {name} is for {made.engine}, which {made.task}s; write {{engine: {made.engine}, model: {name}}}"
        )
    try:
        return made, msgspec.convert(made.output, output)
    except msgspec.ValidationError as error:
        raise ValueError(f"engines/models/{name}.yaml: output: {str(error).lower()}") from error
