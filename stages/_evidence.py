"""How likely a tracklet is to be somebody: log likelihood ratios of what they look like, how tall they are, and
whether they could have walked there. Positive speaks for the same person. Knows no identities and no events.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.messages import HIDDEN, Sighting
from stages._looks import likeness
from stages._ways import Ways, is_unplaced

Array = NDArray[np.float64]
Rows = NDArray[np.intp]

NEVER = -50.0
HEIGHT_SPREAD_M = 0.13  # among people
SAME_PLACE_M = 0.8  # two cameras that see someone this near each other see one person
SAME_TIME_S = 0.5
FOLLOWED, FOLLOWED_S = (
    16.0,
    10.0,
)  # cameras that follow people together have them as one track, not long apart
AGAIN_M = (
    0.8  # a track that breaks off goes on here, within AGAIN_S of its end, before or after; or is another's:
)
AGAIN_S, AGAIN = 0.5, 1.5  # of three, two went on
BEST = 2  # of somebody's sightings: one view of them may be like, others unlike
FAR, NEAR = (
    1.25,
    -0.4,
)  # the tails of heights, and what the middle says less than it would if all were so sure
BAD = 0.02  # the share of sightings whose looks and height say nothing
NOBODY = -1  # fills up the rows of those who have fewer sightings


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is taken for how likely. `midpoint` is the similarity at which appearance says nothing, `slope` how
    much it says per unit beyond.
    """

    midpoint: float
    slope: float
    height_m: float  # two measurements of one person are mostly within it; some are far off
    max_speed_m_s: float
    masked_below: float  # who shows less is compared by what shows
    ways: Ways

    def between(self, table: SightingTable, new: Rows, known: Rows) -> Array:
        """For each of the rows `new` (q,) of the table being the person whose rows are `known` (q, k): (q,)."""
        moved = self._walk(table, new[:, None], known).min(axis=1, initial=np.inf)
        moved[np.isinf(moved)] = 0.0  # there is nobody to have walked from
        moved = self._followed(table, new[:, None], known, moved)
        moved[moved > NEVER] += self._went(table, new[:, None], known)[moved > NEVER]
        may = np.flatnonzero(moved > NEVER)
        new, known, fits = new[may], known[may], np.full(len(new), NEVER)
        measured = self._looks(table.similarities(new, known, self.masked_below)) + self._height(
            table, new, known
        )
        fits[may] = np.logaddexp(np.log1p(-BAD) + measured, np.log(BAD)) + moved[may]
        return fits

    def _looks(self, similarities: Array) -> Array:
        best = np.sort(np.nan_to_num(similarities, nan=-np.inf), axis=1)[:, -BEST:]
        count = np.isfinite(best).sum(axis=1)
        mean = np.where(np.isfinite(best), best, 0.0).sum(axis=1) / np.maximum(count, 1)
        looks: Array = np.where(count > 0, np.clip(self.slope * (mean - self.midpoint), -8.0, 8.0), 0.0)
        return looks

    def _height(self, table: SightingTable, new: Rows, known: Rows) -> Array:
        off_m = table.heights_m[new] - _middle(np.where(known == NOBODY, np.nan, table.heights_m[known]))
        gain = np.log(HEIGHT_SPREAD_M / self.height_m) + NEAR
        heights: Array = np.maximum(gain - FAR * np.log1p((off_m / self.height_m) ** 2), -6.0)
        return np.where(np.isnan(off_m), 0.0, heights)

    def _walk(self, table: SightingTable, new: Rows, old: Rows) -> Array:
        """Whether someone can have been both, and whether the one goes on where the other broke off: (q, k)."""
        first = table.opened_ns[old] <= table.opened_ns[new]
        a, b = np.where(first, old, new), np.where(first, new, old)
        passed_s = (table.opened_ns[b] - table.seen_ns[a]) / 1e9
        way_m = np.linalg.norm(table.entered_m[b] - table.left_m[a], axis=-1)
        placed = (table.frames[a] == table.frames[b]) & ~np.isnan(way_m)
        same_camera = table.cameras[a] == table.cameras[b]
        goes_on = same_camera & (np.abs(passed_s) < AGAIN_S) & (way_m < AGAIN_M)
        later = np.where(goes_on, AGAIN, 0.0)
        later[way_m > 0.5 + self.max_speed_m_s * passed_s] = NEVER
        later[~placed] = 0.0
        together = np.where(placed, self._together(table, a, b), -2.0)
        at_once = np.where(same_camera, np.where(goes_on, AGAIN, NEVER), together)
        walk = np.where(passed_s < 0, at_once, later)
        return np.where(old == NOBODY, np.inf, walk)

    def _followed(self, table: SightingTable, new: Rows, old: Rows, moved: Array) -> Array:
        """The same, where cameras follow people together: one track of a zone is one person, two at once are two."""
        in_zone = (
            (old != NOBODY)
            & table.followed[new]
            & table.followed[old]
            & (table.zones[new] == table.zones[old])
        )
        if not in_zone.any():
            return moved
        late = np.maximum(table.opened_ns[new], table.opened_ns[old])
        apart_s = (late - np.minimum(table.seen_ns[new], table.seen_ns[old])) / 1e9
        is_one = in_zone & (table.zone_tracks[new] == table.zone_tracks[old]) & (apart_s < FOLLOWED_S)
        are_two = in_zone & (table.zone_tracks[new] != table.zone_tracks[old]) & (apart_s < 0)
        moved = np.where(is_one.any(axis=1), FOLLOWED, moved)
        return np.where(are_two.any(axis=1), NEVER, moved)

    def _went(self, table: SightingTable, new: Rows, old: Rows) -> Array:
        """What is known of the ways between cameras, where floors do not say how far they are from each other: of the
        last time that each was seen before.
        """
        went = np.zeros(len(new))
        if not len(self.ways) or not old.size:
            return went
        passed_ns = table.opened_ns[new] - table.seen_ns[old]
        before = (old != NOBODY) & (passed_ns >= 0)
        last = np.where(before, passed_ns, np.iinfo(np.int64).max).argmin(axis=1)
        for row in np.flatnonzero(before.any(axis=1)).tolist():
            gone, come = table.sightings[old[row, last[row]]], table.sightings[new[row, 0]]
            if is_unplaced(gone, come):
                passed_s = passed_ns[row, last[row]] / 1e9
                went[row] = self.ways.evidence(gone.tracklet.camera_id, come.tracklet.camera_id, passed_s)
        return went

    def _together(self, table: SightingTable, a: Rows, b: Rows) -> Array:
        """Of two that were seen at the same time, `a` first: each of their known places may be of another moment."""
        possible = np.ones(a.shape, bool)
        for place_m, at_ns, other_m, other_ns in (
            (table.entered_m[a], table.opened_ns[a], table.entered_m[b], table.opened_ns[b]),
            (table.left_m[a], table.seen_ns[a], table.entered_m[b], table.opened_ns[b]),
            (table.left_m[a], table.seen_ns[a], table.left_m[b], table.seen_ns[b]),
        ):
            apart_s = np.maximum(np.abs(at_ns - other_ns) / 1e9 - SAME_TIME_S, 0.0)
            apart_m = np.linalg.norm(place_m - other_m, axis=-1)
            too_far = apart_m > SAME_PLACE_M + self.max_speed_m_s * apart_s  # an unknown place is not
            possible &= ~too_far
        at_once = np.abs(table.seen_ns[a] - table.seen_ns[b]) <= SAME_TIME_S * 1e9
        return np.where(possible, np.where(at_once, 4.0, 0.0), NEVER)


