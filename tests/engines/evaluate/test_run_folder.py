"""Run folders, as the log writes them, read for scoring."""

from dataclasses import replace

import numpy as np
import pytest
from builders import GAP, IDENTITY_EVENT, MERGED, TRACKLET_EVENT
from stored import cut, stored

from engines.evaluate.evaluation import evaluate
from engines.evaluate.run_folder import read_run
from pipeline.messages import Positions
from pipeline.publish.log import Log

UNEVEN = (
    '{"camera_id": "flat", "frame_index": 1, "captured_ns": 1, "floor_frame": "site", "tracklet_ids": ["T-1"],'
    ' "boxes_px": [], "floor_m": []}'
)


def seen(identity, tracklet, kind="observed"):
    return replace(IDENTITY_EVENT, kind=kind, identity_id=identity, tracklet_id=tracklet)


def positions(frame=0, tracklets=("T-1",), camera="flat", floor_frame="site", floor_m=(1.0, 2.0)):
    n = len(tracklets)
    return Positions(
        camera,
        frame,
        frame * 100 + 7,
        floor_frame,
        tuple(tracklets),
        np.tile(np.array([1, 2, 3, 4], np.float32), (n, 1)),
        np.tile(np.array(floor_m, np.float32), (n, 1)),
        np.ones(n, np.float32),
    )


def run(folder, *events, with_positions=True):
    with stored(folder, {"log": Log(with_positions)}, positions=with_positions) as (store, _):
        for event in events:
            store.emit(event)
        store.take(cut(1))  # with which positions are written
        store.end()
    return folder


def identities(folder, *events):
    return dict(read_run(run(folder, *events)).identity_of)


def test_the_last_event_says_who_a_tracklet_is(tmp_path):
    events = (seen("P-1", "T-1"), TRACKLET_EVENT, GAP, seen("P-2", "T-1"), seen("P-3", "T-2"))
    assert identities(tmp_path / "run", *events) == {"T-1": "P-2", "T-2": "P-3"}


@pytest.mark.parametrize("kind", ["appeared", "observed", "reappeared", "lost", "expired"])
def test_every_event_of_a_person_says_who_its_tracklet_is(tmp_path, kind):
    assert identities(tmp_path / "run", seen("P-1", "T-1", kind)) == {"T-1": "P-1"}


def test_a_merge_takes_all_tracklets_of_the_merged_along(tmp_path):
    first = [seen(f"P-{n}", f"T-{n}") for n in (1, 2, 3, 4)]
    merged = replace(MERGED, from_ids=("P-2", "P-3"), to_ids=("P-1",))
    said = identities(tmp_path / "run", *first, merged)
    assert said == {"T-1": "P-1", "T-2": "P-1", "T-3": "P-1", "T-4": "P-4"}


def test_a_split_takes_its_tracklets_out(tmp_path):
    split = replace(MERGED, kind="split", from_ids=("P-1",), to_ids=("P-1", "P-9"), tracklet_ids=("T-2",))
    said = identities(tmp_path / "run", seen("P-1", "T-1"), seen("P-1", "T-2"), split)
    assert said == {"T-1": "P-1", "T-2": "P-9"}


def test_who_was_erased_is_scored_as_who_it_was(tmp_path):
    erased = replace(MERGED, kind="erased", from_ids=("P-1",), to_ids=())
    assert identities(tmp_path / "run", seen("P-1", "T-1"), erased) == {"T-1": "P-1"}


def test_positions_come_by_camera_and_frame_with_the_empty_ones(tmp_path):
    said = (positions(2, ["T-2", "T-3"]), positions(1, []), positions(0), positions(1, camera="oblique"))
    cameras = read_run(run(tmp_path / "run", *said)).cameras
    assert list(cameras) == ["flat", "oblique"]
    flat = cameras["flat"]
    assert flat.frame_indices.tolist() == [0, 1, 2]
    assert flat.captured_ns.tolist() == [7, 107, 207]
    assert (flat.row_frames.tolist(), flat.tracklet_ids) == ([0, 2, 2], ("T-1", "T-2", "T-3"))
    assert flat.boxes.tolist() == [[1, 2, 3, 4]] * 3
    assert flat.floor_m.tolist() == [[1, 2]] * 3


def test_an_unknown_place_is_nan(tmp_path):
    folder = run(tmp_path / "run", positions(floor_m=(np.nan, np.nan)))
    assert np.isnan(read_run(folder).cameras["flat"].floor_m).all()


def test_the_event_log_of_a_run_stands_for_its_folder(tmp_path):
    folder = run(tmp_path / "run", seen("P-1", "T-1"), positions())
    (folder / "events.jsonl").rename(folder / "other.jsonl")
    assert read_run(folder / "other.jsonl").identity_of == {"T-1": "P-1"}
    with pytest.raises(ValueError, match=r"events.jsonl: cannot be read, No such file"):
        read_run(folder)


def test_a_run_without_positions_says_how_to_get_them(tmp_path):
    folder = run(tmp_path / "run", with_positions=False)
    with pytest.raises(ValueError, match=r"positions.jsonl: is not there; run again with --positions"):
        read_run(folder)


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ([positions(), positions()], "line 2: frame 0 of camera 'flat' is there already"),
        ([positions(tracklets=["T-1", "T-1"])], "line 1: a tracklet is there twice"),
    ],
)
def test_positions_that_cannot_be_scored_are_refused(tmp_path, events, words):
    with pytest.raises(ValueError, match=rf"positions.jsonl: {words}"):
        read_run(run(tmp_path / "run", *events))


def test_a_camera_with_a_floor_of_its_own_is_read_and_its_floor_is_not_compared(tmp_path):
    folder = run(tmp_path / "run", positions(floor_frame="flat"))
    assert read_run(folder).unplaced.endswith(
        "line 1: camera 'flat' has a floor of its own; give its x_m, y_m and yaw_deg in the site file"
    )
    with pytest.raises(ValueError, match="line 1: camera 'flat' has a floor of its own"):
        evaluate(folder, tmp_path)


def test_events_of_tracklets_say_how_large_a_picture_is(tmp_path):
    folder = run(tmp_path / "run", TRACKLET_EVENT, positions())
    assert read_run(folder).sizes_px == {TRACKLET_EVENT.camera_id: TRACKLET_EVENT.image_size_px}


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("events.jsonl", '{"type": "sightline.iden', "line 2: input data was truncated; give a log"),
        ("events.jsonl", '{"data": {}}', "line 2: object missing required field `type`"),
        (
            "events.jsonl",
            '{"type": "sightline.identity.split.v1", "data": {"from": [], "to": []}}',
            "line 2: expected `array` of length >= 1",
        ),
        (
            "positions.jsonl",
            UNEVEN,
            "line 2: tracklet_ids, boxes_px and floor_m differ in length; give a log",
        ),
        ("positions.jsonl", '{"camera_id": 3}', "line 2: expected `str`, got `int`"),
    ],
)
def test_a_line_that_is_damaged_is_said(tmp_path, name, text, words):
    folder = run(tmp_path / "run", seen("P-1", "T-1"), positions())
    with (folder / name).open("a") as file:
        file.write(text)
    with pytest.raises(ValueError, match=f"{name}: {words}"):
        read_run(folder)
