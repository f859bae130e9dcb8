"""A small graph of toys that shows what a graph can be: painted cameras, from frames to identity events."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from builders import IDENTITY_EVENT, crop, detections, embedding, frame, tracklet, tracks

from calibration.site import Site
from pipeline.graph import Node
from pipeline.keyed import Keyed
from pipeline.messages import (
    Detections,
    Embedding,
    Frame,
    FrameSet,
    Heartbeat,
    IdentityEvent,
    Reset,
    SystemEvent,
    Tracklet,
    TrackletEvent,
    Tracks,
    Vector,
)
from pipeline.stage import Memory, Source, Stage

COLOURS = ((255, 0, 0), (0, 255, 0), (0, 0, 255))


@dataclass
class Painted(Source[Frame]):
    """Two squares walk through; `jump_at` is the frame before which the clock is said to have jumped."""

    frames: int = 12
    fps: float = 25.0
    lag_ms: float = 0.0
    jump_at: int = -1

    def produce(self, from_ns: int) -> Iterator[Frame | Heartbeat | SystemEvent | Reset]:
        for index in range(self.frames):
            captured_ns = int(1e9 * index / self.fps + 1e6 * self.lag_ms)
            if captured_ns < from_ns:
                continue
            if index == self.jump_at:
                yield SystemEvent("clock_changed", self.camera_id, captured_ns, "jumped back by 5 s")
                yield Reset(self.camera_id, captured_ns)
            yield frame(self.camera_id, index, captured_ns, color=self._paint(index))

    def _paint(self, index):
        image = np.zeros((48, 96, 3), np.uint8)
        for person in range(2):
            left, top = 2 * index + 30 * person, 10 + 12 * person
            image[top : top + 10, left : left + 6] = COLOURS[person]
        return image


class Beating(Painted):
    """Says after each frame that nothing else was before."""

    def produce(self, from_ns: int) -> Iterator[Frame | Heartbeat | SystemEvent | Reset]:
        for message in super().produce(from_ns):
            yield message
            if isinstance(message, Frame):
                yield Heartbeat(message.captured_ns + 1)


@dataclass
class Detect(Stage[FrameSet | Frame, Detections]):
    """One box per colour."""

    def process(self, message: FrameSet | Frame) -> Iterator[Detections]:
        for one in message.frames if isinstance(message, FrameSet) else (message,):
            colours = np.unique(one.color.reshape(-1, 3), axis=0)
            masks = [(one.color == colour).all(axis=2) for colour in colours if colour.any()]
            spans = [(np.nonzero(mask.any(axis=0))[0], np.nonzero(mask.any(axis=1))[0]) for mask in masks]
            yield detections(one, [(x[0], y[0], x[-1] + 1, y[-1] + 1) for x, y in spans])


@dataclass
class Track(Stage[Detections, Tracks]):
    """Links each box to the nearest of the frame before, within 8 pixels."""

    memory: ClassVar[Memory] = Memory.CAMERA
    _boxes: dict[int, np.ndarray] = field(default_factory=dict, init=False)
    _next_id: int = field(default=0, init=False)

    def process(self, found: Detections) -> Iterator[Tracks]:
        ids = []
        for box in found.boxes:
            near = [
                id for id, other in self._boxes.items() if np.abs(other - box).max() < 8 and id not in ids
            ]
            ids.append(near[0] if near else self._next_id)
            self._next_id += not near
        self._boxes = dict(zip(ids, found.boxes, strict=True))
        yield tracks(found, ids)

    def snapshot(self) -> dict[str, Any]:
        return {"boxes": [[id, box] for id, box in self._boxes.items()], "next_id": self._next_id}

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        self._boxes, self._next_id = dict(snapshot["boxes"]), snapshot["next_id"]


@dataclass
class Collect(Stage[Tracks, Tracklet | TrackletEvent]):
    """A tracklet every four sightings, after 120 ms without one, and at the end."""

    memory: ClassVar[Memory] = Memory.CAMERA
    length: int = 4
    _open: Keyed[Tracklet] = field(default_factory=Keyed, init=False)  # by track id

    def advance(self, to_ns: int) -> Iterator[Tracklet]:
        for one in self._open.values():
            if to_ns - one.seen_ns > 120e6:
                yield self._closed(one)

    def process(self, rows: Tracks) -> Iterator[Tracklet]:
        for id, box in zip(rows.track_ids.tolist(), rows.boxes.astype(int), strict=True):
            left, top, right, bottom = box
            known, now_ns = self._open.get(id), rows.frame.captured_ns
            crops = (
                *(known.crops if known else ()),
                crop(rows.frame.color[top:bottom, left:right].copy(), now_ns),
            )
            opened_ns = known.opened_ns if known else now_ns
            one = tracklet(rows.camera_id, f"T-{id}", crops, opened_ns=opened_ns, seen_ns=now_ns)
            self._open.put(id, one)
            if len(crops) == self.length:
                yield self._closed(one)

    def finish(self) -> Iterator[Tracklet]:
        for one in self._open.values():
            yield self._closed(one)

    def _closed(self, one):
        self._open.delete(int(one.tracklet_id[2:]))
        return one


@dataclass
class Embed(Stage[Tracklet, Embedding]):
    """The mean colour, three at a time."""

    max_batch = 3

    def process(self, one: Tracklet) -> Iterator[Embedding]:
        mean = np.mean([crop.color.reshape(-1, 3).mean(axis=0) for crop in one.crops], axis=0)
        yield embedding(one, mean / np.linalg.norm(mean))


@dataclass
class Match(Stage[Embedding, IdentityEvent]):
    """The nearest in the gallery, or someone new."""

    memory: ClassVar[Memory] = Memory.SITE
    _gallery: Keyed[Vector] = field(default_factory=Keyed, init=False)  # by identity

    def process(self, one: Embedding) -> Iterator[IdentityEvent]:
        scores = [(float(vector @ one.vector), id) for id, vector in self._gallery.items()]
        score, identity = max(scores, default=(-1.0, ""))
        if score < 0.95:
            identity = f"P-{len(self._gallery)}"
            self._gallery.put(identity, one.vector)
        yield identity_event(identity, one.tracklet)


def identity_event(identity_id, of):
    event = IDENTITY_EVENT
    made = {name: getattr(event, name) for name in event.__slots__}
    made |= {"identity_id": identity_id, "tracklet_id": of.tracklet_id, "camera_id": of.camera_id}
    return IdentityEvent(**made | {"captured_ns": of.seen_ns})


def camera(id, source=Painted, **given):
    return Node(id, source(camera_id=id, site=Site("toys"), **given))
