"""Scores results as MOT15, MOT16 and MOT17 do: pedestrians count, what follows a distractor neither gains nor costs."""

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


def evaluate_mot(result: Path, truth: Path) -> Scores:
    """Scores of one sequence. Raises ValueError that says which file is wrong, and where."""
    rows, there = read_mot(result), read_mot(truth, TRUTH_COLUMNS)
    _require(rows.ids >= 0, rows, result, "a row without an id; give results of a tracker, not detections")
    _require(
        rows.classes <= PEDESTRIAN, rows, result, "a class other than pedestrian, 1; leave such rows out"
    )
    if not _is_unclassed(there):
        _require(np.isin(there.classes, CLASSES), there, truth, "a class that MOT does not know; use 1 to 13")
    return scored(mot_sequence(rows, there))


def evaluate_mot_folders(results: Path, truth: Path) -> dict[str, Scores]:
    """Scores by sequence: `<results>/<sequence>.txt` against `<truth>/<sequence>/gt/gt.txt`, for all of these."""
    if not any(results.glob("*.txt")):
        raise ValueError(f"{results}: holds no events.jsonl, nor <sequence>.txt; name the folder of a run")
    sequences = sorted(file.parents[1].name for file in truth.glob("*/gt/gt.txt"))
    if not sequences:
        raise ValueError(f"{truth}: holds no <sequence>/gt/gt.txt; name the folder of the sequences")
    return {name: evaluate_mot(results / f"{name}.txt", truth / name / "gt" / "gt.txt") for name in sequences}


def mot_sequence(result: MotRows, truth: MotRows) -> Sequence:
    """What counts of a result. Truth whose classes are all -1 (MOT15) has no distractors."""
    counts = (truth.confidences != 0) & (_is_unclassed(truth) | (truth.classes == PEDESTRIAN))
    distracts = np.isin(truth.classes, DISTRACTORS)
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
