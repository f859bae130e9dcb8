"""The table and the picture tell what the log tells, corrections applied."""

from dataclasses import replace

import numpy as np
from builders import FLOOR, IDENTITY_EVENT, MERGED

from pipeline.messages import Portrait, Positions
from pipeline.report import Report, ledger_table
from pipeline.watch import Row


def seen(identity, tracklet, at_s, camera="flat"):
    known = {
        "identity_id": identity,
        "tracklet_id": tracklet,
        "camera_id": camera,
        "height_m": 1.7,
        "floor": FLOOR,
    }
    return replace(IDENTITY_EVENT, kind="observed", captured_ns=int(at_s * 1e9), **known)


def walk(tracklet, x_m, at_s, camera="flat"):
    floor_m = np.array([[x_m, 0.0]], np.float32)
    box, score = np.ones((1, 4), np.float32), np.ones(1, np.float32)
    return Positions(camera, 0, int(at_s * 1e9), "site", (tracklet,), box, floor_m, score)


def report(*events, is_drawn=False):
    made = Report(is_drawn)
    for event in events:
        made.add(event)
    return made


def test_a_path_is_the_cameras_in_order_of_visits():
    visits = [("T-1", "flat", 1), ("T-2", "oblique", 3), ("T-3", "flat", 9)]
    walks = [walk(id, x, at + x, camera) for id, camera, at in visits for x in (0.0, 1.0)]
    (one,) = report(*walks, *(seen("P-1", id, at, camera) for id, camera, at in visits)).people()
    assert one.cameras == ["flat", "oblique", "flat"]
    assert (one.walked_m, one.seen_s, one.height_m) == (3.0, 3.0, 1.7)


def test_points_are_kept_only_for_a_drawing_and_thinned():
    walks = [walk("T-1", i / 100, i / 100) for i in range(100)]
    plain, drawn = (
        report(seen("P-1", "T-1", 0), *walks, is_drawn=drawn).people()[0] for drawn in (False, True)
    )
    assert plain.paths[0].points_m == []
    assert len(drawn.paths[0].points_m) == 10


def test_a_way_that_is_nowhere_on_the_floor_is_not_told_but_its_time_is():
    walks = [walk("T-1", np.nan, at) for at in (0, 1, 2)]
    (one,) = report(seen("P-1", "T-1", 0), *walks, is_drawn=True).people()
    assert (one.walked_m, one.seen_s, one.details[1]) == (None, 2.0, "way unknown")
    assert report(seen("P-1", "T-1", 0), *walks).table().columns[3]._cells == ["-"]


def test_a_merge_makes_one_identity_of_two():
    made = report(seen("P-1", "T-1", 1), seen("P-2", "T-2", 2), MERGED)
    assert [person.identity_id for person in made.people()] == ["P-1"]


def test_a_split_takes_its_tracklets_along():
    split = replace(MERGED, kind="split", from_ids=("P-1",), to_ids=("P-1", "P-3"), tracklet_ids=("T-2",))
    made = report(seen("P-1", "T-1", 1), seen("P-1", "T-2", 2), split)
    assert [person.identity_id for person in made.people()] == ["P-1", "P-3"]


def test_portraits_go_with_their_tracklet():
    crop = np.zeros((4, 4, 3), np.uint8)
    made = report(seen("P-1", "T-1", 1), Portrait("flat", "T-1", 5, crop), Portrait("flat", "T-9", 5, crop))
    assert [[path.portrait is crop for path in person.paths] for person in made.people()] == [[True]]


def test_the_tables_have_a_row_for_each_identity_and_each_node_and_camera():
    assert report(seen("P-1", "T-1", 1), seen("P-2", "T-2", 2)).table().row_count == 2
    assert report().table().caption == "Nobody was seen for long enough."
    assert report(seen("P-1", "T-1", 1)).table().caption is None
    assert ledger_table([Row("detect", "flat", 3, 2, {"late": 1}, 0)]).row_count == 1
