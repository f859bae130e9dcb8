"""A site of four cameras that look across, at which nothing, a counter, or counters and pillars stand before people:
what a matcher is told of it, and what is true of it. People walk the same at each level.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

import engines.people.staging as staging
from calibration.site import Site, SiteCamera
from engines.evaluate.identity import identity
from engines.evaluate.sequence import MATCHED_FROM, matched
from engines.evaluate.sequence import Sequence as Scored
from engines.evaluate.similarity import box_similarity
from engines.people.across import Body, SightAcross
from engines.people.crowd import Person, crowd_of
from engines.people.hiding import with_hiding
from pipeline.executors import inline
from pipeline.graph import Graph, Node
from pipeline.messages import Crop, Detections, Embedding, Frame, Message, Picture, Positions, Tracklet
from pipeline.run import Run
from pipeline.stage import Memory, Stage
from pipeline.wire import decode, encode
from stages.source.simulated import Simulated
from stages.track.boxes import BoxTracker
from stages.tracklet import Collect

PEOPLE, SECONDS, FPS = 20, 100.0, 5.0
PLACES = {
    "north": (0, 8, 0),
    "east": (8, 0, -90),
    "south": (0, -8, 180),
    "west": (-8, 0, 90),
}  # m, m, degrees
CAMERAS = {
    id: SiteCamera(x, y, yaw, height_m=2.2, pitch_deg=72.0, roll_deg=0.0)
    for id, (x, y, yaw) in PLACES.items()
}
SITE = Site("occluded", CAMERAS)
NOISE = 0.025  # of an edge of a box, in box sizes
HARDLY, MISSED, MISSED_MORE = (
    0.12,
    0.03,
    0.6,
)  # who shows less is not found; others now and then, the less they show


@dataclass
class Across(Simulated):
    """A camera in colour."""

    level: int = 0

    def produce(self, from_ns: int) -> Iterator[Frame]:
        sight = self.across(self.level)
        for index, captured_ns in enumerate(self.captured_ns.tolist()):
            color = sight.color(index, index / self.fps)
            yield Frame(self.camera_id, index, captured_ns, self._view, color=color)

    def across(self, level: int) -> SightAcross:
        number = list(self._mounts).index(self.camera_id)
        return SightAcross(with_hiding(self.scene(), level, self.seed), number, self.seed)


@dataclass
class Found(Stage[Frame, Detections]):
    """What a detector would find: everybody who shows enough, with noise, and misses; whole, as such boxes are."""

    bodies: Mapping[tuple[str, int], Sequence[Body]] = field(default_factory=dict)
    seed: int = 0

    def process(self, frame: Frame) -> Iterator[Detections]:
        boxes, scores = [], []
        for body in self.bodies[frame.camera_id, frame.index]:
            key = [self.seed, list(PLACES).index(frame.camera_id), frame.index, body.person]
            chance = np.random.default_rng(key)
            missed = MISSED + MISSED_MORE * max(0.0, 0.5 - body.shows)
            if body.shows >= HARDLY and chance.random() >= missed:
                size = np.tile(body.box[2:] - body.box[:2], 2)
                boxes.append(body.box + NOISE * size * chance.standard_normal(4))
                scores.append(float(np.clip(0.6 + 0.35 * body.shows + chance.normal(0, 0.04), 0.05, 0.99)))
        lens = frame.view.intrinsics
        limits = np.array([lens.width_px, lens.height_px] * 2) - 1.0
        given = np.array(boxes, np.float32).reshape(-1, 4).clip(0, limits).astype(np.float32)
        unknown = np.full((len(given), 3), np.nan, np.float32)
        yield Detections(frame, given, np.array(scores, np.float32), unknown[:, :2], unknown[:, 2])


@dataclass
class Kept(Stage[Tracklet, Embedding]):
    """Keeps tracklets, with their crops, and when time passes; embeds nothing."""

    memory: ClassVar[Memory] = Memory.SITE
    steps: ClassVar[list[int | Tracklet]] = []

    def process(self, tracklet: Tracklet) -> Iterator[Embedding]:
        self.steps.append(tracklet)
        return iter(())

    def advance(self, to_ns: int) -> Iterator[Embedding]:
        self.steps.append(to_ns)
        return iter(())


@dataclass(frozen=True)
class Recorded:
    """What the matcher of a site is told, before anybody says what a crop looks like; and the truth."""

    steps: tuple[int | Tracklet, ...]
    said: tuple[Positions, ...]
    bodies: Mapping[tuple[str, int], Sequence[Body]]
    whole: tuple[
        Picture, ...
    ] = ()  # each crop again, of whom its tracklet follows alone, with nothing before them

    @property
    def crops(self) -> list[tuple[Tracklet, Crop]]:
        """Those of all tracklets, in their order."""
        return [(step, crop) for step in self.steps if isinstance(step, Tracklet) for crop in step.crops]

    @property
    def shows(self) -> float:
        """How much of whom anything shows is seen, in the mean."""
        return float(np.mean([one.shows for some in self.bodies.values() for one in some if one.shows]))

    @cached_property
    def person_of(self) -> dict[str, int]:
        """The person whom each tracklet followed most."""
        followed: dict[str, Counter[int]] = defaultdict(Counter)
        for said in self.said:
            there = self.bodies[said.camera_id, said.frame_index]
            for row, of in zip(*matched(self._alike(there, said)), strict=True):
                followed[said.tracklet_ids[of]][there[row].person] += 1
        return {id: who.most_common(1)[0][0] for id, who in followed.items()}

    def idf1(self, identity_of: Mapping[str, object]) -> float:
        """Over all cameras, of everybody of whom anything shows."""
        numbers = {name: n for n, name in enumerate(dict.fromkeys(identity_of.values()))}
        own = {
            id: len(numbers) + n
            for n, id in enumerate({id for said in self.said for id in said.tracklet_ids})
        }
        frames = []
        for said in self.said:
            there = [one for one in self.bodies[said.camera_id, said.frame_index] if one.shows]
            ids = [numbers[identity_of[id]] if id in identity_of else own[id] for id in said.tracklet_ids]
            best = {number: row for row, number in enumerate(ids)}  # who is there twice is there once
            rows = np.array(sorted(best.values()), np.intp)
            alike = self._alike(there, said)[:, rows]
            frames.append(
                (np.array([b.person for b in there], np.int64), np.array(ids, np.int64)[rows], alike)
            )
        return identity(Scored.of(frames), MATCHED_FROM).idf1

    @staticmethod
    def _alike(there: Sequence[Body], said: Positions) -> Any:
        boxes = np.array([one.box for one in there]).reshape(-1, 4)
        limits = np.array([639.0, 479.0] * 2)
        return box_similarity(boxes.clip(0, limits), np.asarray(said.boxes, np.float64).clip(0, limits))


def recorded(seed: int, level: int, kept: Path | None = None) -> Recorded:
    """A site of this seed, with so much before its people, run up to its tracklets; as it was kept, if it was."""
    file = kept / f"{seed}-{level}.site" if kept else None
    if file and file.exists():
        steps, said, bodies, whole = decode(file.read_bytes())
        there = {(id, index): [Body(*one) for one in some] for id, index, some in bodies}
        return Recorded(steps, said, there, whole)
    site = _simulated(seed, level)
    if file:
        file.parent.mkdir(parents=True, exist_ok=True)
        bodies = [(id, index, [tuple(one) for one in some]) for (id, index), some in site.bodies.items()]
        file.write_bytes(encode([site.steps, site.said, bodies, site.whole]))
    return site


def _simulated(seed: int, level: int) -> Recorded:
    staging.crowd_of = _all_different
    settings = {"people": PEOPLE, "seconds": SECONDS, "fps": FPS, "seed": seed, "level": level, "site": SITE}
    sources = {id: Across(camera_id=id, **settings) for id in CAMERAS}
    bodies = dict(_bodies(sources.values()))
    nodes = [Node(f"cameras.{id}", source) for id, source in sources.items()]
    nodes.append(Node("detect", Found(bodies, seed), tuple(node.id for node in nodes)))
    nodes += [Node("track", BoxTracker(), ("detect",)), Node("tracklets", Collect(), ("track",))]
    nodes.append(Node("kept", Kept(), ("tracklets",)))
    said: list[Message] = []
    Kept.steps.clear()
    inline.run(Graph(nodes), Run(said.append))
    positions = tuple(_seen(one) for one in said if isinstance(one, Positions))
    site = Recorded(tuple(Kept.steps), positions, bodies)
    return replace(site, whole=tuple(_alone(site, sources)))


def _all_different(people: int, seed: int) -> list[Person]:
    """Nobody is dressed like anybody on purpose: looks are all that there is to go by."""
    crowd, strangers = crowd_of(people, seed), crowd_of(people, seed + 1_000_000)
    return [
        replace(one, outfit=other.outfit, materials=other.materials)
        if one.look_alike_of > one.number
        else one
        for one, other in zip(crowd, strangers, strict=True)
    ]


def _alone(site: Recorded, sources: Mapping[str, Across]) -> Iterator[Picture]:
    bare = {id: source.across(0) for id, source in sources.items()}
    stamps = {id: source.captured_ns for id, source in sources.items()}
    for tracklet, crop in site.crops:
        id = tracklet.camera_id
        index, person = (
            int(np.searchsorted(stamps[id], crop.captured_ns)),
            site.person_of.get(tracklet.tracklet_id),
        )
        left, top, right, bottom = crop.box
        yield bare[id].color(index, index / FPS, person or 0)[top:bottom, left:right].copy()


def _bodies(sources: Iterable[Across]) -> Iterator[tuple[tuple[str, int], list[Body]]]:
    for source in sources:
        sight = source.across(source.level)
        for index in range(len(source.captured_ns)):
            inside = [one for one in sight.bodies(index / source.fps) if _is_inside(one)]
            yield (source.camera_id, index), inside


def _is_inside(one: Body) -> bool:
    """Whether most of their height, and their middle, are in the picture."""
    left, top, right, bottom = one.box
    return bool(0 < (left + right) / 2 < 639 and min(bottom, 479) - max(top, 0) > 0.5 * (bottom - top))


def _seen(said: Positions) -> Positions:
    """Without those who are only expected there."""
    rows = said.scores > 0
    ids = tuple(id for id, is_seen in zip(said.tracklet_ids, rows.tolist(), strict=True) if is_seen)
    return replace(
        said, tracklet_ids=ids, boxes=said.boxes[rows], floor_m=said.floor_m[rows], scores=said.scores[rows]
    )
