"""Finds people with a YOLO network as Ultralytics exports it: 8 and 11, whose boxes are thinned out here, and 26, which
gives each person once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from engines._letterbox import Place, Placed
from engines._model import model_of
from engines._network import Outputs
from engines._picture_detector import Found, PictureDetector, output_of
from engines._suppression import kept_of


class _Output(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    classes: int
    person: int
    is_end_to_end: bool


@dataclass
class Yolo(PictureDetector):
    """Middle, size and a score for each class (4 + classes, n); end to end, box, score and class (n, 6)."""

    engine: ClassVar[str] = "yolo"
    place: ClassVar[Place] = "middle"
    max_overlap: float = 0.7  # IoU of two boxes above which they are one person; end to end it is not asked
    max_people: int = 300

    def __post_init__(self) -> None:
        super().__post_init__()
        self.manifest, self._output = model_of(self.model, "detect", self.engine, _Output)

    def _rows(self, outputs: Outputs) -> NDArray[Any]:
        if self._output.is_end_to_end:
            return output_of(outputs, (None, None, 6), self.model)
        return output_of(outputs, (None, 4 + self._output.classes, None), self.model)

    def _found(self, rows: NDArray[Any], placed: Placed) -> Found:
        boxes, scores = self._chosen(rows) if self._output.is_end_to_end else self._people(rows)
        inside = placed.back(boxes)[: self.max_people]
        return inside, scores[: self.max_people]

    def _chosen(self, rows: NDArray[Any]) -> Found:
        people = (rows[:, 5] == self._output.person) & (rows[:, 4] >= self.min_score)
        people &= np.isfinite(rows[:, :4]).all(axis=1)
        best = np.flatnonzero(people)[np.argsort(-rows[people, 4], kind="stable")]
        return rows[best, :4], rows[best, 4]

    def _people(self, rows: NDArray[Any]) -> Found:
        """Where no other class is surer than that of persons; overlaps are those in the network's input."""
        of_person = rows[4 + self._output.person]
        sure = np.flatnonzero(of_person >= self.min_score)
        sure = sure[rows[4:, sure].argmax(axis=0) == self._output.person]
        middles, halves = rows[:2, sure].T, rows[2:4, sure].T / 2
        boxes = np.concatenate([middles - halves, middles + halves], axis=1)
        kept = kept_of(boxes, of_person[sure], self.min_score, self.max_overlap)
        return boxes[kept], of_person[sure][kept]
