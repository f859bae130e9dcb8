"""Turns pictures of people into vectors with any network that gives one vector for a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from configs.build import InputError
from engines._ahead import run_ahead
from engines._model import Model, model_of
from engines._resized import resized
from engines.reader import Reader


class _Output(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    length: int
    parts: int = 0  # of a second output, how far each part of a vector is to be trusted; 0: there is none
    texts: str = ""  # the model of the engine `reader` whose vectors of texts these are compared with

    def __post_init__(self) -> None:
        if self.parts < 0 or self.parts and self.length % self.parts:
            raise ValueError(f"parts must be 0, or divide length, {self.length}, got {self.parts}")


@dataclass
class Embedder(Model):
    """The network's one vector, of length 1."""

    reads: ClassVar[str] = "color"
    _reader: Reader | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        self.manifest, self._output = model_of(self.model, "embed", "embedder", _Output)

    @property
    def model_id(self) -> str:
        """The model's name and the beginning of its file's sha256: only vectors of one model can be compared."""
        return f"{self.model}.{self.manifest.files[0].sha256[:8]}"

    @property
    def says_what_shows(self) -> bool:
        """Whether `seen` tells more than that all is to be trusted."""
        return self._output.parts > 0

    def __call__(self, pictures: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
        """A vector of length 1 for each picture, (n, d): RGB (h, w, 3) uint8, or infrared (h, w) uint8 or uint16, of
        any sizes. That of a picture without pixels is all 0: it is like nobody.
        """
        return self.seen(pictures)[0]

    def seen(self, pictures: Sequence[NDArray[Any]]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The same, and how far each part of each vector is to be trusted, (n, parts) of 0 to 1: see
        engines/index/masked.py. A network that does not say so has one part, and all of it is; of a picture without
        pixels nothing is.
        """
        wanted = self.manifest.input
        vectors = [np.empty((0, self._output.length), np.float32)]
        visibility = [np.empty((0, max(1, self._output.parts)), np.float32)]
        for outputs, has_pixels in run_ahead(
            self._open, wanted, pictures, partial(resized, size_px=wanted.size)
        ):
            vectors.append(self._vectors(outputs) * has_pixels[:, None])
            visibility.append(self._visibility(outputs, len(has_pixels)) * has_pixels[:, None])
        return np.concatenate(vectors), np.concatenate(visibility)

    def texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """A vector of length 1 for each text, which those of pictures are compared with: (n, d). Raises InputError for
        a model that reads no texts.
        """
        reader = self._reading()
        if not reader.is_open:
            reader.open()
        return reader(texts)

    def unknown(self, text: str) -> list[str]:
        """The words of a text that mean nothing to it."""
        return self._reading().unknown(text)

    def close(self) -> None:
        """Give back what `open` took, and what texts were read with."""
        super().close()
        if self._reader is not None:
            self._reader.close()

    def _reading(self) -> Reader:
        if not self._output.texts:
            raise InputError(f"{self.model}: reads no texts; name a model that does, like unified")
        if self._reader is None:
            self._reader = self._reader_of(self._output.texts)
        return self._reader

    def _reader_of(self, name: str) -> Reader:
        return Reader(name, self.runtime)

    def _visibility(self, outputs: Any, count: int) -> NDArray[np.float32]:
        if not self._output.parts:
            return np.ones((count, 1), np.float32)
        _, *others = outputs.values()
        if not others or others[0].shape[1:] != (self._output.parts,):
            found = list(others[0].shape[1:]) if others else "nothing"
            raise InputError(
                f"{self.model}: must say of {self._output.parts} parts how far they show, says {found}"
            )
        visibility = np.asarray(others[0], np.float32)
        if not ((visibility >= 0) & (visibility <= 1)).all():
            raise InputError(f"{self.model}: must say from 0 to 1 how far each part shows, says otherwise")
        return visibility

    def _vectors(self, outputs: Any) -> NDArray[np.float32]:
        """The first output, each row of it of length 1."""
        array = next(iter(outputs.values()))
        flat = array.reshape(len(array), -1).astype(np.float32)
        if flat.shape[1] != self._output.length:
            raise InputError(
                f"{self.model}: must give vectors of {self._output.length}, gives {flat.shape[1]} numbers"
            )
        return np.asarray(flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-12), np.float32)
