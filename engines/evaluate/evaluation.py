"""Scores whatever is given against whatever truth is given: runs, MOT results, folders of them; boxes or floors."""

from __future__ import annotations

from collections.abc import Sequence as Many
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.evaluate._names import numbers_of, own_identities
from engines.evaluate.evaluate_run import floor_sequence, score_run, sequence_on_floor
from engines.evaluate.moments import run_on_floor, truth_on_floor
from engines.evaluate.mot import TRUTH_COLUMNS, MotRows, read_mot
from engines.evaluate.mot_challenge import DISTRACTORS, distractors_of, mot_pairs, mot_sequence, read_mot_pair
from engines.evaluate.mot_floor import read_mot_floor, run_of_floor_rows
from engines.evaluate.run_folder import EVENTS, CameraRun, Run, read_run
from engines.evaluate.run_scores import Rules, RunScores
from engines.evaluate.scenescape import is_scenescape, read_scenescape
from engines.evaluate.scores import Scores, scored
from engines.evaluate.sequence import Sequence
from engines.evaluate.truth import CameraTruth, read_truth
from engines.evaluate.wildtrack import is_wildtrack, read_wildtrack

SizePx = tuple[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Sheet:
    """One scored sequence, and all that a report draws of it. Frames of the sequence are `frames` of the truth."""

    name: str
    sequence: Sequence
    scores: Scores
    frames: NDArray[np.int64]  # (f,)
    times_s: NDArray[np.float64]  # (f,), from the first
    names: tuple[str, ...]  # of said ids
    truth: CameraTruth
    said: CameraRun | None = None  # where it is on a floor
    seen: tuple[CameraTruth, ...] = ()  # whose boxes show them in pictures


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """What came of it: sheets, and of a run over cameras with floors all its scores."""

    sheets: tuple[Sheet, ...]
    run: RunScores | None = None


def evaluate(result: Path, truth: Path, size_px: SizePx | None = None, camera: str = "") -> Evaluation:
    """Scores of a run's folder or event log, of a MOT result or a folder of those. `size_px` is the picture's for
    which the boxes of a MOT truth are, `camera` that of the run which it is about. Raises ValueError where one is bad.
    """
    try:
        if (result / EVENTS).exists() or result.suffix == ".jsonl":
            return _run(read_run(result), truth, size_px, camera)
        return Evaluation(_results(result, truth))
    except PermissionError as error:
        raise ValueError(
            f"{error.filename}: may not be read by this user; ask its owner, or copy it"
        ) from error


def read_cameras(truth: Path) -> tuple[CameraTruth, ...]:
    """The truth of cameras, ours or WILDTRACK's. Raises ValueError where it is bad."""
    return read_wildtrack(truth) if is_wildtrack(truth) else read_truth(truth)


def _run(run: Run, truth: Path, size_px: SizePx | None, camera: str) -> Evaluation:
    if truth.suffix == ".txt":
        return Evaluation(_run_by_boxes(run, truth, size_px, camera))
    if run.unplaced:
        raise ValueError(run.unplaced)
    if is_scenescape(truth):
        there = read_scenescape(truth)  # frame for frame that of every camera
        cameras = tuple(replace(there, camera_id=id) for id in sorted(run.cameras))
        return Evaluation((_sheet_on_floor(run, cameras),))
    cameras = read_cameras(truth)
    scores = score_run(run, cameras, Rules())
    return Evaluation((_sheet_on_floor(run, cameras),), scores)


def _sheet_on_floor(run: Run, cameras: Many[CameraTruth]) -> Sheet:
    there, said = truth_on_floor(cameras), run_on_floor(run, cameras)
    return _floor_sheet(
        "all cameras, on the floor", floor_sequence(run, cameras, Rules()), there, said, cameras
    )


def _floor_sheet(
    name: str, sequence: Sequence, truth: CameraTruth, said: CameraRun, seen: Many[CameraTruth] = ()
) -> Sheet:
    frames = np.union1d(truth.frame_indices, said.frame_indices)
    times_ns = said.captured_ns[np.searchsorted(said.frame_indices, frames)]
    times_s = (times_ns - times_ns[:1]) / 1e9
    names = tuple(sorted(set(said.tracklet_ids)))
    return Sheet(name, sequence, scored(sequence), frames, times_s, names, truth, said, tuple(seen))


def _run_by_boxes(run: Run, truth: Path, size_px: SizePx | None, camera: str) -> tuple[Sheet, ...]:
    """The boxes of one camera, by identities and by tracklets, up to the last frame of the truth."""
    ids = sorted(run.cameras)
    camera = camera or (ids[0] if len(ids) == 1 else "")
    if camera not in run.cameras:
        what = f"--camera: is {camera!r}, the run has {', '.join(ids) or 'none'}"
        raise ValueError(f"{what}; name the one that {truth} is about")
    rows, one = read_mot(truth, TRUTH_COLUMNS), run.cameras[camera]
    shown = run.sizes_px.get(camera)
    if size_px is not None and shown is None:
        raise ValueError(f"camera {camera!r}: the run says nothing of its pictures; leave out --size")
    scale = np.divide(size_px, shown) if size_px is not None and shown is not None else np.ones(2)
    own = own_identities(one, run.identity_of)
    named = [name or f"tracklet {id}" for name, id in zip(own, one.tracklet_ids, strict=True)]
    sides = {"by identities": named, "by tracklets": list(one.tracklet_ids)}
    return tuple(
        _mot_sheet(f"{camera}, {name}", _as_mot(one, names, scale, rows), rows, names=names)
        for name, names in sides.items()
    )


def _as_mot(run: CameraRun, names: Many[str], scale: NDArray[np.float64], truth: MotRows) -> MotRows:
    (ids,) = numbers_of([names])
    corners = run.boxes * np.tile(scale, 2)
    boxes, ones = np.hstack([corners[:, :2], corners[:, 2:] - corners[:, :2]]), np.ones(len(ids))
    kept = run.row_frames < truth.frames.max(initial=0)
    parts = (run.row_frames + 1, ids, boxes, ones, ones.astype(np.int64), ones)
    return MotRows(*(part[kept] for part in parts))


def _results(result: Path, truth: Path) -> tuple[Sheet, ...]:
    if truth.suffix == ".txt":
        return (_mot_pair(result.stem, result, truth),)
    if is_scenescape(truth):
        return (_floor_result(result, (read_scenescape(truth),)),)
    if is_wildtrack(truth):
        cameras = read_wildtrack(truth)
        return _boxes_by_camera(result, cameras) if result.is_dir() else (_floor_result(result, cameras),)
    return tuple(_mot_pair(name, *pair) for name, pair in mot_pairs(result, truth).items())


def _floor_result(result: Path, cameras: Many[CameraTruth]) -> Sheet:
    there = truth_on_floor(cameras)
    said = run_of_floor_rows(read_mot_floor(result), there, result)
    return _floor_sheet(result.stem, sequence_on_floor(there, said, Rules()), there, said, cameras)


def _boxes_by_camera(results: Path, cameras: Many[CameraTruth]) -> tuple[Sheet, ...]:
    files = {camera.camera_id: results / f"{camera.camera_id}.txt" for camera in cameras}
    if not any(file.exists() for file in files.values()):
        raise ValueError(f"{results}: holds no events.jsonl, nor <camera>.txt; name the folder of a run")
    return tuple(_mot_sheet(one.camera_id, read_mot(files[one.camera_id]), one.mot) for one in cameras)


def _mot_pair(name: str, result: Path, truth: Path) -> Sheet:
    return _mot_sheet(name, *read_mot_pair(result, truth), distractors_of(truth))


def _mot_sheet(
    name: str,
    said: MotRows,
    truth: MotRows,
    distractors: tuple[int, ...] = DISTRACTORS,
    names: Many[str] = (),
) -> Sheet:
    sequence, frames = mot_sequence(said, truth, distractors), np.union1d(truth.frames, said.frames) - 1
    unknown = np.full((len(truth), 3), np.nan)
    there = CameraTruth(
        camera_id=name.split(",")[0],
        frame_indices=truth.frames - 1,
        captured_ns=truth.frames - 1,
        people=truth.ids,
        boxes=truth.boxes,
        floor_m=unknown[:, :2],
        heights_m=unknown[:, 2],
        visibilities=truth.visibilities,
        ignored=("",) * len(truth),
    )
    return Sheet(
        name,
        sequence,
        scored(sequence),
        frames,
        frames.astype(float),
        tuple(sorted(set(names))),
        there,
        None,
        (there,),
    )
