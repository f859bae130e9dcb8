"""What a tracker tells of a frame hangs on that frame and those before it: wherever the input is cut, everything told until
then is the same to the byte. Two trackers, taken in turns, are as if each were alone.
"""

import numpy as np
import pytest

from engines.people.box_crowd import SIZE_PX, box_crowd
from pipeline.messages import Detections
from pipeline.wire import decode, encode
from stages.track.boxes import BoxTracker

SECONDS, FPS, PLACES = 12.0, 10.0, 20
PACE_M_S = 0.3, 1.2  # who walks faster is lost now and then at 5 frames a second


def seen(seed=4, fps=FPS):
    moments = list(box_crowd(15, SECONDS, fps, seed, PACE_M_S))
    return moments, [Detections.alone(one.measured, one.scores, one.seconds, SIZE_PX) for one in moments]


def told(frames, tracker=None):
    tracker = tracker or BoxTracker()
    return [encode(tracker.update(frame)) for frame in frames]


@pytest.mark.parametrize("cut", np.linspace(1, SECONDS * FPS - 1, PLACES).astype(int).tolist())
def test_nothing_that_comes_later_changes_what_was_told(cut):
    _, frames = seen()
    assert told(frames[:cut]) == told(frames)[:cut]


def test_nor_does_other_input_after_the_cut():
    _, frames = seen()
    _, others = seen(seed=5)
    assert told([*frames[:60], *others[60:]])[:60] == told(frames)[:60]
    assert told([*frames[:60], *others[60:]])[60:] != told(frames)[60:]


def test_a_tracker_goes_on_from_a_snapshot_as_if_nothing_had_been():
    _, frames = seen()
    before, after = BoxTracker(), BoxTracker()
    told(frames[:60], before)
    after.restore(decode(encode(before.snapshot())))
    assert told(frames[60:], after) == told(frames)[60:]


def test_two_cameras_neither_share_numbers_nor_disturb_each_other():
    (_, one), (_, other) = seen(4), seen(5)
    trackers = BoxTracker(), BoxTracker()
    turns = [(told([a], trackers[0])[0], told([b], trackers[1])[0]) for a, b in zip(one, other, strict=True)]
    assert [a for a, _ in turns] == told(one)
    assert [b for _, b in turns] == told(other)


def numbers_of(moments, frames):
    """How often each person (n,) had each number, as (person, number) and counts."""
    tracker, numbers = BoxTracker(), []
    for moment, frame in zip(moments, frames, strict=True):
        tracks = tracker.update(frame)
        of = {box.tobytes(): id for box, id in zip(tracks.boxes, tracks.track_ids.tolist(), strict=True)}
        found = zip(np.flatnonzero(moment.found).tolist(), frame.boxes, strict=True)
        numbers += [(person, of[box.tobytes()]) for person, box in found if box.tobytes() in of]
    return np.unique(numbers, axis=0, return_counts=True)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_crowd_has_the_same_identities_at_any_frame_rate(seed):
    tracks, shares = [], []
    for fps in (5, 15, 30):
        pairs, counts = numbers_of(*seen(seed, fps))
        most = [counts[pairs[:, 0] == person].max() for person in range(15)]
        tracks.append(len(np.unique(pairs[:, 1])))
        shares.append(sum(most) / counts.sum())
    assert tracks == [tracks[0]] * 3
    assert max(shares) - min(shares) < 0.005
    assert min(shares) > 0.95


def test_every_track_says_how_sure_its_box_is():
    _, frames = seen()
    tracker = BoxTracker()
    for frame in frames:
        tracks = tracker.update(frame)
        assert len(tracks) and (tracks.box_error_px > 0).all() and np.isfinite(tracks.box_error_px).all()
    hidden = tracks.scores == 0
    assert not hidden.any() or tracks.box_error_px[hidden].min() > np.median(tracks.box_error_px[~hidden])
