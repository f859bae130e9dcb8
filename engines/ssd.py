"""Finds people with an SSD network whose last layer has already chosen: a row for each thing it has found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from engines._letterbox import Placed
from engines._model import model_of
from engines._network import Outputs
from engines._picture_detector import Found, PictureDetector, output_of


class _Output(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    person: int


@dataclass
class Ssd(PictureDetector):
    """OpenVINO's form of SSD: rows of image, class, score, left, top, right, bottom, places as shares of the picture.
    The row behind the last has a negative image.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        self.manifest, self._output = model_of(self.model, "detect", "ssd", _Output)

    def _rows(self, outputs: Outputs) -> NDArray[Any]:
        return output_of(outputs, (None, 1, None, 7), self.model)[:, 0]

    def _found(self, rows: NDArray[Any], placed: Placed) -> Found:
        rows = rows[: np.argmax(rows[:, 0] < 0)] if (rows[:, 0] < 0).any() else rows
        height, width = self.manifest.input.size
        boxes = placed.back(rows[:, 3:] * np.array([width, height] * 2, np.float32))
        people = (rows[:, 1] == self._output.person) & (rows[:, 2] >= self.min_score)
        people &= np.isfinite(boxes).all(axis=1)
        best = np.flatnonzero(people)[np.argsort(-rows[people, 2], kind="stable")]
        return boxes[best], rows[best, 2].astype(np.float32)
