"""Turns pictures of people into vectors with any network that gives one vector for a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from configs.build import InputError
from engines._manifest import Manifest
from engines._model import model_of
from engines._network import Network, Precision, opened
from engines._resized import ordered, resized


class _Output(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    length: int


@dataclass
class Embedder:
    """Runs a model by name. Until `open` nothing of it but its manifest is looked at."""

    reads: ClassVar[str] = "color"
    model: str
    runtime: str = "auto"
    precision: Precision = "fp32"
    manifest: Manifest = field(init=False, repr=False)
    _network: Network | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        self.manifest, self._output = model_of(self.model, "embed", "embedder", _Output)

    @property
    def model_id(self) -> str:
        """The model's name and the beginning of its file's sha256: only vectors of one model can be compared."""
        return f"{self.model}.{self.manifest.files[0].sha256[:8]}"

    def open(self) -> None:
        """Read the weights and make ready; raises InputError where that cannot be."""
        self.close()
        self._network = opened(self.manifest, self.runtime, self.precision)

    def close(self) -> None:
        """Give back what `open` took."""
        network, self._network = self._network, None
        if network is not None:
            network.close()

    def __call__(self, pictures: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
        """A vector of length 1 for each picture, (n, d): RGB (h, w, 3) uint8, or infrared (h, w) uint8 or uint16, of
        any sizes. That of a picture without pixels is all 0: it is like nobody.
        """
        if self._network is None:
            raise RuntimeError("Embedder is not open: call open() first, and close() at the end")
        batch, has_pixels = resized(pictures, self.manifest.input.size)
        vectors = np.zeros((len(pictures), self._output.length), np.float32)
        if has_pixels.any():
            (port,) = self._network.inputs.values()
            asked = ordered(batch[has_pixels], self.manifest.input).astype(port.dtype, copy=False)
            vectors[has_pixels] = self._vectors(self._network(asked))
        return vectors

    def _vectors(self, outputs: Any) -> NDArray[np.float32]:
        """The first output, each row of it of length 1."""
        array = next(iter(outputs.values()))
        flat = array.reshape(len(array), -1).astype(np.float32)
        if flat.shape[1] != self._output.length:
            raise InputError(
                f"{self.model}: must give vectors of {self._output.length}, gives {flat.shape[1]} numbers"
            )
        return np.asarray(flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-12), np.float32)
