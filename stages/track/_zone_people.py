"""Who is followed in one zone: parallel arrays, a row for each, whom every camera of the zone may see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from stages.track._entries import Entries
from stages.track._floor_motion import FloorMotion
from stages.track._fusion import NOBODY, Measured, Rows, Sum, clustered, joined

SCORE_SHARE = 0.3
TOLD_S = 1.0
LATELY_S = 1.0  # a weak detection goes on only with who was surely seen so short a while ago
# who goes so near an older one for so long, and no camera shows both, is no other
DOUBLE_M, DOUBLE_S = 0.7, 1.5


@dataclass(frozen=True, slots=True)
class Manners:
    """How people move, and when they are believed in."""

    max_missed_s: float
    change_m2_s3: float
    max_speed_m_s: float
    min_new_score: float
    near_m: float
    alone_s: float


def _empty(kind: type, *shape: int) -> Any:
    return field(default_factory=lambda: np.empty((0, *shape), kind))


@dataclass(eq=False)
class ZonePeople:
    """The people of one zone, in the order of their ids."""

    motion: FloorMotion = field(default_factory=FloorMotion.none)
    ids: NDArray[np.int64] = _empty(np.int64)
    born_ns: NDArray[np.int64] = _empty(np.int64)
    born_m: NDArray[np.float64] = _empty(np.float64, 2)
    is_told: NDArray[np.bool_] = _empty(np.bool_)  # the entries know how they went on
    seen_ns: NDArray[np.int64] = _empty(np.int64)
    sure_ns: NDArray[np.int64] = _empty(np.int64)  # when last surely seen
    beside_s: NDArray[np.float64] = _empty(np.float64)  # for how long an older one might have been them
    score: NDArray[np.float64] = _empty(np.float64)  # of their detections, of late
    is_sure: NDArray[np.bool_] = _empty(np.bool_)  # two cameras showed them, or one for long enough
    entries: Entries = field(default_factory=Entries)
    next_id: int = 0
    now_ns: int = -1

    def see(self, now_ns: int, measured: Measured, scores: NDArray[np.float64], manners: Manners) -> Rows:
        """What all cameras measured at one moment: the row of whose each of them is (m,), `NOBODY` of none."""
        passed_s = max(0, now_ns - self.now_ns) / 1e9 if self.now_ns >= 0 else 0.0
        self.now_ns = max(now_ns, self.now_ns)
        self._expect(passed_s, manners)
        whose = self._whose(measured, scores, manners)
        self._update(measured, scores, whose, manners)
        whose = self._without_doubles(measured, whose, passed_s)
        return self._begin(measured, scores, whose, manners)

    def packed(self) -> dict[str, Any]:
        """All that `unpacked` needs."""
        motion = {name: getattr(self.motion, name) for name in FloorMotion.__slots__}
        columns = {name: getattr(self, name) for name in (*_COLUMNS, *_NUMBERS)}
        return {"motion": motion, **columns, "entries": self.entries.packed()}

    @classmethod
    def unpacked(cls, parts: Mapping[str, Any]) -> Self:
        """The people of whom these are the parts."""
        older = {"sure_ns": parts["seen_ns"], "beside_s": np.zeros(len(parts["ids"]))}  # of an older version
        columns = {name: parts.get(name, older.get(name)).copy() for name in _COLUMNS}
        motion, entries = FloorMotion(**parts["motion"]), Entries(*parts["entries"])
        return cls(motion, **columns, entries=entries, **{name: parts[name] for name in _NUMBERS})

    def _keep(self, rows: NDArray[np.bool_]) -> None:
        self.motion = self.motion[rows]
        for name in _COLUMNS:
            setattr(self, name, getattr(self, name)[rows])

    def _expect(self, passed_s: float, manners: Manners) -> None:
        """Expect everyone where they should be now, and no longer those who were not seen for too long."""
        unseen_s = (self.now_ns - self.seen_ns) / 1e9
        patience_s = np.where(self.is_sure, manners.max_missed_s, manners.alone_s + 0.5 * passed_s)
        stays = unseen_s <= np.maximum(patience_s, 1.5 * passed_s)
        if not stays.all():
            self._keep(stays)
        self.motion = self.motion.after(passed_s, manners.change_m2_s3)

    def _whose(self, measured: Measured, scores: NDArray[np.float64], manners: Manners) -> Rows:
        """First who is believed in, then the others with what is left; and first by what was surely seen."""
        unseen_s = (self.now_ns - self.seen_ns) / 1e9
        reach_m = manners.near_m + manners.max_speed_m_s * unseen_s
        away_m = np.linalg.norm(self.motion.places_m[:, None] - measured.places_m[None], axis=2)
        near = away_m <= reach_m[:, None]
        weak = scores < manners.min_new_score
        lately = self.now_ns - self.sure_ns <= LATELY_S * 1e9
        near &= ~weak | lately[:, None]
        whose = np.full(len(measured), NOBODY, np.intp)
        for strength in (~weak, weak):
            for some in (self.is_sure, ~self.is_sure):
                rows, left = np.flatnonzero(some), np.flatnonzero((whose == NOBODY) & strength)
                if len(rows) and len(left):
                    known = Sum(self.motion.places_m[rows], self.motion.covariance_m2[rows])
                    free = ~self._shown(measured, whose)[:, measured.cameras[left]]
                    found = joined(known, measured[left], (near[:, left] & free)[rows])
                    whose[left[found != NOBODY]] = rows[found[found != NOBODY]]
        return whose

    def _shown(self, measured: Measured, whose: Rows) -> NDArray[np.bool_]:
        """Who is in which camera's picture (people, cameras)."""
        shown = np.zeros((len(self.ids), int(measured.cameras.max(initial=-1)) + 1), bool)
        found = whose != NOBODY
        shown[whose[found], measured.cameras[found]] = True
        return shown

    def _update(self, measured: Measured, scores: NDArray[np.float64], whose: Rows, manners: Manners) -> None:
        """Those who were seen are where all their cameras together have them."""
        rows = np.unique(whose[whose != NOBODY])
        if not len(rows):
            return
        places, covariance, best, cameras = _fused(measured, scores, whose, rows)
        self.motion = self.motion.given(rows, places, covariance)
        self.seen_ns[rows] = self.now_ns
        self.sure_ns[rows[best >= manners.min_new_score]] = self.now_ns
        self.score[rows] += SCORE_SHARE * (best - self.score[rows])
        self.is_sure[rows] |= (cameras > 1) & (self.beside_s[rows] == 0)

    def _without_doubles(self, measured: Measured, whose: Rows, passed_s: float) -> Rows:
        """Somebody is taken for two where cameras disagree on where they are; the one who came later goes."""
        places = self.motion.places_m
        near = np.linalg.norm(places[:, None] - places[None], axis=2) < DOUBLE_M
        shown = self._shown(measured, whose)
        both = (shown[:, None] & shown[None]).any(axis=2)
        older = np.tri(len(self.ids), k=-1, dtype=bool)  # ids count up
        beside = (near & older & ~both).any(axis=1)
        self.beside_s = np.where(beside, self.beside_s + passed_s, 0.0)
        stays = self.beside_s < DOUBLE_S
        if stays.all():
            return whose
        place = np.where(stays, np.cumsum(stays) - 1, NOBODY)
        self._keep(stays)
        return np.where(whose == NOBODY, NOBODY, place[whose])

    def _begin(self, measured: Measured, scores: NDArray[np.float64], whose: Rows, manners: Manners) -> Rows:
        """Somebody new for what belongs to nobody; who is seen by one camera alone is not believed in at once."""
        lasted_s = (self.seen_ns - self.born_ns) / 1e9
        self.is_sure |= (lasted_s >= manners.alone_s) & (self.beside_s == 0)
        self._tell(lasted_s)
        free = np.flatnonzero((whose == NOBODY) & (scores >= manners.min_new_score))
        if not len(free):
            return whose
        cluster = clustered(measured[free], manners.near_m)
        count = int(cluster.max()) + 1
        places, covariance, best, cameras = _fused(measured[free], scores[free], cluster, np.arange(count))
        now_ns = np.full(count, self.now_ns)
        away_m = np.linalg.norm(self.motion.places_m[:, None] - places[None], axis=2)
        alone = ~(away_m < DOUBLE_M).any(axis=0)
        new = {
            "ids": np.arange(self.next_id, self.next_id + count),
            "born_ns": now_ns,
            "born_m": places,
            "is_told": np.zeros(count, bool),
            "seen_ns": now_ns,
            "sure_ns": now_ns,
            "beside_s": np.zeros(count),
            "score": best,
            "is_sure": (cameras > 1) & alone,
        }
        whose = whose.copy()
        whose[free] = len(self.ids) + cluster
        velocity = self.entries.expected(places, manners.max_speed_m_s / 2)
        begun = FloorMotion.begun((places, covariance), velocity)
        self.motion = self.motion.with_more(begun)
        for name in _COLUMNS:
            setattr(self, name, np.concatenate([getattr(self, name), new[name]]))
        self.next_id += count
        return whose

    def _tell(self, lasted_s: NDArray[np.float64]) -> None:
        """How those went on who have been there for long enough to know."""
        rows = np.flatnonzero((lasted_s >= TOLD_S) & self.is_sure & ~self.is_told)
        if len(rows):
            way_m = self.motion.places_m[rows] - self.born_m[rows]
            self.entries.learn(self.born_m[rows], way_m / lasted_s[rows][:, None])
            self.is_told[rows] = True


_NUMBERS = "next_id", "now_ns"
_COLUMNS = [f.name for f in fields(ZonePeople) if f.name not in ("motion", "entries", *_NUMBERS)]


def _fused(
    measured: Measured, scores: NDArray[np.float64], whose: Rows, rows: Rows
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], Rows]:
    """Place (n, 2), covariance (n, 2, 2), best score and number of cameras (n,) of each of the people in `rows`."""
    place = np.full(int(rows.max()) + 1, NOBODY, np.intp)
    place[rows] = np.arange(len(rows))
    local = np.where(whose == NOBODY, NOBODY, place[whose.clip(0)])
    both = Sum.of_nothing(len(rows)).with_measured(measured, local)
    best, known = np.zeros(len(rows)), local != NOBODY
    np.maximum.at(best, local[known], scores[known])
    return both.places_m, both.covariance_m2, best, np.bincount(local[known], minlength=len(rows))