class SightingTable:
    """Sightings as parallel arrays, so that many are weighed at once. What is unknown is NaN."""

    def __init__(self, sightings: Sequence[Sighting]) -> None:
        tracklets = [one.tracklet for one in sightings]
        self.opened_ns = np.array([t.opened_ns for t in tracklets], np.int64)
        self.seen_ns = np.array([t.seen_ns for t in tracklets], np.int64)
        self.entered_m = np.array([t.entered_floor_m for t in tracklets], float).reshape(-1, 2)
        self.left_m = np.array([t.floor_m for t in tracklets], float).reshape(-1, 2)
        self.heights_m = np.array([t.height_m for t in tracklets], float)
        self.cameras = _numbered([t.camera_id for t in tracklets])
        self.frames = _numbered([t.floor_frame for t in tracklets])
        self.followed = np.array([t.zone_track != "" for t in tracklets], bool)
        self.zone_tracks = _numbered([t.zone_track for t in tracklets])
        self.zones = _numbered([t.zone_track.rpartition("/")[0] for t in tracklets])
        self._kinds = _numbered([one.kind if one.votes else "" for one in sightings])
        self.sightings = sightings
        self._shows = np.array([one.shows for one in sightings])
        self._looked = np.array([one.votes > 0 for one in sightings], bool)

    def similarities(self, new: Rows, known: Rows, masked_below: float) -> Array:
        """How like rows `new` (q,) are to `known` (q, k), NaN where they cannot be compared, or where others of
        their row show far more.
        """
        rows, number = np.unique(new, return_inverse=True)
        columns = np.unique(known[known != NOBODY])
        cosines = np.full((len(rows), len(self.sightings)), np.nan)
        for kind in np.unique(self._kinds[rows[self._looked[rows]]]):
            ours, theirs = (some[self._comparable(some, kind)] for some in (rows, columns))
            if len(theirs):
                one, other = ([self.sightings[row] for row in some.tolist()] for some in (ours, theirs))
                cosines[np.ix_(np.searchsorted(rows, ours), theirs)] = likeness(one, other, masked_below)
        found = np.where(known == NOBODY, np.nan, cosines[number[:, None], known])
        shows = np.where(np.isnan(found), 0.0, self._shows[known])
        return np.where(shows < HIDDEN * shows.max(axis=1, keepdims=True, initial=0.0), np.nan, found)

    def _comparable(self, rows: Rows, kind: int) -> NDArray[np.bool_]:
        return np.asarray(self._looked[rows] & (self._kinds[rows] == kind))


def padded(groups: Sequence[Sequence[int] | range]) -> Rows:
    """Rows of a table for each group, filled up with NOBODY: (len(groups), the longest)."""
    longest = max(map(len, groups), default=0)
    rows = [[*group, *[NOBODY] * (longest - len(group))] for group in groups]
    return np.array(rows, np.intp).reshape(len(groups), longest)


def _numbered(names: Sequence[str]) -> Rows:
    number = {name: place for place, name in enumerate(dict.fromkeys(names))}
    return np.array([number[name] for name in names], np.intp)


def _middle(values: Array) -> Array:
    """The median of what is known in each row; NaN of nothing."""
    values = np.sort(values, axis=1)  # NaN last
    count = (~np.isnan(values)).sum(axis=1)
    if not values.shape[1]:
        return np.full(len(values), np.nan)
    low, high = (np.maximum(count - 1, 0) // 2, count // 2)
    every = np.arange(len(values))
    high = np.minimum(high, np.maximum(count - 1, 0))
    middles: Array = 0.5 * (values[every, low] + values[every, high])
    return middles
