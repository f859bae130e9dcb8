"""Follows people from picture to picture by their boxes alone, in box heights and seconds."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from pipeline.messages import Detections, Frame, Tracks
from pipeline.stage import Memory, Stage
from stages._feet import moving_feet
from stages.track._box_camera import BoxCamera
from stages.track._box_fit import assigned, fits, offsets
from stages.track._box_kernels import Rows
from stages.track._box_looks import Looks, likeness, looks_of, seen_again
from stages.track._box_motion import BoxMotion, Noise, places_of

Array = NDArray[np.float64]

YOUNG_S, YOUNG_MISSED_S = 0.3, 0.3  # who has only just been seen is not expected for long
LATELY_S = 1.0  # a weak detection goes on only with who was seen so short a while ago
MOMENT_S = 0.2
WEAK_FIT = 0.34  # and has to fit so well
MISSED = 1.5  # times the time between two frames: with more, somebody was not seen in between
SIZE_CHANGE = 0.15  # box heights: how much a size changes its speed in a second
STEADY_S = 1.0  # what was seen longer ago says little of how steadily somebody is seen
SLICES = 4  # of the time somebody was not seen, when the way there is gone over again


def _empty(kind: type, *shape: int) -> Any:
    return field(default_factory=lambda: np.empty((0, *shape), kind))


@dataclass(eq=False)
class _People:
    """Who is followed: parallel arrays, a row for each."""

    motion: BoxMotion = field(default_factory=BoxMotion.none)
    anchor: BoxMotion = field(default_factory=BoxMotion.none)  # the motion when last seen
    found: NDArray[np.float64] = _empty(np.float64, 4)  # the place that was measured then
    ids: NDArray[np.int64] = _empty(np.int64)
    born_ns: NDArray[np.int64] = _empty(np.int64)
    seen_ns: NDArray[np.int64] = _empty(np.int64)
    score: NDArray[np.float64] = _empty(np.float64)  # of their detections, of late
    steady: NDArray[np.float64] = _empty(np.float64)  # the share of the time that they were seen, of late
    looks: Looks = _empty(np.float32, 0)

    def __getitem__(self, rows: NDArray[Any]) -> _People:
        return _People(*(getattr(self, f.name)[rows] for f in fields(self)))

    def with_more(self, others: _People) -> _People:
        columns = [np.concatenate([getattr(self, n), getattr(others, n)]) for n in _COLUMNS]
        return _People(self.motion.with_more(others.motion), self.anchor.with_more(others.anchor), *columns)


_MOTIONS, _COLUMNS = ("motion", "anchor"), [f.name for f in fields(_People)][2:]


@dataclass
class BoxTracker(Stage[Detections, Tracks]):
    """A Kalman filter for each box, and two rounds of assignment: sure detections first, then weak ones to who was
    seen lately (Zhang et al. 2022). Somebody who comes back is filtered anew along a straight way between the
    detections (Cao et al. 2023). What all boxes are off by is the camera's turning, not theirs.

    Usable alone: `update(detections)` gives the tracks of one frame after another.
    """

    memory: ClassVar[Memory] = Memory.CAMERA
    max_missed_s: float = 2.0  # an unseen person is expected for so long
    hidden_s: float = 0.6  # who was seen all the time is said to be hidden for so long, others for less
    min_score: float = 0.1  # what is weaker is not looked at
    min_new_score: float = 0.6  # weaker ones go on with a track that nothing better fits, but begin none
    min_fit: float = 0.2  # overlap of the expected box with the found one, times how alike their heights are
    noise: float = 0.07  # of a box's middle, in box heights
    size_noise: float = 0.08
    acceleration: float = 0.35  # how much speeds change in a second, in box heights
    embedder: Callable[..., Any] | None = None  # people are told apart by what they look like, too
    look_midpoint: float = 0.55  # the similarity at which that says nothing
    look_weight: float = 0.5  # of each unit of similarity beyond, as if boxes overlapped by so much more
    _people: _People = field(default_factory=_People, init=False, repr=False)
    _camera: BoxCamera = field(default_factory=BoxCamera.still, init=False, repr=False)
    _next_id: int = field(default=0, init=False, repr=False)
    _now_ns: int = field(default=-1, init=False, repr=False)

    def __post_init__(self) -> None:
        for name in ("max_missed_s", "noise", "size_noise", "acceleration"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")
        if self.hidden_s < 0:
            raise ValueError(f"hidden_s must be 0 or above, got {self.hidden_s}")
        if self.look_weight < 0:
            raise ValueError(f"look_weight must be 0 or above, got {self.look_weight}")
        for name in ("min_score", "min_new_score", "min_fit", "look_midpoint"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be 0 to 1, got {getattr(self, name)}")

    def process(self, detections: Detections) -> Iterator[Tracks]:
        yield self.update(detections)

    def update(self, detections: Detections) -> Tracks:
        """The tracks of the people in this frame: a row for each detection that belongs to one, then one with a score
        of 0 for each who is hidden.
        """
        now_ns = detections.frame.captured_ns
        passed_s = max(0, now_ns - self._now_ns) / 1e9 if self._now_ns >= 0 else 0.0
        self._now_ns = now_ns
        places = places_of(detections.boxes)
        self._expect(passed_s)
        sure = detections.scores >= self.min_new_score
        self._turn(places[sure], passed_s)
        looks = self._looks(detections, np.flatnonzero(sure))
        weak = np.flatnonzero(~sure & (detections.scores >= self.min_score))
        whose = self._whose(places, np.flatnonzero(sure), weak, looks)
        known = np.flatnonzero(whose >= 0)
        self._see(whose[known], places[known], detections.scores[known], passed_s)
        if looks.shape[1]:
            people, rows = self._people, whose[known]
            people.looks[rows] = seen_again(people.looks[rows], looks[known], passed_s)
        kept = math.exp(-passed_s / STEADY_S)
        self._people.steady *= kept
        self._people.steady[whose[known]] += 1 - kept
        new = np.flatnonzero((whose < 0) & sure)
        whose[new] = len(self._people.ids) + np.arange(len(new))
        if len(new):
            self._begin(places[new], detections.scores[new], looks[new])
        followed = np.flatnonzero(whose >= 0)
        return self._tracks(detections[followed], whose[followed], self._hidden(detections.frame))

    def snapshot(self) -> dict[str, Any]:
        parts = {
            name: {part: getattr(getattr(self._people, name), part) for part in BoxMotion.__slots__}
            for name in _MOTIONS
        }
        # looks stay in memory: what is kept in a store is sealed by whose it is, which is not known here
        columns = {name: getattr(self._people, name) for name in _COLUMNS if name != "looks"}
        camera = {part: getattr(self._camera, part) for part in BoxCamera.__slots__}
        return {
            "columns": columns,
            **parts,
            "camera": camera,
            "next_id": self._next_id,
            "now_ns": self._now_ns,
        }

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        parts = [{part: array.copy() for part, array in snapshot[name].items()} for name in _MOTIONS]
        motions = [
            BoxMotion(**one) for one in parts
        ]  # copied: kernels are compiled for what may be written to
        columns = {name: array.copy() for name, array in snapshot["columns"].items()}
        unknown = np.zeros((len(columns["ids"]), 0), np.float32)
        self._people = _People(motions[0], motions[1], **columns, looks=unknown)
        self._camera = BoxCamera(**snapshot["camera"])
        self._next_id, self._now_ns = snapshot["next_id"], snapshot["now_ns"]

    @property
    def _noise(self) -> Noise:
        return Noise(self.noise, self.size_noise, self.acceleration, SIZE_CHANGE)

    @property
    def _unseen_s(self) -> Array:
        return (self._now_ns - self._people.seen_ns) / 1e9

    def _expect(self, passed_s: float) -> None:
        """Expect everyone where they should be now, and no longer those who were not seen for too long."""
        people = self._people
        people.motion = people.motion.after(passed_s, self._noise)
        young = people.seen_ns - people.born_ns < YOUNG_S * 1e9
        stays = self._unseen_s <= np.where(young, YOUNG_MISSED_S, self.max_missed_s)
        self._people = people if stays.all() else people[stays]

    def _turn(self, sure: Array, passed_s: float) -> None:
        """Follow the camera, by those who were seen a moment ago."""
        self._move(self._camera.after(passed_s))
        lately = self._people.motion[self._unseen_s <= passed_s + MOMENT_S]
        off_px, variance_px2 = offsets(lately, sure, self._noise)
        shift_px, self._camera = self._camera.given(off_px, variance_px2, passed_s)
        self._move(shift_px)

    def _move(self, shift_px: Array) -> None:
        people = self._people
        if shift_px.any():
            people.motion, people.anchor = people.motion.moved(shift_px), people.anchor.moved(shift_px)
            people.found = people.found + [*shift_px, 0.0, 0.0]

    def _looks(self, detections: Detections, sure: Rows) -> Looks:
        """What each detection looks like (m, d), 0 of those that are not sure; d is 0 without an embedder."""
        if self.embedder is None:
            return np.zeros((len(detections), 0), np.float32)
        looks = looks_of(self.embedder, detections.frame, detections.boxes, sure)
        if self._people.looks.shape[1] != looks.shape[1]:  # restored: they are learned anew
            self._people.looks = np.zeros((len(self._people.ids), looks.shape[1]), np.float32)
        return looks

    def _whose(self, places: Array, sure: Rows, weak: Rows, looks: Looks) -> Rows:
        """The row of the person whose each detection is, -1 of those that are nobody's yet (m,)."""
        people, unseen_s = self._people, self._unseen_s
        fit = fits(people.motion, people.found, places, unseen_s, self._noise)
        if looks.shape[1]:
            alike = self.look_weight * likeness(people.looks, looks, self.look_midpoint)
            fit = np.where(fit > 0, fit + alike, fit)
        whose = np.full(len(places), -1, np.intp)
        rows, columns = assigned(fit[:, sure], self.min_fit)
        whose[sure[columns]] = rows
        if not len(weak):
            return whose
        free = unseen_s <= LATELY_S
        free[rows] = False
        lately = np.flatnonzero(free)
        rows, columns = assigned(fit[np.ix_(lately, weak)], max(self.min_fit, WEAK_FIT))
        whose[weak[columns]] = lately[rows]
        return whose

    def _see(self, rows: Rows, places: Array, scores: NDArray[np.float32], passed_s: float) -> None:
        """The people in `rows` are where they were seen."""
        people, unseen_s = self._people, self._unseen_s[rows]
        motion = people.motion[rows]
        back = np.flatnonzero(unseen_s > MISSED * passed_s)
        if len(back):
            motion = motion.put(back, self._gone_over(rows[back], places[back], unseen_s[back]))
        motion = motion.given(places, self._noise)
        people.motion, people.anchor = people.motion.put(rows, motion), people.anchor.put(rows, motion)
        people.found[rows], people.seen_ns[rows] = places, self._now_ns
        people.score[rows] += 0.2 * (scores - people.score[rows])

    def _gone_over(self, rows: Rows, places: Array, unseen_s: Array) -> BoxMotion:
        """Where they are expected, had they been seen on a straight way from where they were last."""
        motion, before = self._people.anchor[rows], self._people.found[rows]
        for part in range(1, SLICES):
            on_the_way = before + (places - before) * (part / SLICES)
            motion = motion.after(unseen_s / SLICES, self._noise).given(on_the_way, self._noise)
        return motion.after(unseen_s / SLICES, self._noise)

    def _begin(self, places: Array, scores: NDArray[np.float32], looks: Looks) -> None:
        n = len(places)
        motion = BoxMotion.begun(places, self._noise)
        ids, now_ns = np.arange(self._next_id, self._next_id + n), np.full(n, self._now_ns)
        new = _People(motion, motion, places, ids, now_ns, now_ns, scores.astype(float), np.zeros(n), looks)
        self._people = self._people.with_more(new)
        self._next_id += n

    def _hidden(self, frame: Frame) -> Rows:
        """Who is not seen in this frame, but was seen so steadily that they are taken to be where they are expected."""
        people, lens = self._people, frame.view.intrinsics
        hidden = (people.seen_ns < self._now_ns) & (people.steady > np.exp(-self.hidden_s / STEADY_S))
        middles = people.motion.place[:, :2]
        inside = ((middles > 0) & (middles < [lens.width_px, lens.height_px])).all(axis=1)
        return np.flatnonzero(hidden & inside)

    def _tracks(self, seen: Detections, seen_rows: Rows, hidden: Rows) -> Tracks:
        people, rows = self._people, np.concatenate([seen_rows, hidden])
        motion = people.motion[rows]
        boxes = np.concatenate([seen.boxes, motion.corners[len(seen) :].astype(np.float32)])
        edge_px2 = motion.variance[:, 0] + motion.variance[:, 1] / 4
        variance_px2 = np.column_stack([motion.variance[:, 0], edge_px2])
        speed_px_s = motion.speed[:, :2].copy()
        speed_px_s[:, 1] += motion.speed[:, 3] / 2
        feet = moving_feet(seen.frame, motion.corners, boxes, variance_px2, speed_px_s)
        return Tracks(
            frame=seen.frame,
            boxes=boxes,
            scores=np.concatenate([seen.scores, np.zeros(len(hidden), np.float32)]),
            track_scores=people.score[rows].astype(np.float32),
            track_ids=people.ids[rows],
            floor_m=feet.floor_m,
            velocity_m_s=feet.velocity_m_s,
            covariance_m2=feet.covariance_m2,
            heights_m=np.full(len(rows), np.nan, np.float32),
            box_error_px=np.sqrt(edge_px2).astype(np.float32),
        )
