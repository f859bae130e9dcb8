"""Finds people with a YOLOX network, from its raw grid: a person for each place that is sure of one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from engines._letterbox import Placed
from engines._model import model_of
from engines._network import Outputs
from engines._picture_detector import Found, PictureDetector, output_of
from engines._suppression import kept_of


class _Output(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    strides: tuple[int, ...]
    classes: int
    person: int


@dataclass
class Yolox(PictureDetector):
    """YOLOX (Ge et al. 2021) of any size, exported without its decoding."""

    max_overlap: float = 0.45  # IoU of two boxes above which they are one person

    def __post_init__(self) -> None:
        super().__post_init__()
        self.manifest, self._output = model_of(self.model, "detect", "yolox", _Output)

    def _rows(self, outputs: Outputs) -> NDArray[Any]:
        return output_of(outputs, (None, len(self._cells), 5 + self._output.classes), self.model)

    def _found(self, rows: NDArray[Any], placed: Placed) -> Found:
        scores = rows[:, 4] * rows[:, 5 + self._output.person]
        sure = np.flatnonzero(scores >= self.min_score)  # only these are worth decoding
        cells = self._cells[sure]
        strides = cells[:, 2:]
        middles = (rows[sure, :2] + cells[:, :2]) * strides
        halves = np.exp(rows[sure, 2:4]) * strides / 2
        boxes = placed.back(np.concatenate([middles - halves, middles + halves], axis=1))
        kept = kept_of(boxes, scores[sure], self.min_score, self.max_overlap)
        return boxes[kept], scores[sure][kept]

    @cached_property
    def _cells(self) -> NDArray[np.float32]:
        """Column, row and stride of each row of the output: (n, 3)."""
        height, width = self.manifest.input.size
        grids = []
        for stride in self._output.strides:
            rows, columns = np.mgrid[: height // stride, : width // stride]
            grids.append(np.stack([columns, rows, np.full_like(rows, stride)], axis=-1).reshape(-1, 3))
        return np.concatenate(grids).astype(np.float32)
