"""Who goes out of the picture is not who comes in there."""

from dataclasses import replace

import numpy as np
import pytest
from builders import VIEW, detections, frame, tracks
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.camera import Mount, pose_of
from pipeline.messages import TrackletEvent
from pipeline.wire import decode, encode
from stages._leaving import BACK_M, EDGE_M, OUT_M, Way, inside_m
from stages.tracklet import Collect

ABOVE = replace(VIEW, world_from_camera=pose_of(Mount(height_m=3.0, pitch_deg=0.0, roll_deg=0.0)))
OUT = np.linspace(0.0, 1.2, 13)  # heads at 1.7 m are in the picture until 1.04 m
BACK = OUT[::-1]


def walked(ways_m, stage=None, heights_m=1.7, zone="", fps=10.0, start=0):
    """The events of tracklets of one track that walks so."""
    stage, said = stage or Collect(), []
    for i, (x, height_m) in enumerate(np.broadcast(ways_m, heights_m), start):
        seen = replace(frame("east", i, int(i / fps * 1e9), view=ABOVE), zone=zone)
        found = detections(seen, [(40, 12, 60, 36)], [(x, 0.0)], [height_m])
        said += [*stage.advance(seen.captured_ns), *stage.process(tracks(found, [0]))]
    return [event for event in said if isinstance(event, TrackletEvent)]


def test_heads_are_so_far_inside_the_picture():
    found = detections(
        frame(view=ABOVE), [(0, 0, 1, 1)] * 4, [(0, 0), (0.9, 0), (1.2, 0), (0, 0)], [1.7] * 3 + [np.nan]
    )
    assert inside_m(tracks(found, range(4))) == pytest.approx([0.52, 0.14, -0.16, np.nan], nan_ok=True)


@pytest.mark.parametrize("fps", [5.0, 10.0, 30.0])
def test_a_track_that_goes_out_and_comes_in_goes_on_as_another_tracklet(fps):
    steps = np.arange(0, 2.4, 1 / fps)
    said = walked(1.2 - abs(1.2 - steps), heights_m=np.where(steps < 1.5, 1.7, 1.6), fps=fps)
    first, closed, other = (e for e in said if e.kind != "updated")
    assert [first.kind, closed.kind, other.kind] == ["opened", "closed", "opened"]
    assert [closed.tracklet_id, other.previous_tracklet_id] == [first.tracklet_id] * 2
    assert closed.height_m == pytest.approx(1.7)  # and not as the other
    assert other.opened_ns > 1.2e9


def test_who_comes_in_and_goes_out_is_one_and_so_is_who_only_turns_before_the_edge():
    assert [e.kind for e in walked([*BACK, *OUT])].count("opened") == 1
    assert [e.kind for e in walked([*OUT[:9], *BACK[4:]])].count("opened") == 1


def test_cameras_that_follow_people_together_go_on_with_who_has_left_one():
    assert [e.kind for e in walked([*OUT, *BACK])].count("opened") == 2
    assert [e.kind for e in walked([*OUT, *BACK], zone="hall")].count("opened") == 1


def test_goes_on_where_it_was_after_a_restart():
    stage, again = Collect(), Collect()
    walked(OUT, stage)
    again.restore(decode(encode(stage.snapshot())))
    assert walked(BACK, again, start=len(OUT)) == walked(BACK, stage, start=len(OUT))
    assert any(e.previous_tracklet_id for e in walked([*OUT, *BACK]))


@settings(max_examples=200)
@given(st.lists(st.floats(-2.0, 2.0), min_size=1, max_size=40))
def test_who_has_not_been_near_the_edge_and_back_is_never_another(inside):
    way = Way(inside[0], inside[0], 1.7)
    for n, at_m in enumerate(inside):
        way = way.on(at_m, 1.7)
        seen = inside[: n + 1]
        if way.leads_back(at_m):
            low = min(seen[int(np.argmax(seen)) :])
            assert low < EDGE_M and max(seen) - low > OUT_M and at_m - low > BACK_M
