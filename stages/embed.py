"""Turns the crops of each tracklet into a vector that says what the person looks like."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.messages import Crop, Embedding, Tracklet, Vector, Visibility
from pipeline.stage import Stage

Points = NDArray[
    np.float32
]  # (height, width, 3): metres from the head's place on the floor, up is z; NaN unknown
Vectors = NDArray[np.float32]  # (n, d)
TINY = 1e-9


class Seen(NamedTuple):
    """Of each crop what it looks like, and how far each part of that shows (n, parts), where the embedder says so."""

    vectors: Vectors
    visibility: Vectors | None = None


NOTHING = Seen(np.empty((0, 0), np.float32))


@dataclass
class Embed(Stage[Tracklet, Embedding]):
    """Runs the embedder on a tracklet's new crops: on their depth, colour and heights, or on their pictures alone, in
    colour or else infrared, of up to `max_batch` tracklets of one time at once. A tracklet without such crops, or of
    which nothing shows in them, gets an empty vector.
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
        seen = self._by_color(crops) if by_color else map(_by_depth, speaking, tracklets, crops)
        means = [
            _mean(those, some, _is_sure(own)) for own, some, those in zip(speaking, crops, seen, strict=True)
        ]
        return [
            [Embedding(one, vector, one.modality, engine.model_id, visibility)]
            for one, (vector, visibility) in zip(tracklets, means, strict=True)
        ]

    def _by_color(self, crops: Sequence[Sequence[Crop]]) -> Iterable[Seen]:
        """For each tracklet what is seen in its crops, of which the embedder is given all at once."""
        every, ends = (
            [crop.picture for some in crops for crop in some],
            np.cumsum([len(some) for some in crops]),
        )
        if not every:
            return [NOTHING] * len(crops)
        engine: Any = self.embedder
        if not getattr(engine, "says_what_shows", False):
            return map(Seen, np.split(engine(every), ends[:-1]))
        return map(Seen, *(np.split(of_each, ends[:-1]) for of_each in engine.seen(every)))


def _fits(crop: Crop, tracklet: Tracklet, by_color: bool) -> bool:
    """Whether it shows what the tracklet began with: a vector by depth alone is none to add to those with colour."""
    return crop.picture is not None if by_color else crop.color is not None or tracklet.modality != "rgbd"


def _by_depth(engine: Any, tracklet: Tracklet, crops: Sequence[Crop]) -> Seen:
    if not crops:
        return NOTHING
    colors = [crop.color if tracklet.modality == "rgbd" else None for crop in crops]
    heights_m = np.array([crop.height_m for crop in crops], np.float32)
    return Seen(engine(colors, [_points(crop) for crop in crops], heights_m))


def _is_sure(engine: Any) -> bool:
    """Whether its vectors are as long as it is sure of them."""
    return getattr(engine, "says_how_sure", False)


def _mean(seen: Seen, crops: Sequence[Crop], is_sure: bool) -> tuple[Vector, Visibility | None]:
    """Of length 1, or as long as it is sure, so that it counts for so much among a tracklet's others; empty where no
    crop had pixels. Each part by the crops that show it, and as visible as in the one that shows it best.
    """
    weights = np.array([crop.quality for crop in crops], np.float32)[:, None] + 1e-3
    if seen.visibility is not None:
        weights = weights * np.repeat(
            seen.visibility, seen.vectors.shape[1] // seen.visibility.shape[1], axis=1
        )
    total = (seen.vectors * weights).sum(axis=0)
    if not total.any():
        return np.empty(0, np.float32), None
    if is_sure:
        return (total / weights.sum()).astype(np.float32), None
    if seen.visibility is None:
        return (total / np.linalg.norm(total)).astype(np.float32), None
    mean = total / np.maximum(weights.sum(axis=0), TINY)
    return (mean / np.linalg.norm(mean)).astype(np.float32), seen.visibility.max(axis=0)


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
