"""Follows people on the floor before seven cameras from boxes alone: WILDTRACK's annotations with noise, misses in
bursts and false ones. Beside it, in the same run, greedy clusters on the floor with SORT, and an oracle.

    python benchmarks/wildtrack.py DIR           the last 140 frames, with seeds that nothing was chosen by
    python benchmarks/wildtrack.py DIR --chosen  the first 60, by which settings were chosen
    python benchmarks/wildtrack.py DIR --shaken  the last 140 with every setting 20 % lower and higher
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from time import perf_counter

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

sys.path.insert(0, str(Path(__file__).parents[1]))

from calibration.camera import Intrinsics, Mount, Pose, View  # noqa: E402
from engines.evaluate.evaluate_run import sequence_on_floor  # noqa: E402
from engines.evaluate.moments import run_of_rows, truth_on_floor  # noqa: E402
from engines.evaluate.run_scores import Rules  # noqa: E402
from engines.evaluate.scores import Scores, scored  # noqa: E402
from engines.evaluate.truth import CameraTruth  # noqa: E402
from engines.evaluate.wildtrack import read_wildtrack  # noqa: E402
from pipeline.messages import Detections, Frame  # noqa: E402
from stages._feet import feet_of  # noqa: E402
from stages.track.zone import Zones  # noqa: E402

Array = NDArray[np.float64]

NAMES = ("CVLab1", "CVLab2", "CVLab3", "CVLab4", "IDIAP1", "IDIAP2", "IDIAP3")  # C1 to C7
SIZE_PX = (1920, 1080)
CHOSEN, FRAMES = 60, 200
CHOSEN_SEEDS, SEEDS = (1, 2, 3, 4, 5), (601, 602, 603, 604, 605)
NOISE_PX, MISSED, FALSE = 5.0, 0.10, 0.02
BURST_S = (0.5, 2.0)
AREA_M = ((-3.0, 9.0), (-9.0, 27.0))
TALL_M, WIDE_M, SCORE = 1.75, 0.5, 0.9
NOISE_M = 0.10  # these boxes end where people stand, which a detector's do not

Said = list[tuple[int, str, float, float]]  # moment, who, x and y


def view_of(place: Path, name: str) -> View:
    """A camera of the set, as it was calibrated: centimetres, and pictures without distortion."""
    lens = _values(place / f"calibrations/intrinsic_zero/intr_{name}.xml", "data")
    turn, shift = (
        _values(place / f"calibrations/extrinsic/extr_{name}.xml", tag) for tag in ("rvec", "tvec")
    )
    rotation = np.asarray(cv2.Rodrigues(np.array(turn))[0], np.float64)
    pose = Pose(rotation, np.array(shift) / 100).inverse()
    return View(Intrinsics(*SIZE_PX, lens[0], lens[4], lens[2], lens[5]), Mount(is_placed=True), pose, name)


def _values(file: Path, tag: str) -> list[float]:
    found = re.search(rf"<{tag}>(.*?)</{tag}>", file.read_text("utf-8"), re.DOTALL)
    if found is None:
        raise ValueError(f"{file}: has no {tag}; give WILDTRACK's calibrations")
    return [float(value) for value in found[1].split()]


@dataclass(frozen=True)
class Moment:
    """What all cameras detected at one time, and whose each detection is: -1 of a false one."""

    index: int
    detections: tuple[Detections, ...]
    people: tuple[NDArray[np.int64], ...]


def moments(
    truth: Sequence[CameraTruth], views: Sequence[View], frames: range, seed: int
) -> Iterator[Moment]:
    """The annotations of these frames as somebody's detector might give them."""
    random = np.random.default_rng(seed)
    kept = [_kept(camera, random) for camera in truth]
    for frame in frames:
        found, people = [], []
        for camera, view, is_kept in zip(truth, views, kept, strict=True):
            rows = np.flatnonzero((camera.frame_indices == frame) & is_kept)
            false = _false(view, random.random(len(rows)) < FALSE, random)
            boxes = np.concatenate(
                [camera.mot.corners[rows] + random.normal(0, NOISE_PX, (len(rows), 4)), false]
            )
            boxes = np.clip(boxes, 0, [*SIZE_PX, *SIZE_PX]).astype(np.float32)
            found.append(_detections(camera.camera_id, view, frame, boxes))
            people.append(np.concatenate([camera.people[rows], np.full(len(false), -1)]))
        yield Moment(frame, tuple(found), tuple(people))


def _kept(camera: CameraTruth, random: np.random.Generator) -> NDArray[np.bool_]:
    """Rows that are not missed: bursts begin anywhere until a tenth of the rows is in one."""
    is_kept = np.ones(len(camera), bool)
    while is_kept.mean() > 1 - MISSED:
        row = int(random.integers(len(camera)))
        ends_ns = camera.captured_ns[row] + random.uniform(*BURST_S) * 1e9
        in_burst = (camera.captured_ns >= camera.captured_ns[row]) & (camera.captured_ns < ends_ns)
        is_kept[(camera.people == camera.people[row]) & in_burst] = False
    return is_kept


