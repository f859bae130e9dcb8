"""Shows what people looked like to the picture at the end of a run. Not part of a graph unless it is asked for."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

from pipeline.keyed import Keyed
from pipeline.messages import Crop, Portrait, Tracklet
from pipeline.stage import Memory, Stage


@dataclass
class View(Stage[Tracklet, Portrait]):
    """Gives the best colour crop of each tracklet as it closes."""

    memory: ClassVar[Memory] = Memory.CAMERA
    crops_s: float = math.inf  # for how long a picture may be kept; given by the runtime
    _best: Keyed[Crop] = field(default_factory=Keyed, init=False)  # by tracklet

    def advance(self, to_ns: int) -> Iterator[Portrait]:
        for id, crop in list(self._best.items()):
            if to_ns - crop.captured_ns > self.crops_s * 1e9:
                self._best.delete(id)
        return iter(())

    def process(self, tracklet: Tracklet) -> Iterator[Portrait]:
        id = tracklet.tracklet_id
        for crop in tracklet.crops:
            best = self._best.get(id)
            if crop.color is not None and (best is None or crop.quality > best.quality):
                self._best.put(id, crop)
        best = self._best.get(id)
        if tracklet.phase != "closed" or best is None or best.color is None:
            return
        self._best.delete(id)
        yield Portrait(tracklet.camera_id, id, best.captured_ns, best.color)
