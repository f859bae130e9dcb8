"""Tracklets that cameras of one zone follow as one person are one identity; two at once are two."""

import numpy as np
import pytest
from builders import embedding, tracklet

from stages.match import Match

APART = np.eye(4, dtype=np.float32)
SECOND = 1_000_000_000


def seen(camera, number, track, looks, at_m, opened_s=0.0, seen_s=2.0, phase="updated"):
    place = np.array(at_m, np.float32)
    of = tracklet(
        camera,
        f"T-{number}",
        zone_track=track,
        opened_ns=round(opened_s * SECOND),
        seen_ns=round(seen_s * SECOND),
        floor_m=place,
        entered_floor_m=place,
        height_m=float("nan"),
        phase=phase,
    )
    return embedding(of, looks)


def identities(*embeddings, votes=1):
    """The identity of each tracklet in the end."""
    match = Match(votes=votes, min_new_s=0.5)
    said = [event for one in embeddings for event in match.process(one)]
    said += list(match.finish())
    return {event.tracklet_id: event.identity_id for event in said}


@pytest.mark.parametrize(("track", "count"), [("hall/7", 1), ("", 2)])
def test_one_whom_cameras_follow_together_is_one_however_different_they_look(track, count):
    found = identities(
        seen("north", 1, track, APART[0], (1, 1)), seen("south", 2, track, APART[1], (1, 1.1), 0.0, 2.1)
    )
    assert len(found) == 2
    assert len(set(found.values())) == count


def test_two_whom_they_follow_apart_are_two_however_alike_and_near():
    tracks = ("hall/7", "hall/8")
    found = identities(
        seen("north", 1, tracks[0], APART[0], (1, 1)),
        seen("south", 2, tracks[1], APART[0], (1, 1.3), 0.0, 2.1),
    )
    assert len(set(found.values())) == 2
    alone = identities(
        seen("north", 1, "", APART[0], (1, 1)), seen("south", 2, "", APART[0], (1, 1.3), 0.0, 2.1)
    )
    assert len(set(alone.values())) == 1


def test_those_who_are_decided_together_do_not_vie_for_one_person():
    """Three cameras have somebody whom the gallery knows, and all are decided at the end."""
    known = seen("north", 1, "hall/7", APART[0], (1, 1), 0.0, 2.0, "closed")
    back = [
        seen(camera, 2 + place, "hall/9", APART[0], (1, 1), 60.0, 62.0)
        for place, camera in enumerate(("north", "south", "west"))
    ]
    match = Match(votes=1, min_new_s=0.5)
    said = list(match.process(known))
    match.votes = 2  # nobody is due before the end
    for one in back:
        said += list(match.process(one))
    assert len({event.tracklet_id for event in said}) == 1
    said += list(match.finish())
    found = {event.tracklet_id: event.identity_id for event in said}
    assert len(found) == 4
    assert len(set(found.values())) == 1


def test_a_track_of_that_name_long_ago_says_nothing():
    found = identities(
        seen("north", 1, "hall/7", APART[0], (1, 1), 0.0, 2.0, "closed"),
        seen("south", 2, "hall/7", APART[1], (1, 1), 3600.0, 3602.0),
    )
    assert len(set(found.values())) == 2
