"""An embedder of an ONNX file wherever it lies, with its manifest beside it. Whoever names a file vouches for it."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path

import msgspec

from configs.build import ConfigError, InputError
from configs.known import known
from engines._engine import ready
from engines._manifest import File, Manifest, read_manifest
from engines._network import chosen_runtime
from engines._onnx import checked_onnx
from engines._plan import Plan
from engines.embedder import Embedder, _Output


@dataclass
class EmbedderFile(Embedder):
    """`model` is the path of an ONNX file."""

    def __post_init__(self) -> None:
        path = Path(self.model)
        self.manifest = _manifest_beside(path)
        try:
            self._output = msgspec.convert(self.manifest.output, known(_Output))
        except msgspec.ValidationError as error:
            raise ConfigError(f"{path.with_suffix('.yaml')}: output: {str(error).lower()}") from error

    def open(self) -> None:
        """As another embedder's, but nobody is asked whether the bytes are trusted."""
        path = Path(self.model)
        checked_onnx(path, (file.name for file in self.manifest.files))
        runtime, _ = chosen_runtime(path, self.runtime)
        self.use(ready(path, self.manifest, Plan(runtime, self.precision)))


def _manifest_beside(path: Path) -> Manifest:
    """With the sha256 of its files as they are."""
    described = path.with_suffix(".yaml")
    if not path.is_file():
        raise InputError(f"{path}: is not there; name an ONNX file, or one of 'models'")
    if not described.is_file():
        raise InputError(
            f"{described}: is not there; write the manifest of {path.name}, its colours and their range"
        )
    made = read_manifest(described)
    if (made.task, made.engine, made.files[0].name) != ("embed", "embedder", path.name):
        raise InputError(
            f"{described}: must have task embed, engine embedder, and {path.name} as the first of its files"
        )
    return msgspec.structs.replace(made, files=tuple(_as_it_is(path.parent / one.name) for one in made.files))


def _as_it_is(path: Path) -> File:
    try:
        with path.open("rb") as file:
            return File(path.name, file_digest(file, "sha256").hexdigest())
    except OSError as error:
        raise InputError(f"{path}: cannot be read, {error.strerror}; put it beside its manifest") from error
