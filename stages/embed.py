"""Turns the crops of each tracklet into a vector that says what the person looks like."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
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
NOTHING: Vectors = np.empty((0, 0), np.float32)


@dataclass
class Embed(Stage[Tracklet, Embedding]):
    """Runs the embedder on a tracklet's new crops: on their depth, colour and heights, or on their pictures alone, in
    colour or else infrared, of up to `max_batch` tracklets of one time at once. A tracklet without such crops gets an
    empty vector.
    """

    embedder: Callable[..., Vectors]
    max_batch: int = 1

    def __post_init__(self) -> None:
        if self.max_batch < 1:
            raise ValueError(f"max_batch must be at least 1, got {self.max_batch}")

    def process(self, tracklet: Tracklet) -> Iterator[Embedding]:
        yield from self.process_many([tracklet])[0]

    def process_many(self, tracklets: Sequence[Tracklet]) -> Sequence[Iterable[Embedding]]:
        engine: Any = self.embedder
        by_color = getattr(engine, "reads", "depth") == "color"
        crops = [[crop for crop in one.crops if _fits(crop, one, by_color)] for one in tracklets]
        speaking = [engine.of(one.modality) if hasattr(engine, "of") else engine for one in tracklets]
        vectors = self._by_color(crops) if by_color else map(_by_depth, speaking, tracklets, crops)
        return [
            [Embedding(one, _mean(those, some, _is_sure(own)), one.modality, engine.model_id)]
            for one, own, some, those in zip(tracklets, speaking, crops, vectors, strict=True)
        ]

    def _by_color(self, crops: Sequence[Sequence[Crop]]) -> Iterable[Vectors]:
        """For each tracklet the vectors of its crops, of which the embedder is given all at once."""
        every = [crop.picture for some in crops for crop in some]
        if not every:
            return [NOTHING] * len(crops)
        return np.split(self.embedder(every), np.cumsum([len(some) for some in crops])[:-1])


def _fits(crop: Crop, tracklet: Tracklet, by_color: bool) -> bool:
    """Whether it shows what the tracklet began with: a vector by depth alone is none to add to those with colour."""
    return crop.picture is not None if by_color else crop.color is not None or tracklet.modality != "rgbd"


def _by_depth(engine: Any, tracklet: Tracklet, crops: Sequence[Crop]) -> Vectors:
    if not crops:
        return NOTHING
    colors = [crop.color if tracklet.modality == "rgbd" else None for crop in crops]
    heights_m = np.array([crop.height_m for crop in crops], np.float32)
    vectors: Vectors = engine(colors, [_points(crop) for crop in crops], heights_m)
    return vectors


def _is_sure(engine: Any) -> bool:
    """Whether its vectors are as long as it is sure of them."""
    return getattr(engine, "says_how_sure", False)


def _mean(vectors: Vectors, crops: Sequence[Crop], is_sure: bool) -> Vector:
    """Of length 1, or as long as it is sure, so that it counts for so much among a tracklet's others; empty where no
    crop had pixels.
    """
    weights = np.array([crop.quality for crop in crops], np.float32) + 1e-3
    total = (vectors * weights[:, None]).sum(axis=0)
    if not total.any():
        return np.empty(0, np.float32)
    mean: Vector = (total / (weights.sum() if is_sure else np.linalg.norm(total))).astype(np.float32)
    return mean


def _points(crop: Crop) -> Points | None:
    """Where each pixel of a crop is, from the head's place on the floor."""
    if crop.depth is None:
        return None
    left, top, right, bottom = crop.box
    across, down, ahead = crop.view.world_from_pixel.T
    points = (np.arange(top, bottom)[:, None] * down + ahead)[:, None] + np.arange(left, right)[
        :, None
    ] * across
    points *= np.where(crop.depth == 0, np.nan, crop.depth * crop.depth_scale_m)[..., None]
    points += crop.view.pose.translation_m - np.array([*crop.floor_m, 0.0])
    return np.asarray(points, np.float32)
