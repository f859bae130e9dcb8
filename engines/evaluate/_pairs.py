"""Matches truth and run of one camera frame by frame. People who count are matched first; what is left over may be
on somebody who is ignored, and then it neither gains nor costs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.evaluate._frames import rows_by_frame
from engines.evaluate.run_folder import CameraRun
from engines.evaluate.sequence import MATCHED_FROM, Ids, Rows, Sequence, Similarity, matched
from engines.evaluate.truth import CameraTruth

Alike = Callable[[Rows, Rows], Similarity]  # of rows of truth with rows of a run
Couples = NDArray[np.intp]  # (n, 2): a row of truth and a row of the run


@dataclass(frozen=True, slots=True, eq=False)
class FramePairs:
    """One frame without what is ignored, and who was matched with whom."""

    truth: Rows  # those that count
    said: Rows  # those that are on nobody ignored
    similarity: Similarity
    matches: Couples
    ignored: Couples


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """All frames of one camera under one similarity."""

    frames: tuple[FramePairs, ...]

    @property
    def matches(self) -> Couples:
        """Who was matched with somebody who counts."""
        return np.concatenate([np.empty((0, 2), np.intp), *(frame.matches for frame in self.frames)])

    @property
    def ignored(self) -> Couples:
        """Who was matched with somebody who is ignored."""
        return np.concatenate([np.empty((0, 2), np.intp), *(frame.ignored for frame in self.frames)])

    def sequence(self, true_ids: Ids, said_ids: Ids) -> Sequence:
        """The frames for a score, with ids by row of truth and by row of the run."""
        return Sequence.of((true_ids[f.truth], said_ids[f.said], f.similarity) for f in self.frames)


def pairs_of(
    truth: CameraTruth, run: CameraRun, alike: Alike, from_similarity: float = MATCHED_FROM
) -> Pairs:
    """The pairs under one similarity. Somebody ignored is matched from `MATCHED_FROM`, whatever is asked of others."""
    counts = truth.counts
    indices = np.union1d(truth.frame_indices, run.frame_indices)
    by_frame = zip(
        rows_by_frame(truth.frame_indices, indices), rows_by_frame(run.row_frames, indices), strict=True
    )
    frames = (
        _frame(there[counts[there]], there[~counts[there]], said, alike, from_similarity)
        for there, said in by_frame
    )
    return Pairs(tuple(frames))


def _frame(real: Rows, ignored: Rows, said: Rows, alike: Alike, from_similarity: float) -> FramePairs:
    similarity = alike(real, said)
    rows, columns = matched(similarity, from_similarity)
    stays = np.ones(len(said), bool)
    stays[columns] = False
    left = said[stays]
    ignored_rows, left_rows = matched(alike(ignored, left))
    stays = np.isin(said, left[left_rows], invert=True)
    return FramePairs(
        truth=real,
        said=said[stays],
        similarity=similarity[:, stays],
        matches=np.column_stack([real[rows], said[columns]]),
        ignored=np.column_stack([ignored[ignored_rows], left[left_rows]]),
    )
