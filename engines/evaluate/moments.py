"""Everybody on the floor at each moment, whichever camera saw them: all cameras of a truth, or of a run, as one."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence as Many

import numpy as np
from numpy.typing import NDArray

from engines.evaluate._names import own_identities
from engines.evaluate.run_folder import CameraRun, Run
from engines.evaluate.truth import CameraTruth

FLOOR = "floor"  # what stands for all cameras together
Times = NDArray[np.int64]


def truth_on_floor(cameras: Many[CameraTruth]) -> CameraTruth:
    """Who was where at each moment of any camera, each of them once: in the middle of where the cameras' rows have
    them. They count if they do in one camera. Frames are moments, from 0.
    """
    begins = moments_of(cameras)
    moments = np.concatenate([_moment(begins, one.captured_ns) for one in cameras])
    people = np.concatenate([one.people for one in cameras])
    keys, row_of = np.unique(np.stack([moments, people], axis=1), axis=0, return_inverse=True)
    row_of = row_of.ravel()
    ignored = np.full(len(keys), "", object)
    reasons = np.array([reason for one in cameras for reason in one.ignored], object)
    counts = np.bincount(row_of, weights=reasons == "", minlength=len(keys)) > 0
    for row, reason in zip(row_of.tolist(), reasons.tolist(), strict=True):
        ignored[row] = "" if counts[row] else reason
    return CameraTruth(
        camera_id=FLOOR,
        frame_indices=keys[:, 0],
        captured_ns=begins[keys[:, 0]],
        people=keys[:, 1],
        boxes=np.full((len(keys), 4), np.nan),
        floor_m=_middles(row_of, np.concatenate([one.floor_m for one in cameras]), len(keys)),
        heights_m=_middles(row_of, np.concatenate([one.heights_m for one in cameras])[:, None], len(keys))[
            :, 0
        ],
        visibilities=np.ones(len(keys)),
        ignored=tuple(ignored.tolist()),
    )


def run_on_floor(run: Run, cameras: Many[CameraTruth]) -> CameraRun:
    """The same of a run, at the moments of the truth of its cameras: each identity once, in the middle of where they
    have it. Its `tracklet_ids` are identities; a row without one of its own is somebody seen once.
    """
    begins, parts = moments_of(cameras), [one for one in cameras if one.camera_id in run.cameras]
    rows: list[tuple[int, str]] = []
    places = [np.empty((0, 2))]
    for truth in parts:
        one = run.cameras[truth.camera_id]
        moments = _moments_of_rows(one, truth, begins)
        known = moments >= 0
        rows += [
            (moment, name or f"{one.camera_id} {row}")
            for row, (moment, name) in enumerate(
                zip(moments.tolist(), own_identities(one, run.identity_of), strict=True)
            )
            if known[row]
        ]
        places.append(one.floor_m[known])
    return run_of_rows(rows, np.concatenate(places), begins)


def run_of_rows(rows: Many[tuple[int, str]], places: NDArray[np.float64], begins: Times) -> CameraRun:
    """A run on the floor, from the moment and the name of each row and its place (n, 2)."""
    known = sorted(set(rows))
    number: Mapping[tuple[int, str], int] = {row: place for place, row in enumerate(known)}
    row_of = np.array([number[row] for row in rows], np.int64)
    return CameraRun(
        camera_id=FLOOR,
        frame_indices=np.arange(len(begins)),
        captured_ns=begins,
        row_frames=np.array([moment for moment, _ in known], np.int64),
        tracklet_ids=tuple(name for _, name in known),
        boxes=np.full((len(known), 4), np.nan),
        floor_m=_middles(row_of, places, len(known)),
    )


def moments_of(cameras: Many[CameraTruth]) -> Times:
    """When each moment begins (m,): what cameras capture within half an interval of the fastest is one."""
    times_ns = np.unique(np.concatenate([np.empty(0, np.int64), *(one.captured_ns for one in cameras)]))
    intervals = [
        np.diff(np.unique(one.captured_ns)) for one in cameras if len(np.unique(one.captured_ns)) > 1
    ]
    half_ns = min((float(np.median(interval)) for interval in intervals), default=0.0) / 2
    begins: list[int] = []
    for time_ns in times_ns.tolist():
        if not begins or time_ns - begins[-1] > half_ns:
            begins.append(time_ns)
    return np.array(begins, np.int64)


def _moment(begins: Times, captured_ns: Times) -> Times:
    return (np.searchsorted(begins, captured_ns, "right") - 1).astype(np.int64)


def _moments_of_rows(run: CameraRun, truth: CameraTruth, begins: Times) -> Times:
    """The moment of each row of a run, -1 of one that is in none. Its clock may be another than the truth's; its
    frames are the same.
    """
    _, there, said = np.intersect1d(truth.frame_indices, run.frame_indices, return_indices=True)
    apart_ns = np.median(truth.captured_ns[there] - run.captured_ns[said]) if len(there) else 0
    time_of = run.captured_ns + np.int64(apart_ns)
    times_ns = time_of[np.searchsorted(run.frame_indices, run.row_frames)]
    half_ns = np.median(np.diff(begins)) / 2 if len(begins) > 1 else 1e9
    moments = _moment(begins, times_ns + 1000)  # a stamp in microseconds may be a little early
    moments[(moments >= 0) & (times_ns - begins[moments.clip(0)] > max(half_ns, 1.0))] = -1
    return moments


def _middles(row_of: Times, values: NDArray[np.float64], rows: int) -> NDArray[np.float64]:
    """The mean of what is known for each row; NaN of nothing."""
    known = ~np.isnan(values).any(axis=1)
    counts = np.bincount(row_of[known], minlength=rows)
    sums = [np.bincount(row_of[known], weights=column[known], minlength=rows) for column in values.T]
    return np.stack(sums, axis=1) / np.where(counts, counts, np.nan)[:, None]
