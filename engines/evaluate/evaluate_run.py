"""Scores a run against the truth of its recording: each camera by itself, and identities across cameras."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence as Many
from dataclasses import dataclass

import numpy as np

from engines.evaluate._names import numbers_of, own_identities
from engines.evaluate._pairs import Pairs, pairs_of
from engines.evaluate.moments import run_on_floor, truth_on_floor
from engines.evaluate.run_folder import CameraRun, Run
from engines.evaluate.run_scores import CameraScores, Detection, Identities, Rules, RunScores
from engines.evaluate.scores import scored
from engines.evaluate.sequence import MATCHED_FROM, Ids, Rows, Sequence, Similarity, strung
from engines.evaluate.similarity import box_similarity, floor_similarity
from engines.evaluate.transitions import hand_overs_of
from engines.evaluate.truth import CameraTruth
from engines.evaluate.visits import Visit, hand_overs, returns, visit_numbers, visits_of


def score_run(run: Run, truth: Many[CameraTruth], rules: Rules) -> RunScores:
    """Scores of what was read. A camera of the truth that is not in the run saw nobody."""
    cameras = _cameras(run, truth, rules)
    reasons = Counter(reason for camera in truth for reason in camera.ignored if reason)
    return RunScores(
        rules=rules,
        cameras={camera.truth.camera_id: _scores_of(camera, rules) for camera in cameras},
        identities=_identities(cameras, run, rules),
        rows=sum(map(len, truth)),
        ignored=dict(sorted(reasons.items())),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Camera:
    truth: CameraTruth
    run: CameraRun
    floor: Pairs
    followed: Ids  # by row of the run: its identity, or its tracklet where it has none of its own
    known: Ids  # its identity in one numbering of all cameras; without one of its own it is like no other row


def _cameras(run: Run, truth: Many[CameraTruth], rules: Rules) -> list[_Camera]:
    ids = [camera.camera_id for camera in truth]
    strange = sorted(run.cameras.keys() - set(ids))
    if strange:
        what = f"the run has it, the truth has {', '.join(ids)}"
        raise ValueError(f"camera {strange[0]!r}: {what}; give the truth of the same recording")
    runs = [run.cameras.get(id, CameraRun.silent(id)) for id in ids]
    own = [own_identities(one, run.identity_of) for one in runs]
    known = numbers_of([_told_apart(id, names) for id, names in zip(ids, own, strict=True)])
    return [_camera(*parts, rules) for parts in zip(truth, runs, own, known, strict=True)]


def _told_apart(camera_id: str, own: Many[str]) -> list[str]:
    return [name or f"{camera_id} {row}" for row, name in enumerate(own)]


def _camera(truth: CameraTruth, run: CameraRun, own: Many[str], known: Ids, rules: Rules) -> _Camera:
    _require_one_recording(truth, run)
    names = [name or f"tracklet {id}" for name, id in zip(own, run.tracklet_ids, strict=True)]
    (followed,) = numbers_of([names])
    return _Camera(truth, run, _on_floor(truth, run, rules, MATCHED_FROM), followed, known)


def _on_floor(truth: CameraTruth, run: CameraRun, rules: Rules, from_similarity: float) -> Pairs:
    def alike(there: Rows, said: Rows) -> Similarity:
        return floor_similarity(truth.floor_m[there], run.floor_m[said], rules.zero_m)

    return pairs_of(truth, run, alike, from_similarity)


def _scores_of(camera: _Camera, rules: Rules) -> CameraScores:
    truth, run = camera.truth, camera.run
    corners = truth.mot.corners
    boxes = pairs_of(truth, run, lambda there, said: box_similarity(corners[there], run.boxes[said]))
    visits, (tracklets,) = visit_numbers(truth, rules.visit_gap_s), numbers_of([run.tracklet_ids])
    return CameraScores(
        detection=_detection(camera, rules),
        floor=scored(camera.floor.sequence(truth.people, camera.followed)),
        boxes=scored(boxes.sequence(truth.people, camera.followed)),
        tracks=scored(camera.floor.sequence(visits, tracklets)),
    )


def _detection(camera: _Camera, rules: Rules) -> Detection:
    truth, run = camera.truth, camera.run
    near = _on_floor(truth, run, rules, 1 - rules.within_m / rules.zero_m)
    found = len(near.matches)
    there, said = camera.floor.matches.T
    return Detection(
        true_positives=found,
        false_negatives=int(truth.counts.sum()) - found,
        false_positives=sum(len(frame.said) for frame in near.frames) - found,
        errors_m=tuple(np.linalg.norm(truth.floor_m[there] - run.floor_m[said], axis=1).tolist()),
    )


def _identities(cameras: Many[_Camera], run: Run, rules: Rules) -> Identities:
    visits: list[Visit] = []
    owners: dict[str, Counter[int]] = {identity: Counter() for identity in run.identity_of.values()}
    for camera in cameras:
        got = _identities_of_truth(camera, run)
        visits += visits_of(camera.truth, got, rules.visit_gap_s, rules.min_visit_s)
        for person, identity in zip(camera.truth.people.tolist(), got, strict=True):
            if identity:
                owners[identity][person] += 1
    people = {person for camera in cameras for person in camera.truth.people[camera.truth.counts].tolist()}
    owner_of = {identity: max(sorted(of), key=of.__getitem__) for identity, of in owners.items() if of}
    tracklets = {tracklet for camera in cameras for tracklet in camera.run.tracklet_ids}
    return Identities(
        scores=scored(strung(c.floor.sequence(c.truth.people, c.known) for c in cameras)),
        at_once=scored(floor_sequence(run, [camera.truth for camera in cameras], rules)),
        people=len(people),
        issued=len(owners),
        of_nobody=sum(not of for of in owners.values()),
        people_without=len(people - set(owner_of.values())),
        unidentified=len(tracklets - run.identity_of.keys()),
        hand_overs=hand_overs(visits),
        returns=returns(visits, rules.return_after_s),
        transitions=hand_overs_of(visits, owner_of),
    )


def floor_sequence(run: Run, truth: Many[CameraTruth], rules: Rules) -> Sequence:
    """All cameras at one moment, on floor distance: each person and each identity once."""
    return sequence_on_floor(truth_on_floor(truth), run_on_floor(run, truth), rules)


def sequence_on_floor(truth: CameraTruth, said: CameraRun, rules: Rules) -> Sequence:
    """One truth and one run by the floor, with names for tracklets."""
    (ids,) = numbers_of([said.tracklet_ids])
    return _on_floor(truth, said, rules, MATCHED_FROM).sequence(truth.people, ids)


def _identities_of_truth(camera: _Camera, run: Run) -> list[str]:
    """The identity that each row of truth got, also of those that are ignored; empty where it got none."""
    got = [""] * len(camera.truth)
    for there, said in [*camera.floor.matches.tolist(), *camera.floor.ignored.tolist()]:
        got[there] = run.identity_of.get(camera.run.tracklet_ids[said], "")
    return got


def _require_one_recording(truth: CameraTruth, run: CameraRun) -> None:
    """Raises ValueError where frames of one index were not captured together. Clocks may differ, frames may not."""
    indices, there, said = np.intersect1d(truth.frame_indices, run.frame_indices, return_indices=True)
    if len(indices) < 2:
        return
    times_ns = run.captured_ns[said]
    apart_ns = times_ns - truth.captured_ns[there]
    off_ns = np.abs(apart_ns - np.median(apart_ns))
    if off_ns.max() > np.median(np.diff(times_ns) / np.diff(indices)) / 2:
        where = f"camera {truth.camera_id!r}: frame {indices[off_ns.argmax()]}"
        what = f"run and truth are {off_ns.max() / 1e9:.3f} s further apart than elsewhere"
        raise ValueError(f"{where}: {what}; give the truth of the same recording")
