"""Shows what people looked like to the picture at the end of a run. Not part of a graph unless it is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.messages import Portrait, Tracklet
from pipeline.stage import Stage


@dataclass
class View(Stage[Tracklet, Portrait]):
    """Gives the best colour crop of each tracklet as it closes."""

    def process(self, tracklet: Tracklet) -> Iterator[Portrait]:
        coloured = [crop for crop in tracklet.crops if crop.color is not None]
        if tracklet.phase != "closed" or not coloured:
            return
        best = max(coloured, key=lambda crop: crop.quality)
        if best.color is not None:
            yield Portrait(tracklet.camera_id, tracklet.tracklet_id, best.captured_ns, best.color)
