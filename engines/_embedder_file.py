"""An embedder of an ONNX file wherever it lies, with its manifest beside it. Whoever names a file vouches for it."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path
from typing import TypeVar

import msgspec

from configs.build import ConfigError, InputError
from configs.known import known
from engines._engine import ready
from engines._manifest import File, Manifest, read_manifest
from engines._model import Model
from engines._network import chosen_runtime
from engines._onnx import checked_onnx
from engines._plan import Plan
from engines.embedder import Embedder, _Output
from engines.reader import Reader
from engines.reader import _Output as _ReaderOutput

T = TypeVar("T")


class _OfFile(Model):
    def open(self) -> None:
        """As another model's, but nobody is asked whether the bytes are trusted."""
        path = Path(self.model)
        checked_onnx(path, (file.name for file in self.manifest.files))
        runtime, _ = chosen_runtime(path, self.runtime)
        self.use(ready(path, self.manifest, Plan(runtime, self.precision)))


@dataclass
class EmbedderFile(_OfFile, Embedder):
    """`model` is the path of an ONNX file."""

    def __post_init__(self) -> None:
        self.manifest, self._output = _beside(Path(self.model), "embedder", _Output)

    def _reader_of(self, name: str) -> Reader:
        return ReaderFile(str(Path(self.model).with_name(f"{name}.onnx")), self.runtime)


@dataclass
class ReaderFile(_OfFile, Reader):
    """What reads texts for such an embedder: a file beside its."""

    def __post_init__(self) -> None:
        self.manifest, said = _beside(Path(self.model), "reader", _ReaderOutput)
        self._knows(said)


def _beside(path: Path, engine: str, output: type[T]) -> tuple[Manifest, T]:
    """The manifest beside a file, with the sha256 of its files as they are, and its output."""
    described = path.with_suffix(".yaml")
    if not path.is_file():
        raise InputError(f"{path}: is not there; name an ONNX file, or one of 'models'")
    if not described.is_file():
        raise InputError(
            f"{described}: is not there; write the manifest of {path.name}, its colours and their range"
        )
    made = read_manifest(described)
    if (made.task, made.engine, made.files[0].name) != ("embed", engine, path.name):
        raise InputError(
            f"{described}: must have task embed, engine {engine}, and {path.name} as the first of its files"
        )
    made = msgspec.structs.replace(made, files=tuple(_as_it_is(path.parent / one.name) for one in made.files))
    try:
        return made, msgspec.convert(made.output, known(output))
    except msgspec.ValidationError as error:
        raise ConfigError(f"{described}: output: {str(error).lower()}") from error


def _as_it_is(path: Path) -> File:
    try:
        with path.open("rb") as file:
            return File(path.name, file_digest(file, "sha256").hexdigest())
    except OSError as error:
        raise InputError(f"{path}: cannot be read, {error.strerror}; put it beside its manifest") from error