def _false(view: View, there: NDArray[np.bool_], random: np.random.Generator) -> Array:
    """Boxes (n, 4) of people who are not there, anywhere on the floor that the camera sees."""
    boxes: list[Array] = []
    while len(boxes) < there.sum():
        x, y = (random.uniform(*side) for side in AREA_M)
        foot, head = view.project(np.array([[x, y, 0.0], [x, y, TALL_M]]))
        if foot[2] > 1 and 0 < foot[0] < SIZE_PX[0] and 0 < foot[1] < SIZE_PX[1]:
            half = WIDE_M / 2 * view.intrinsics.fx_px / foot[2]
            boxes.append(np.array([foot[0] - half, head[1], foot[0] + half, foot[1]]))
    return np.array(boxes).reshape(-1, 4)


def _detections(camera: str, view: View, index: int, boxes: NDArray[np.float32]) -> Detections:
    frame, n = Frame(camera, index, index * 500_000_000, view), len(boxes)
    scores, unknown = np.full(n, SCORE, np.float32), np.full(n, np.nan, np.float32)
    return Detections(frame, boxes, scores, feet_of(frame, boxes), unknown)


def ours(given: Sequence[Moment], tracker: Zones) -> Said:
    """Whom our tracker follows, moment by moment."""
    said = {}
    for moment in given:
        for tracks in tracker.update(moment.detections):
            for id, (x, y) in zip(tracks.track_ids.tolist(), tracks.floor_m.tolist(), strict=True):
                said[moment.index, f"{id}"] = (x, y)
    return [(moment, who, x, y) for (moment, who), (x, y) in said.items()]


def _places(moment: Moment) -> tuple[Array, NDArray[np.int64], NDArray[np.int64]]:
    """Places, cameras and people of the detections that have a place."""
    places = np.concatenate([one.floor_m for one in moment.detections]).astype(float)
    cameras = np.repeat(np.arange(len(moment.detections)), [len(one) for one in moment.detections])
    known = ~np.isnan(places).any(axis=1)
    return places[known], cameras[known], np.concatenate(moment.people)[known]


def oracle(given: Sequence[Moment]) -> Said:
    """Who everybody is, is told: the mean of the places that their detections have."""
    said: Said = []
    for moment in given:
        places, _, people = _places(moment)
        for person in np.unique(people[people >= 0]).tolist():
            x, y = places[people == person].mean(axis=0).tolist()
            said.append((moment.index, str(person), x, y))
    return said


def fused_oracle(given: Sequence[Moment], tracker: Zones) -> Said:
    """The same, of places as sure as each camera's geometry makes them."""
    from stages.track._fusion import Sum
    from stages.track.zone import _measured

    said: Said = []
    for moment in given:
        measured, known = _measured(
            moment.detections, tracker.noise_px, tracker.noise_m, tracker.depth_noise_m
        )
        people = np.concatenate(moment.people)[known]
        names = np.unique(people[people >= 0])
        whose = np.where(people >= 0, np.searchsorted(names, people), -1)
        places = Sum.of_nothing(len(names)).with_measured(measured, whose).places_m
        said += [
            (moment.index, str(name), x, y)
            for name, (x, y) in zip(names.tolist(), places.tolist(), strict=True)
        ]
    return said


def naive(given: Sequence[Moment], radius_m: float = 0.8, reach_m: float = 1.2, patience: int = 2) -> Said:
    """Greedy clusters of nearby places, at most one of each camera, then SORT on them: constant velocity, Hungarian."""
    said: Said = []
    known: list[list[float]] = []  # x, y, vx, vy a frame, frames unseen, who
    count = 0
    for moment in given:
        middles = _greedy(*_places(moment)[:2], radius_m)
        for one in known:
            one[0], one[1], one[4] = one[0] + one[2], one[1] + one[3], one[4] + 1
        state = np.array([one[:2] for one in known]).reshape(-1, 2)
        away = np.linalg.norm(state[:, None] - middles[None], axis=2)
        rows, columns = linear_sum_assignment(np.where(away > reach_m, 1e6, away))
        free = set(range(len(middles)))
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
            if away[row, column] <= reach_m:
                one, place = known[row], middles[column]
                off = place - one[:2]
                one[:5] = [*(one[:2] + 0.7 * off), *(one[2:4] + 0.4 * off), 0.0]
                free.discard(column)
        for column in sorted(free):
            known.append([*middles[column].tolist(), 0.0, 0.0, 0.0, float(count)])
            count += 1
        known = [one for one in known if one[4] <= patience]
        said += [(moment.index, f"{one[5]:.0f}", one[0], one[1]) for one in known if one[4] == 0]
    return said


