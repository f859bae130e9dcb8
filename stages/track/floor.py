"""Follows people on the floor of one camera, in metres and seconds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from pipeline.messages import Detections, Tracks
from pipeline.stage import InputError, Memory, Stage
from stages.track._motion import Motion

Rows = NDArray[np.intp]
Mask = NDArray[np.bool_]

GATE = 16.3  # of chi squared with 3 degrees of freedom, 0.999
FAR = 1e6  # a cost that stands for never
SLACK_M, CUT_SLACK_M = 0.2, 0.5  # between two measurements of one who does not move
WALKED_M, WALKS_M_S = 0.4, 0.25  # further and faster than noise makes a thing seem to move
YOUNG_S, YOUNG_MISSED_S = 0.3, 0.35  # who has only just been seen is not expected for long
STEADY_S, STEADY, FLICKER = 0.7, 0.8, 0.5  # seen in most frames of late; in less than half of them
DOUBT_S = 6.0  # what was not seen well for longer is what stands where somebody went
BESIDE_M, LOWER_M = 0.6, 0.1  # who is so near somebody taller may be their arm, or hidden by them
SEEN_AGAIN_S, HEAD_SCORE = 0.05, 0.95  # and begins when seen again, not at once, unless it can only be a head
KNOWN_S, BESIDE_S = 1.0, 4.0  # who was seen well for so long is taken for their arm, for so long at most
ALIKE_M = 0.12  # while they are as tall
HIDDEN_S, HIDDEN_STEADY = 0.35, 0.55  # seen in most frames, they are where they should be for so long
PACE_S = 0.2
WELL_S = 2.0  # whoever walked and was seen well so short a while ago may look like a limb of somebody's
LOW_M = 1.45  # what is no taller and flickers is nobody
REST_M, REST_LOWER_M = (
    0.8,
    0.2,
)  # what is left to be seen of somebody whose head is not, is near them and lower


def _empty(kind: type, *shape: int) -> Any:
    return field(default_factory=lambda: np.empty((0, *shape), kind))


@dataclass(eq=False)
class _People:
    """Who is followed: parallel arrays, a row for each."""

    motion: Motion = field(default_factory=Motion.none)
    ids: NDArray[np.int64] = _empty(np.int64)
    born_m: NDArray[np.float64] = _empty(np.float64, 2)
    born_ns: NDArray[np.int64] = _empty(np.int64)
    seen_ns: NDArray[np.int64] = _empty(np.int64)
    score: NDArray[np.float64] = _empty(np.float64)  # of their detections, of late
    steadiness: NDArray[np.float64] = _empty(np.float64)  # share of the frames of late that show them
    well_ns: NDArray[np.int64] = _empty(np.int64)  # when their score was last good
    well_s: NDArray[np.float64] = _empty(np.float64)  # and for how long it was
    boxes: NDArray[np.float32] = _empty(np.float32, 4)  # when last seen
    pace_px_s: NDArray[np.float32] = _empty(np.float32, 2)  # of the middles of their boxes, of late
    has_walked: Mask = _empty(np.bool_)
    has_begun: Mask = _empty(np.bool_)  # is nobody's arm

    def __getitem__(self, rows: Mask) -> _People:
        return _People(*(getattr(self, f.name)[rows] for f in fields(self)))

    def with_more(self, others: _People) -> _People:
        names = [f.name for f in fields(self)][1:]
        columns = (np.concatenate([getattr(self, name), getattr(others, name)]) for name in names)
        return _People(self.motion.with_more(others.motion), *columns)


@dataclass
class Floor(Stage[Detections, Tracks]):
    """A Kalman filter for each person, and the assignment that costs least (Hungarian) within a gate.

    Usable alone: `update(detections)` gives the tracks of one frame after another.
    """

    memory: ClassVar[Memory] = Memory.CAMERA
    max_missed_s: float = 1.0  # an unseen person is expected for so long
    noise_m: float = 0.05  # of a detection's floor point
    cut_noise_m: float = (
        0.20  # of somebody whose head may lie outside the picture, so that no height is known
    )
    acceleration_m_s2: float = 2.0
    max_speed_m_s: float = 3.5
    min_new_score: float = 0.5  # a weaker detection continues the track of who has walked, but begins none
    min_limb_score: float = 0.4  # and a weaker one than this only of who has been seen all the time
    min_beside_score: float = (
        0.44  # who is beside somebody taller gets this, and may have been standing still
    )
    _people: _People = field(default_factory=_People, init=False, repr=False)
    _next_id: int = field(default=0, init=False, repr=False)
    _now_ns: int = field(default=-1, init=False, repr=False)

    def __post_init__(self) -> None:
        for name in ("max_missed_s", "noise_m", "acceleration_m_s2", "max_speed_m_s"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")

    def process(self, detections: Detections) -> Iterator[Tracks]:
        yield self.update(detections)

    def update(self, detections: Detections) -> Tracks:
        """The tracks of the people in this frame: a row for each detection that belongs to one; and behind them,
        with score 0, a row for each who is hidden for a moment by somebody taller.
        """
        if np.isnan(detections.floor_m).any():
            raise InputError(
                f"{detections.camera_id}: people were found who have no place on the floor; follow their boxes, with "
                "stage: track/boxes"
            )
        now_ns = detections.frame.captured_ns
        passed_s = max(0, now_ns - self._now_ns) / 1e9 if self._now_ns >= 0 else 0.0
        self._now_ns = now_ns
        self._expect(passed_s)
        known, found = self._matched(detections)
        self._see(known, detections[found], passed_s)
        free = np.ones(len(detections), bool)
        free[found] = False
        new = self._new(detections, np.flatnonzero(free))
        known = np.concatenate([known, len(self._people.ids) + np.arange(len(new))])
        if len(new):
            self._begin(detections[new], _beside(detections)[new])
        steady = (~self._flickers() & self._people.has_begun)[known]
        return self._tracks(detections[np.concatenate([found, new])[steady]], known[steady], self._hidden())

    def snapshot(self) -> dict[str, Any]:
        people = {f.name: getattr(self._people, f.name) for f in fields(_People)[1:]}
        motion = {name: getattr(self._people.motion, name) for name in Motion.__slots__}
        numbers = {"next_id": self._next_id, "now_ns": self._now_ns}
        return {
            "followed": {"people": people, "motion": motion, **numbers}
        }  # one entry: all of it changes at once

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        snapshot = snapshot["followed"]
        people = {name: array.copy() for name, array in snapshot["people"].items()}
        self._people = _People(Motion(**snapshot["motion"]), **people)
        self._next_id, self._now_ns = snapshot["next_id"], snapshot["now_ns"]

    def _expect(self, passed_s: float) -> None:
        """Expect everyone where they should be now, and no longer those who were not seen for too long."""
        people = self._people
        people.motion = people.motion.after(passed_s, self.acceleration_m_s2)
        people.steadiness = people.steadiness * np.exp(-passed_s / STEADY_S)
        young = people.seen_ns - people.born_ns < YOUNG_S * 1e9
        patience_ns = np.where(young, YOUNG_MISSED_S, self.max_missed_s) * 1e9
        stays = self._now_ns - people.seen_ns <= patience_ns
        self._people = people if stays.all() else people[stays]

    def _matched(self, detections: Detections) -> tuple[Rows, Rows]:
        """Rows of people, and of the detections that are theirs."""
        people, floor_m = self._people, detections.floor_m.astype(float)
        heights_m = detections.heights_m.astype(float)
        cost = people.motion.distances2(floor_m, heights_m, self._noise_m(heights_m))
        away_m = np.linalg.norm(people.motion.position_m[:, None] - floor_m[None], axis=2)
        unseen_s = (self._now_ns - people.seen_ns) / 1e9
        slack_m = np.where(np.isnan(heights_m), CUT_SLACK_M, SLACK_M)[None]
        too_far = away_m > slack_m + self.max_speed_m_s * unseen_s[:, None]
        badly_s = (self._now_ns - people.well_ns) / 1e9
        sure = people.has_walked & (people.steadiness > STEADY) & (badly_s < DOUBT_S)
        lately = people.has_walked & (badly_s < WELL_S)
        known = (people.has_walked | (people.well_s > KNOWN_S)) & (badly_s < BESIDE_S)
        alike = abs(people.motion.height_m[:, None] - heights_m[None]) < ALIKE_M
        scores = detections.scores[None]
        likely = (scores >= self.min_new_score) | sure[:, None]
        likely |= (scores >= self.min_limb_score) & lately[:, None]
        likely |= (scores >= self.min_beside_score) & known[:, None] & alike
        cost[(cost > GATE) | too_far | ~likely] = FAR
        rows, columns = linear_sum_assignment(cost)
        possible = cost[rows, columns] < FAR
        return rows[possible], columns[possible]

    def _see(self, rows: Rows, seen: Detections, passed_s: float) -> None:
        """The people in `rows` are where they were seen."""
        people = self._people
        # somebody half out of the picture is there, but not so low
        sure = seen.scores >= self.min_new_score
        floor_m, heights_m = seen.floor_m.astype(float), np.where(sure, seen.heights_m, np.nan)
        people.motion = people.motion.given(rows, floor_m, heights_m, self._noise_m(seen.heights_m))
        self._see_boxes(rows, seen.boxes)  # before they are seen now
        people.seen_ns[rows] = self._now_ns
        people.well_ns[rows[sure]] = self._now_ns
        people.well_s[rows[sure]] += passed_s
        people.score[rows] += 0.2 * (seen.scores - people.score[rows])
        people.steadiness[rows] += 1.0 - np.exp(-passed_s / STEADY_S)
        away_m = np.linalg.norm(people.motion.position_m - people.born_m, axis=1)
        speed_m_s = np.linalg.norm(people.motion.velocity_m_s, axis=1)
        people.has_begun[rows] |= self._now_ns - people.born_ns[rows] > SEEN_AGAIN_S * 1e9
        people.has_walked |= (away_m > WALKED_M) & (speed_m_s > WALKS_M_S)

    def _see_boxes(self, rows: Rows, boxes: NDArray[np.float32]) -> None:
        people = self._people
        passed_s = np.maximum(self._now_ns - people.seen_ns[rows], 1)[:, None] / 1e9
        moved_px = (boxes[:, :2] + boxes[:, 2:] - people.boxes[rows, :2] - people.boxes[rows, 2:]) / 2
        share = 1.0 - np.exp(-passed_s / PACE_S)
        people.pace_px_s[rows] += share * (moved_px / passed_s - people.pace_px_s[rows])
        people.boxes[rows] = boxes

    def _hidden(self) -> Rows:
        """Rows of people who were seen until a moment ago, and are beside somebody taller who is seen."""
        people, unseen_s = self._people, (self._now_ns - self._people.seen_ns) / 1e9
        lost = (unseen_s > 0) & (unseen_s <= HIDDEN_S) & (people.steadiness > HIDDEN_STEADY)
        lost &= people.has_begun & (people.has_walked | (people.well_s > KNOWN_S))
        if not lost.any():
            return np.empty(0, np.intp)
        heights_m, position_m = people.motion.height_m, people.motion.position_m
        beside = np.linalg.norm(position_m[:, None] - position_m[None], axis=2) < BESIDE_M
        by_taller = beside & (heights_m[None] > heights_m[:, None]) & (unseen_s == 0)[None]
        return np.flatnonzero(lost & by_taller.any(axis=1))

    def _new(self, detections: Detections, unmatched: Rows) -> Rows:
        """The detections that begin a track: not what is left of somebody who was there a moment ago."""
        if not len(unmatched):
            return unmatched
        unseen = self._people[self._people.seen_ns < self._now_ns].motion
        away_m = np.linalg.norm(unseen.position_m[None] - detections.floor_m[:, None], axis=2)
        lower = detections.heights_m[:, None] < unseen.height_m[None] - REST_LOWER_M
        begins = (detections.scores >= self.min_new_score) & ~(lower & (away_m < REST_M)).any(axis=1)
        return np.asarray(unmatched[begins[unmatched]], np.intp)

    def _begin(self, new: Detections, beside: Mask) -> None:
        n = len(new)
        floor_m, heights_m = new.floor_m.astype(float), new.heights_m.astype(float)
        others = _People(
            motion=Motion.begun(floor_m, heights_m, self._noise_m(heights_m), self.max_speed_m_s / 2),
            ids=np.arange(self._next_id, self._next_id + n),
            born_m=floor_m,
            born_ns=np.full(n, self._now_ns),
            seen_ns=np.full(n, self._now_ns),
            score=new.scores.astype(float),
            steadiness=np.full(n, 0.55),
            well_ns=np.full(n, self._now_ns),
            well_s=np.zeros(n),
            boxes=new.boxes.copy(),
            pace_px_s=np.zeros((n, 2), np.float32),
            has_walked=np.zeros(n, bool),
            has_begun=~beside | (new.scores > HEAD_SCORE),
        )
        self._people = self._people.with_more(others)
        self._next_id += n

    def _noise_m(self, heights_m: NDArray[Any]) -> NDArray[np.float64]:
        return np.where(np.isnan(heights_m), self.cut_noise_m, self.noise_m)

    def _flickers(self) -> Mask:
        people = self._people
        return np.asarray((people.motion.height_m < LOW_M) & (people.steadiness < FLICKER))

    def _tracks(self, seen: Detections, rows: Rows, hidden: Rows) -> Tracks:
        people, all_rows = self._people, np.concatenate([rows, hidden])
        unseen_s = (self._now_ns - people.seen_ns[hidden])[:, None] / 1e9
        boxes = people.boxes[hidden] + np.tile(people.pace_px_s[hidden] * unseen_s, 2)
        variance = people.motion.covariance[all_rows, 0, 0]
        return Tracks(
            frame=seen.frame,
            boxes=np.concatenate([seen.boxes, boxes.astype(np.float32)]),
            scores=np.concatenate([seen.scores, np.zeros(len(hidden), np.float32)]),
            track_scores=people.score[all_rows].astype(np.float32),
            track_ids=people.ids[all_rows],
            floor_m=people.motion.position_m[all_rows].astype(np.float32),
            velocity_m_s=people.motion.velocity_m_s[all_rows].astype(np.float32),
            covariance_m2=(variance[:, None, None] * np.eye(2)).astype(np.float32),
            heights_m=people.motion.height_m[all_rows].astype(np.float32),
            box_error_px=np.full(len(all_rows), np.nan, np.float32),
        )


def _beside(detections: Detections) -> Mask:
    """Which are beside somebody taller, or somebody of whom it is not known how tall they are."""
    heights_m = detections.heights_m
    near = np.linalg.norm(detections.floor_m[None] - detections.floor_m[:, None], axis=2) < BESIDE_M
    lower = ~(heights_m[:, None] > heights_m[None] - LOWER_M)
    np.fill_diagonal(lower, False)
    return np.asarray((near & lower).any(axis=1))
