"""All cameras at one moment: people once, identities once, whatever the clocks of cameras."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.evaluate.moments import moments_of, run_on_floor, truth_on_floor
from engines.evaluate.run_folder import CameraRun, Run
from engines.evaluate.truth import CameraTruth

INTERVAL_NS = 100_000_000


def truth(camera, rows, late_ns=0):
    """Rows of frame, person, x in metres and reason."""
    frames, people, x_m, ignored = (np.array(column) for column in zip(*rows, strict=True))
    ones = np.ones(len(rows))
    floor_m, boxes = np.stack([x_m, 0 * x_m], axis=1), np.zeros((len(rows), 4))
    times = frames * INTERVAL_NS + late_ns
    return CameraTruth(camera, frames, times, people, boxes, floor_m, ones, ones, tuple(ignored.tolist()))


def run(camera, rows, late_ns=0):
    """Rows of frame, tracklet and x in metres."""
    frames, tracklets, x_m = zip(*rows, strict=True)
    indices = np.arange(max(frames) + 1)
    floor_m = np.stack([np.array(x_m), np.zeros(len(rows))], axis=1)
    times = indices * INTERVAL_NS + late_ns
    return CameraRun(camera, indices, times, np.array(frames), tracklets, np.zeros((len(rows), 4)), floor_m)


def placed(one):
    """Moment, name and x of each row."""
    names = one.people.tolist() if isinstance(one, CameraTruth) else one.tracklet_ids
    frames = one.frame_indices if isinstance(one, CameraTruth) else one.row_frames
    return [
        (int(f), name, pytest.approx(x)) for f, name, x in zip(frames, names, one.floor_m[:, 0], strict=True)
    ]


def test_a_person_whom_two_cameras_see_is_there_once():
    cameras = [truth("a", [(0, 1, 2.0, ""), (1, 1, 2.0, "")]), truth("b", [(0, 1, 2.0, ""), (0, 2, 5.0, "")])]
    assert placed(truth_on_floor(cameras)) == [(0, 1, 2.0), (0, 2, 5.0), (1, 1, 2.0)]


def test_who_is_ignored_in_one_camera_counts_if_another_sees_them():
    cameras = [
        truth("a", [(0, 1, 2.0, "hidden"), (0, 2, 5.0, "hidden")]),
        truth("b", [(0, 1, 2.0, ""), (0, 3, 9.0, "")]),
    ]
    assert truth_on_floor(cameras).ignored == ("", "hidden", "")


def test_an_identity_is_in_the_middle_of_where_cameras_have_it():
    there = [truth("a", [(0, 1, 2.0, "")]), truth("b", [(0, 1, 2.0, "")])]
    said = Run({"a": run("a", [(0, "T-1", 1.0)]), "b": run("b", [(0, "T-2", 3.0)])}, {"T-1": "P", "T-2": "P"})
    assert placed(run_on_floor(said, there)) == [(0, "P", 2.0)]


def test_rows_without_an_identity_stay_apart():
    there = [truth("a", [(0, 1, 2.0, "")]), truth("b", [(0, 1, 2.0, "")])]
    said = Run({"a": run("a", [(0, "T-1", 1.0)]), "b": run("b", [(0, "T-2", 3.0)])}, {})
    assert placed(run_on_floor(said, there)) == [(0, "a 0", 1.0), (0, "b 0", 3.0)]


def test_cameras_that_are_not_triggered_together_show_one_moment():
    cameras = [
        truth("a", [(frame, 1, 1.0, "") for frame in range(4)]),
        truth("b", [(frame, 1, 1.0, "") for frame in range(4)], late_ns=30_000_000),
    ]
    assert moments_of(cameras).tolist() == [frame * INTERVAL_NS for frame in range(4)]
    assert len(truth_on_floor(cameras)) == 4


@given(st.integers(-(10**15), 10**15), st.integers(-(10**6), 10**6))
def test_the_clock_of_a_run_may_be_any_other(late_ns, other_ns):
    rows = [(frame, 1, 0.1 * frame, "") for frame in range(5)]
    there = [truth("a", rows), truth("b", rows)]
    runs = [run("a", [(f, "T", x) for f, _, x, _ in rows]), run("b", [(f, "T", x) for f, _, x, _ in rows])]
    late = [
        replace(one, captured_ns=one.captured_ns + by)
        for one, by in zip(runs, (late_ns, other_ns), strict=True)
    ]
    said = run_on_floor(Run({one.camera_id: one for one in late}, {"T": "P"}), there)
    assert placed(said) == [(f, "P", x) for f, _, x, _ in rows]