def _greedy(places: Array, cameras: NDArray[np.int64], radius_m: float) -> Array:
    """Clusters, the one with most cameras first: (n, 2)."""
    left, middles = np.ones(len(places), bool), []
    near = np.linalg.norm(places[:, None] - places[None], axis=2) <= radius_m
    while left.any():
        counts = [
            len(set(cameras[near[row] & left].tolist())) if left[row] else 0 for row in range(len(places))
        ]
        chosen = np.flatnonzero(near[int(np.argmax(counts))] & left)
        center = places[chosen].mean(axis=0)
        order = chosen[np.argsort(np.linalg.norm(places[chosen] - center, axis=1))]
        _, first = np.unique(cameras[order], return_index=True)
        middles.append(places[order[first]].mean(axis=0))
        left[order[first]] = False
    return np.array(middles).reshape(-1, 2)


def score(said: Said, truth: CameraTruth, frames: range) -> Scores:
    """Each person and each identity once a moment, by floor distance: similar from half a metre."""
    rows = (truth.frame_indices >= frames.start) & (truth.frame_indices < frames.stop)
    picked = {
        f.name: getattr(truth, f.name)[rows]
        for f in fields(truth)
        if isinstance(getattr(truth, f.name), np.ndarray)
    }
    part = replace(truth, ignored=("",) * int(rows.sum()), **picked)
    names, places = [one[:2] for one in said], np.array([one[2:] for one in said]).reshape(-1, 2)
    run = run_of_rows(names, places, np.arange(FRAMES) * 500_000_000)
    return scored(sequence_on_floor(part, run, Rules()))


def table(
    place: Path, frames: range, seeds: Sequence[int], make: Callable[[], Zones]
) -> dict[str, list[Scores]]:
    """Scores of every contestant with every seed; says how long ours took."""
    truth = read_wildtrack(place)
    views, floor = [view_of(place, name) for name in NAMES], truth_on_floor(truth)
    scores: dict[str, list[Scores]] = {}
    took_s, count = 0.0, 0
    for seed in seeds:
        every = list(moments(truth, views, range(frames.stop), seed))
        given = every[frames.start :]
        began = perf_counter()
        found = ours(every, make())
        took_s, count = took_s + perf_counter() - began, count + len(every)
        sides = {
            "ours": [one for one in found if one[0] in frames],
            "ours, begun there": ours(given, make()),
            "greedy clusters + SORT": [one for one in naive(every) if one[0] in frames],
            "oracle, same places": fused_oracle(given, make()),
            "oracle, plain means": oracle(given),
        }
        for name, said in sides.items():
            scores.setdefault(name, []).append(score(said, floor, frames))
    print(f"{1000 * took_s / count:.1f} ms a moment of 7 cameras")
    return scores


def show(scores: dict[str, list[Scores]]) -> None:
    """A line for each, the mean over seeds."""
    print(f"{'':24}  IDF1 (lowest)   HOTA   MOTA  switches  recall  precision")
    for name, every in scores.items():
        idf1 = [one.identity.idf1 for one in every]
        rest = [
            np.mean([of(one) for one in every])
            for of in (
                lambda one: one.hota.score,
                lambda one: one.clear.mota,
                lambda one: one.clear.switches,
                lambda one: one.clear.recall,
                lambda one: one.clear.precision,
            )
        ]
        hota, mota, switches, recall, precision = rest
        print(
            f"{name:24} {np.mean(idf1):.3f} ({min(idf1):.3f})   {hota:.3f}  {mota:.3f}  {switches:8.1f}"
            f"  {recall:.3f}   {precision:.3f}"
        )


SHAKEN = ("max_missed_s", "noise_px", "noise_m", "acceleration", "max_speed_m_s", "near_m", "alone_s")


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("place", type=Path, metavar="DIR")
    parser.add_argument("--chosen", action="store_true")
    parser.add_argument("--shaken", action="store_true")
    asked = parser.parse_args()
    frames, seeds = (range(CHOSEN), CHOSEN_SEEDS) if asked.chosen else (range(CHOSEN, FRAMES), SEEDS)
    if not asked.shaken:
        show(table(asked.place, frames, seeds, partial(Zones, noise_m=NOISE_M)))
        return
    for name in SHAKEN:
        for factor in (0.8, 1.2):
            value = factor * getattr(Zones(noise_m=NOISE_M), name)
            found = table(
                asked.place,
                frames,
                seeds[:2],
                lambda name=name, value=value: Zones(**{"noise_m": NOISE_M, name: value}),
            )
            print(f"{name} {value:.3g}: IDF1 {np.mean([one.identity.idf1 for one in found['ours']]):.3f}")


if __name__ == "__main__":
    main()
