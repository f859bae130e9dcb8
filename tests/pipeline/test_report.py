"""The table and the picture tell what the log tells, corrections applied."""

from dataclasses import replace

import numpy as np
from builders import FLOOR, IDENTITY_EVENT, MERGED

from pipeline.messages import Portrait
from pipeline.report import Report


def seen(identity, tracklet, x_m, at_s, camera="flat"):
    floor = replace(FLOOR, x_m=x_m)
    return replace(
        IDENTITY_EVENT,
        kind="observed",
        identity_id=identity,
        tracklet_id=tracklet,
        camera_id=camera,
        floor=floor,
        captured_ns=int(at_s * 1e9),
        height_m=1.7,
    )


def report(*events):
    made = Report()
    for event in events:
        made.add(event)
    return made


def test_a_path_is_the_cameras_in_order_of_visits():
    (one,) = (
        report(
            seen("P-1", "T-1", 0.0, 1),
            seen("P-1", "T-2", 5.0, 3, "oblique"),
            seen("P-1", "T-1", 1.0, 2),
            seen("P-1", "T-3", 0.0, 9),
        )
        .identities()
        .values()
    )
    assert one.cameras == ["flat", "oblique", "flat"]
    assert one.walked_m == 1.0


def test_a_merge_makes_one_identity_of_two():
    made = report(seen("P-1", "T-1", 0.0, 1), seen("P-2", "T-2", 1.0, 2), MERGED)
    assert list(made.identities()) == ["P-1"]


def test_a_split_takes_its_tracklets_along():
    split = replace(MERGED, kind="split", from_ids=("P-1",), to_ids=("P-1", "P-3"), tracklet_ids=("T-2",))
    made = report(seen("P-1", "T-1", 0.0, 1), seen("P-1", "T-2", 1.0, 2), split)
    assert list(made.identities()) == ["P-1", "P-3"]


def test_portraits_go_by_identity():
    crop = np.zeros((4, 4, 3), np.uint8)
    made = report(
        seen("P-1", "T-1", 0.0, 1), Portrait("flat", "T-1", 5, crop), Portrait("flat", "T-9", 5, crop)
    )
    assert {identity: len(crops) for identity, crops in made.portraits().items()} == {"P-1": 1}


def test_the_table_has_a_row_for_each_identity():
    assert report(seen("P-1", "T-1", 0.0, 1), seen("P-2", "T-2", 1.0, 2)).table().row_count == 2
