"""What detectors on pictures have in common: a model that is opened and closed, batches in, people of each picture out.

It knows nothing of how a network's numbers become boxes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from configs.build import InputError
from engines._letterbox import Placed
from engines._manifest import Manifest
from engines._network import Network, Outputs, Precision, opened
from engines._resized import ordered

Array = NDArray[np.float32]
Found = tuple[
    Array, Array
]  # boxes (n, 4), left top right bottom in pixels of the picture; scores (n,), 0 to 1


@dataclass
class PictureDetector(ABC):
    """Runs a model by name. Until `open` nothing of it but its manifest is looked at."""

    model: str
    runtime: str = "auto"
    precision: Precision = "fp32"
    reads: Literal["color", "infrared"] = "color"  # which of a frame's pictures it is shown
    min_score: float = 0.3
    manifest: Manifest = field(init=False, repr=False)
    _network: Network | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        for name in ("min_score", "max_overlap"):
            if not 0 <= getattr(self, name, 0) <= 1:
                raise ValueError(f"{name} must be 0 to 1, got {getattr(self, name)}")

    def open(self) -> None:
        """Read the weights and make ready; raises InputError where that cannot be."""
        self.close()
        self._network = opened(self.manifest, self.runtime, self.precision)

    def close(self) -> None:
        """Give back what `open` took."""
        network, self._network = self._network, None
        if network is not None:
            network.close()

    def __call__(self, pictures: Sequence[NDArray[Any]]) -> list[Found]:
        """The people in each picture, best score first: RGB (h, w, 3) uint8, or infrared (h, w) uint8 or uint16, of
        any sizes. One without pixels shows nobody.
        """
        if self._network is None:
            raise RuntimeError(
                f"{type(self).__name__} is not open: call open() first, and close() at the end"
            )
        batch, placed = self._fitted(pictures)
        (port,) = self._network.inputs.values()
        outputs = self._network(ordered(batch, self.manifest.input).astype(port.dtype, copy=False))
        rows = self._rows(outputs)
        return [_seen(*self._found(of_one, where)) for of_one, where in zip(rows, placed, strict=True)]

    @abstractmethod
    def _fitted(self, pictures: Sequence[NDArray[Any]]) -> tuple[NDArray[np.uint8], list[Placed]]:
        """Pictures in the network's size, (n, height, width, 3), and where each lies there."""

    @abstractmethod
    def _rows(self, outputs: Outputs) -> NDArray[Any]:
        """What the network says of each picture, (n, ...)."""

    @abstractmethod
    def _found(self, rows: NDArray[Any], placed: Placed) -> Found:
        """The people that the network's rows about one picture show."""


def _seen(boxes: Array, scores: Array) -> Found:
    """Those that have an area in the picture; some networks find half of somebody beyond its edge."""
    seen = (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
    return boxes[seen], scores[seen]


def output_of(outputs: Outputs, shape: tuple[int | None, ...], model: str) -> NDArray[Any]:
    """The one output of this shape, None standing for any length; raises InputError without it."""
    fitting = [
        array
        for array in outputs.values()
        if array.ndim == len(shape)
        and all(wanted in (None, got) for wanted, got in zip(shape, array.shape, strict=True))
    ]
    if len(fitting) != 1:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in outputs.items())
        raise InputError(f"{model}: must give one output of shape {shape}, gives {shapes or 'none'}")
    return fitting[0]
