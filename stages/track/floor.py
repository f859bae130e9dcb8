"""Follows people on the floor of one camera, in metres and seconds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from pipeline.messages import Detections, Tracks
from pipeline.stage import Memory, Stage
from stages.track._motion import Motion

GATE = 16.3  # of chi squared with 3 degrees of freedom, 0.999
FAR = 1e6  # a cost that stands for never
LOW_M = 1.45  # what is no taller may be furniture
WALKED_M = 0.4  # further than a thing seems to move
WALKS_M_S = 0.25
UNKNOWN_S = 3.0  # at first nobody knows what stands there
THING_S = 1.5  # what is low and has not walked by then is a thing
THING_M = 0.4  # how far around a thing another one is no wonder
THING_LASTS_S = 60.0
YOUNG_S, YOUNG_MISSED_S = 0.3, 0.35  # who has only just been seen is not expected for long
STEADY_S, STEADY, FLICKER = 0.7, 0.8, 0.45  # seen in most frames; seen in less than half of them
SLACK_M = 0.2  # between two measurements of one who does not move
REST_M, REST_LOWER_M = 0.8, 0.2
BORDER = 0.02  # of the picture


@dataclass(eq=False)
class _People:
    """Who is followed: parallel arrays, a row for each."""

    motion: Motion = field(default_factory=Motion.none)
    ids: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    born_m: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 2)))
    born_ns: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    seen_ns: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    score: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))  # of their detections, of late
    steadiness: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))  # share of frames, of late
    has_walked: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, np.bool_))
    is_doubted: NDArray[np.bool_] = field(
        default_factory=lambda: np.empty(0, np.bool_)
    )  # a thing until it walks

    def __getitem__(self, rows: NDArray[np.bool_]) -> _People:
        return _People(*(getattr(self, f.name)[rows] for f in fields(self)))

    def with_more(self, others: _People) -> _People:
        names = [f.name for f in fields(self)][1:]
        columns = (np.concatenate([getattr(self, name), getattr(others, name)]) for name in names)
        return _People(self.motion.with_more(others.motion), *columns)


@dataclass
class Floor(Stage[Detections, Tracks]):
    """A Kalman filter for each person, and the assignment that costs least (Hungarian) within a gate.

    Usable alone: `update(detections)` gives the tracks of one frame after another. What is low and has never
    walked is furniture, whatever its shape: a person is followed at once, a thing never.
    """

    memory: ClassVar[Memory] = Memory.CAMERA
    max_missed_s: float = 1.0  # an unseen person is expected for so long
    noise_m: float = 0.05  # of a detection's floor point
    acceleration_m_s2: float = 2.0
    max_speed_m_s: float = 3.5
    min_new_score: float = 0.5  # a weaker detection continues the track of who has walked, but begins none
    _people: _People = field(default_factory=_People, init=False)
    _things: NDArray[np.float64] = field(
        default_factory=lambda: np.empty((0, 3)), init=False
    )  # x, y, seen_ns
    _first_ns: int = field(default=-1, init=False)
    _next_id: int = field(default=0, init=False)
    _now_ns: int = field(default=-1, init=False)
    _passed_s: float = field(default=0.0, init=False)  # since the frame before

    def __post_init__(self) -> None:
        for name in ("max_missed_s", "noise_m", "acceleration_m_s2", "max_speed_m_s"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")

    def process(self, detections: Detections) -> Iterator[Tracks]:
        yield self.update(detections)

    def update(self, detections: Detections) -> Tracks:
        """The tracks of the people in this frame: a row for each detection that belongs to one."""
        now_ns = detections.frame.captured_ns
        self._forget(now_ns)
        people, found = self._matched(detections, now_ns)
        unmatched = np.setdiff1d(np.arange(len(detections)), found)
        new = unmatched[(detections.scores >= self.min_new_score)[unmatched]]
        new = new[~self._is_rest(detections[new], now_ns)]
        people = np.concatenate([people, len(self._people.ids) + np.arange(len(new))])
        self._begin(detections[new], now_ns)
        self._doubt(now_ns)
        rows = np.concatenate([found, new])
        sure = ~self._people.is_doubted[people]
        return self._tracks(detections[rows[sure]], people[sure])

    def snapshot(self) -> dict[str, Any]:
        people = {f.name: getattr(self._people, f.name) for f in fields(_People)[1:]}
        motion = {name: getattr(self._people.motion, name) for name in Motion.__slots__}
        times = {"first_ns": self._first_ns, "now_ns": self._now_ns}
        return {"people": people, "motion": motion, "things": self._things, "next_id": self._next_id, **times}

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        self._people = _People(Motion(**snapshot["motion"]), **snapshot["people"])
        self._things, self._next_id = snapshot["things"], snapshot["next_id"]
        self._first_ns, self._now_ns = snapshot["first_ns"], snapshot["now_ns"]

    def _forget(self, now_ns: int) -> None:
        """Expect everyone where they should be now, and no longer those who were not seen for too long."""
        passed_s = max(0.0, (now_ns - self._now_ns) / 1e9) if self._now_ns >= 0 else 0.0
        self._people.motion = self._people.motion.after(passed_s, self.acceleration_m_s2)
        self._people.steadiness = self._people.steadiness * np.exp(-passed_s / STEADY_S)
        self._passed_s = passed_s
        known_for_ns = self._people.seen_ns - self._people.born_ns
        patience_ns = np.where(known_for_ns < YOUNG_S * 1e9, YOUNG_MISSED_S, self.max_missed_s) * 1e9
        self._people = self._people[now_ns - self._people.seen_ns <= patience_ns]
        self._now_ns = now_ns
        self._first_ns = now_ns if self._first_ns < 0 else self._first_ns

    def _matched(self, detections: Detections, now_ns: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Rows of people and of the detections that are theirs; the people are then where they were seen."""
        motion = self._people.motion
        floor_m, heights_m = detections.floor_m.astype(float), detections.heights_m.astype(float)
        cost = motion.distances2(floor_m, heights_m, self.noise_m)
        away_m = np.linalg.norm(motion.position_m[:, None] - floor_m[None], axis=2)
        unseen_s = (now_ns - self._people.seen_ns) / 1e9
        too_far = away_m > SLACK_M + self.max_speed_m_s * unseen_s[:, None]
        sure = self._people.has_walked & (self._people.steadiness > STEADY)
        unlikely = (detections.scores < self.min_new_score)[None] & ~sure[:, None]
        cost[(cost > GATE) | too_far | unlikely] = FAR
        rows, columns = linear_sum_assignment(cost)
        possible = cost[rows, columns] < FAR
        rows, columns = rows[possible], columns[possible]
        people = self._people
        people.motion = motion.given(rows, floor_m[columns], heights_m[columns], self.noise_m)
        people.seen_ns[rows] = now_ns
        people.score[rows] += 0.2 * (detections.scores[columns] - people.score[rows])
        people.steadiness[rows] += 1.0 - np.exp(-self._passed_s / STEADY_S)
        return rows, columns

    def _is_rest(self, detections: Detections, now_ns: int) -> NDArray[np.bool_]:
        """What is lower than somebody who was there a moment ago: what is still to be seen of them."""
        unseen = self._people[self._people.seen_ns < now_ns].motion
        away_m = np.linalg.norm(unseen.position_m[None] - detections.floor_m[:, None], axis=2)
        lower = detections.heights_m[:, None] < unseen.height_m[None] - REST_LOWER_M
        return np.asarray((lower & (away_m < REST_M)).any(axis=1))

    def _begin(self, detections: Detections, now_ns: int) -> None:
        n = len(detections)
        heights_m = detections.heights_m.astype(float)
        motion = Motion.begun(
            detections.floor_m.astype(float), heights_m, self.noise_m, self.max_speed_m_s / 2
        )
        ids = np.arange(self._next_id, self._next_id + n)
        times = np.full(n, now_ns)
        known = np.linalg.norm(motion.position_m[:, None] - self._things[None, :, :2], axis=2) < THING_M
        doubted = known.any(axis=1) | (now_ns - self._first_ns < UNKNOWN_S * 1e9) | ~_at_border(detections)
        scores = detections.scores.astype(float)
        never, half = np.zeros(n, bool), np.full(n, 0.5)
        doubted &= self._low(motion)
        new = _People(motion, ids, motion.position_m, times, times, scores, half, never, doubted)
        self._people = self._people.with_more(new)
        self._next_id += n

    def _low(self, motion: Motion) -> NDArray[np.bool_]:
        low: NDArray[np.bool_] = motion.height_m < LOW_M
        return low

    def _doubt(self, now_ns: int) -> None:
        """Who has walked is a person from then on; what is low and has not walked for long is a thing."""
        people = self._people
        away_m = np.linalg.norm(people.motion.position_m - people.born_m, axis=1)
        speed_m_s = np.linalg.norm(people.motion.velocity_m_s, axis=1)
        people.has_walked |= (away_m > WALKED_M) & (speed_m_s > WALKS_M_S)
        stood = ~people.has_walked & self._low(people.motion) & (now_ns - people.born_ns > THING_S * 1e9)
        flickers = self._low(people.motion) & (people.steadiness < FLICKER)
        people.is_doubted = (people.is_doubted | stood) & ~people.has_walked | flickers
        kept = self._things[now_ns - self._things[:, 2] < THING_LASTS_S * 1e9]
        for place_m in people.motion.position_m[stood]:
            kept = kept[np.linalg.norm(kept[:, :2] - place_m, axis=1) > THING_M / 2]
            kept = np.concatenate([kept, [[*place_m, now_ns]]])
        self._things = kept

    def _tracks(self, seen: Detections, rows: NDArray[np.intp]) -> Tracks:
        people = self._people
        variance = people.motion.covariance[rows, 0, 0]
        covariance = variance[:, None, None] * np.eye(2)
        return Tracks(
            frame=seen.frame,
            boxes=seen.boxes,
            scores=seen.scores,
            track_scores=people.score[rows].astype(np.float32),
            track_ids=people.ids[rows],
            floor_m=people.motion.position_m[rows].astype(np.float32),
            velocity_m_s=people.motion.velocity_m_s[rows].astype(np.float32),
            covariance_m2=covariance.astype(np.float32),
            heights_m=people.motion.height_m[rows].astype(np.float32),
        )


def _at_border(detections: Detections) -> NDArray[np.bool_]:
    """Whose box touches the edge of the picture: there people come in."""
    lens = detections.frame.view.intrinsics
    edge_px = np.array([BORDER * lens.width_px, BORDER * lens.height_px], np.float32)
    near = (detections.boxes[:, :2] <= edge_px).any(axis=1)
    far = (detections.boxes[:, 2:] >= np.array([lens.width_px, lens.height_px]) - edge_px).any(axis=1)
    return np.asarray(near | far)
