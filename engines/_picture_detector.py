"""What detectors on pictures have in common: pictures in a batch, people of each out.

It knows nothing of how a network's numbers become boxes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from configs.build import InputError
from engines._ahead import run_ahead
from engines._letterbox import Place, Placed, letterboxed, stretched_over
from engines._model import Model
from engines._network import Outputs

Array = NDArray[np.float32]
Found = tuple[
    Array, Array
]  # boxes (n, 4), left top right bottom in pixels of the picture; scores (n,), 0 to 1


@dataclass
class PictureDetector(Model, ABC):
    """Persons in pictures. A subclass reads the network's numbers."""

    place: ClassVar[Place] = "corner"  # of a picture in an input whose aspect is another
    reads: Literal["color", "infrared"] = "color"  # which of a frame's pictures it is shown
    min_score: float = 0.3

    def __post_init__(self) -> None:
        for name in ("min_score", "max_overlap"):
            if not 0 <= getattr(self, name, 0) <= 1:
                raise ValueError(f"{name} must be 0 to 1, got {getattr(self, name)}")

    def __call__(self, pictures: Sequence[NDArray[Any]]) -> list[Found]:
        """The people in each picture, best score first: RGB (h, w, 3) uint8, or infrared (h, w) uint8 or uint16, of
        any sizes. One without pixels shows nobody.
        """
        found = []
        for outputs, placed in run_ahead(self._open, self.manifest.input, pictures, self._fitted):
            rows = self._rows(outputs)
            found += [_seen(*self._found(of_one, where)) for of_one, where in zip(rows, placed, strict=True)]
        return found

    def _fitted(self, pictures: Sequence[NDArray[Any]]) -> tuple[NDArray[np.uint8], list[Placed]]:
        """Pictures in the network's size, (n, height, width, 3), and where each lies there."""
        wanted = self.manifest.input
        if wanted.letterbox is None:
            return stretched_over(pictures, wanted.size)
        return letterboxed(pictures, wanted.size, wanted.letterbox, self.place)

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
