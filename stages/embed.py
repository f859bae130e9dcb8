"""Turns the crops of each tracklet into a vector that says what the person looks like."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.messages import Crop, Embedding, Tracklet, Vector
from pipeline.stage import Stage

Points = NDArray[
    np.float32
]  # (height, width, 3): metres from the head's place on the floor, up is z; NaN unknown
Vectors = NDArray[np.float32]  # (n, d)


@dataclass
class Embed(Stage[Tracklet, Embedding]):
    """Runs the embedder on a tracklet's new crops: on their depth, colour and heights, or on their pictures alone, in
    colour or else infrared. A tracklet without such crops gets an empty vector.
    """

    embedder: Callable[..., Vectors]

    def process(self, tracklet: Tracklet) -> Iterator[Embedding]:
        engine: Any = self.embedder
        by_color = getattr(engine, "reads", "depth") == "color"
        crops = [crop for crop in tracklet.crops if crop.picture is not None or not by_color]
        vector = np.empty(0, np.float32)
        if crops:
            vectors = engine([crop.picture for crop in crops]) if by_color else self._by_depth(crops)
            vector = _mean(vectors, np.array([crop.quality for crop in crops], np.float32))
        yield Embedding(tracklet, vector, tracklet.modality, engine.model_id)

    def _by_depth(self, crops: Sequence[Crop]) -> Vectors:
        heights_m = np.array([crop.height_m for crop in crops], np.float32)
        return self.embedder([crop.color for crop in crops], [_points(crop) for crop in crops], heights_m)


def _mean(vectors: Vectors, weights: NDArray[np.float32]) -> Vector:
    total = (vectors * (weights[:, None] + 1e-3)).sum(axis=0)
    if not total.any():  # no crop had pixels
        return np.empty(0, np.float32)
    unit: Vector = (total / np.linalg.norm(total)).astype(np.float32)
    return unit


def _points(crop: Crop) -> Points | None:
    """Where each pixel of a crop is, from the head's place on the floor."""
    if crop.depth is None:
        return None
    left, top, right, bottom = crop.box
    rows, columns = np.mgrid[top:bottom, left:right]
    rays = np.stack([columns, rows, np.ones_like(rows)], axis=-1) @ crop.view.world_from_pixel.T
    metres = crop.depth * crop.depth_scale_m
    points = crop.view.pose.translation_m + metres[..., None] * rays - np.array([*crop.floor_m, 0.0])
    points[crop.depth == 0] = np.nan
    return np.asarray(points, np.float32)
