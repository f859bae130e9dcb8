"""How hard a simulated recording is, counted from the truth that was written, never from what was planned."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.evaluate.truth import FOLDER, CameraTruth, read_truth
from engines.people.truth_files import PEOPLE, THINGS

Array = NDArray[np.float64]

NEAR_M, APART_M = 0.5, 1.0  # a pass is nearer; to pass again two must have been apart
AWAY_S = 60.0
STANDS_S, STANDS_M = 10.0, 0.25  # stays this near to where one was
BACK_M, BACK_SHARE = 1.0, 0.5  # went in so far, and was last seen within this share of it
GAP_S = 1.0  # out of a view for longer is another visit
OUTSIDE = "head_outside_picture"
IN_WORDS = {
    "people": "people seen",
    "look_alike_pairs": "pairs of look-alikes, both seen",
    "passes": f"passes: two heads nearer than {NEAR_M:g} m",
    "fewest_views": "views of the person seen in the fewest",
    "returns": f"returns after {AWAY_S:g} s or more out of all views",
    "people_standing": f"people who stand still for {STANDS_S:g} s",
    "turns_back": "visits in which someone turns back",
    "children": "children",
    "hats": "people with a hat",
    "trolley_views": "views with a trolley",
    "wheelchair_views": "views with a wheelchair",
    "table_views": "views with a table",
    "hard_shadow_views": "views with hard shadows",
    "people_per_view": "people in a view, on average",
    "share_outside": "share of rows with the head outside the picture",
    "share_ignored": "share of rows ignored for other reasons",
}


@dataclass(frozen=True)
class Hardness:
    """Counts over all cameras of a recording. Where a head is asked for, it is in the picture."""

    people: int  # seen at all
    look_alike_pairs: int  # both seen
    passes: int  # two heads of one view come nearer than NEAR_M
    fewest_views: int  # in which the head of the one seen in fewest is seen
    returns: int  # after AWAY_S or more out of all views
    people_standing: int  # for STANDS_S or more
    turns_back: int  # visits that end where they began
    children: int
    hats: int
    trolley_views: int  # views in which it is seen; and so on
    wheelchair_views: int
    table_views: int
    hard_shadow_views: int
    people_per_view: float
    share_outside: float  # rows whose head is not in the picture
    share_ignored: float  # rows ignored for other reasons

    @property
    def rows(self) -> list[tuple[str, str]]:
        """What was counted in words, and how many."""
        return [(words, f"{round(getattr(self, name), 3):g}") for name, words in IN_WORDS.items()]


def hardness(folder: Path) -> Hardness:
    """Count what is in `folder`/truth. Raises ValueError where that cannot be read."""
    cameras = read_truth(folder)
    people = {int(row["person"]): row for row in _rows(folder / FOLDER / PEOPLE)}
    things = [row["thing"] for row in _rows(folder / FOLDER / THINGS)]
    seen = sorted({int(person) for camera in cameras for person in camera.people})
    roles = [role for number in seen for role in people[number]["special"].split(";")]
    pairs = {frozenset((number, int(people[number]["look_alike_of"] or 0))) for number in seen}
    views = [sum(bool((camera.counts & (camera.people == n)).any()) for camera in cameras) for n in seen]
    visits = [visit for camera in cameras for visit in _visits(camera)]
    return Hardness(
        people=len(seen),
        look_alike_pairs=sum(len(pair & set(seen)) == 2 for pair in pairs),
        passes=sum(_passes(camera) for camera in cameras),
        fewest_views=min(views, default=0),
        returns=_returns(cameras),
        people_standing=len({visit.person for visit in visits if visit.stands()}),
        turns_back=sum(visit.turns_back() for visit in visits),
        children=roles.count("child"),
        hats=roles.count("hat"),
        trolley_views=things.count("trolley"),
        wheelchair_views=things.count("wheelchair"),
        table_views=things.count("table"),
        hard_shadow_views=things.count("hard_shadow"),
        **_shares(cameras),
    )


@dataclass(frozen=True, eq=False)
class _Visit:
    """One person's way through one view."""

    person: int
    times_s: Array  # (n,)
    floor_m: Array  # (n, 2)

    def stands(self) -> bool:
        for start in range(len(self.times_s)):
            end = int(np.searchsorted(self.times_s, self.times_s[start] + STANDS_S))
            if end == len(self.times_s):
                return False
            moved = np.linalg.norm(self.floor_m[start : end + 1] - self.floor_m[start], axis=1)
            if moved.max() <= STANDS_M:
                return True
        return False

    def turns_back(self) -> bool:
        far = np.linalg.norm(self.floor_m - self.floor_m[0], axis=1)
        return bool(far.max() >= BACK_M and far[-1] <= BACK_SHARE * far.max())


def _visits(camera: CameraTruth) -> Iterator[_Visit]:
    for person in np.unique(camera.people[camera.counts]):
        rows = np.flatnonzero(camera.counts & (camera.people == person))
        times = camera.captured_ns[rows] / 1e9
        for part in np.split(np.arange(len(rows)), np.flatnonzero(np.diff(times) > GAP_S) + 1):
            yield _Visit(int(person), times[part], camera.floor_m[rows[part]])


def _passes(camera: CameraTruth) -> int:
    """How often two come near each other, having been apart or out of view before."""
    inside = np.array([reason != OUTSIDE for reason in camera.ignored], bool)
    places = {
        int(person): dict(zip(camera.frame_indices[rows].tolist(), camera.floor_m[rows], strict=True))
        for person in np.unique(camera.people)
        for rows in [np.flatnonzero(inside & (camera.people == person))]
    }
    count = 0
    for one, other in combinations(sorted(places), 2):
        were_near, before = False, -2
        for index in sorted(places[one].keys() & places[other].keys()):
            apart = float(np.linalg.norm(places[one][index] - places[other][index]))
            were_near = were_near and index == before + 1 and apart < APART_M
            count += apart < NEAR_M and not were_near
            were_near, before = were_near or apart < NEAR_M, index
    return count


def _returns(cameras: Sequence[CameraTruth]) -> int:
    people = np.concatenate([camera.people for camera in cameras])
    stamps = np.concatenate([camera.captured_ns for camera in cameras])
    gaps = (np.diff(np.sort(stamps[people == person])) for person in np.unique(people))
    return sum(int((gap >= AWAY_S * 1e9).sum()) for gap in gaps)


def _shares(cameras: Sequence[CameraTruth]) -> dict[str, float]:
    reasons = [reason for camera in cameras for reason in camera.ignored]
    pictures = max((int(camera.frame_indices.max(initial=0)) + 1 for camera in cameras), default=1)
    outside, ignored = reasons.count(OUTSIDE), len(reasons) - reasons.count("")
    return {
        "people_per_view": len(reasons) / (pictures * len(cameras)),
        "share_outside": outside / max(1, len(reasons)),
        "share_ignored": (ignored - outside) / max(1, len(reasons)),
    }


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    except OSError as error:
        raise ValueError(
            f"{path}: cannot be read, {error.strerror}; name the folder of a simulation"
        ) from error
