"""Scores results as MOT15, 16, 17 and 20 do: pedestrians count, what follows a distractor neither gains nor costs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.evaluate._frames import rows_by_frame
from engines.evaluate.mot import PEDESTRIAN, TRUTH_COLUMNS, MotRows, read_mot
from engines.evaluate.scores import Scores, scored
from engines.evaluate.sequence import Ids, Sequence, Similarity, matched
from engines.evaluate.similarity import box_similarity

CLASSES = range(1, 14)
DISTRACTORS = (2, 7, 8, 12)  # person on a vehicle, static person, distractor, reflection
MOT20, NON_MOT_VEHICLE = "MOT20", 6  # there it distracts too


def evaluate_mot(result: Path, truth: Path) -> Scores:
    """Scores of one sequence. Raises ValueError that says which file is wrong, and where."""
    return scored(mot_sequence(*read_mot_pair(result, truth), distractors_of(truth)))


def read_mot_pair(result: Path, truth: Path) -> tuple[MotRows, MotRows]:
    """The rows of a result and of its truth. Raises ValueError that says which file is wrong, and where."""
    rows, there = read_mot(result), read_mot(truth, TRUTH_COLUMNS)
    _require(rows.ids >= 0, rows, result, "a row without an id; give results of a tracker, not detections")
    _require(
        rows.classes <= PEDESTRIAN, rows, result, "a class other than pedestrian, 1; leave such rows out"
    )
    if not _is_unclassed(there):
        _require(np.isin(there.classes, CLASSES), there, truth, "a class that MOT does not know; use 1 to 13")
    return rows, there


def evaluate_mot_folders(results: Path, truth: Path) -> dict[str, Scores]:
    """Scores by sequence: `<results>/<sequence>.txt` against `<truth>/<sequence>/gt/gt.txt`, for all of these."""
    return {name: evaluate_mot(*pair) for name, pair in mot_pairs(results, truth).items()}


def mot_pairs(results: Path, truth: Path) -> dict[str, tuple[Path, Path]]:
    """The files of result and truth by sequence. Raises ValueError where a folder holds none."""
    if not any(results.glob("*.txt")):
        raise ValueError(f"{results}: holds no events.jsonl, nor <sequence>.txt; name the folder of a run")
    sequences = sorted(file.parents[1].name for file in truth.glob("*/gt/gt.txt"))
    if not sequences:
        raise ValueError(f"{truth}: holds no <sequence>/gt/gt.txt; name the folder of the sequences")
    return {name: (results / f"{name}.txt", truth / name / "gt" / "gt.txt") for name in sequences}


def distractors_of(truth: Path) -> tuple[int, ...]:
    """The classes that distract, by the name of the benchmark in the path of the truth: MOT20 has one more."""
    is_mot20 = any(part.startswith(MOT20) for part in truth.absolute().parts)
    return (*DISTRACTORS, NON_MOT_VEHICLE) if is_mot20 else DISTRACTORS


def mot_sequence(result: MotRows, truth: MotRows, distractors: tuple[int, ...] = DISTRACTORS) -> Sequence:
    """What counts of a result. Truth whose classes are all -1 (MOT15) has no distractors."""
    counts = (truth.confidences != 0) & (_is_unclassed(truth) | (truth.classes == PEDESTRIAN))
    distracts = np.isin(truth.classes, distractors)
    return Sequence.of(_frames(result, truth, counts, distracts))


def _frames(
    result: MotRows, truth: MotRows, counts: NDArray[np.bool_], distracts: NDArray[np.bool_]
) -> Iterator[tuple[Ids, Ids, Similarity]]:
    frames = np.union1d(truth.frames, result.frames)
    true_boxes, said_boxes = truth.corners, result.corners
    by_frame = zip(rows_by_frame(truth.frames, frames), rows_by_frame(result.frames, frames), strict=True)
    for there, said in by_frame:
        similarity = box_similarity(true_boxes[there], said_boxes[said])
        rows, columns = matched(similarity)
        stays = np.delete(np.arange(len(said)), columns[distracts[there[rows]]])
        real = counts[there]
        yield truth.ids[there[real]], result.ids[said[stays]], similarity[real][:, stays]


def _is_unclassed(truth: MotRows) -> bool:
    return bool((truth.classes == -1).all())


def _require(is_good: NDArray[np.bool_], rows: MotRows, path: Path, otherwise: str) -> None:
    if not is_good.all():
        raise ValueError(f"{path}: frame {rows.frames[~is_good][0]}: holds {otherwise}")
