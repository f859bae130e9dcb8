"""Whatever is given against whatever truth there is: MOT, WILDTRACK, PETS, SceneScape."""

import json
import re

import cv2
import numpy as np
import pytest
from scored_run import written

from engines.evaluate.evaluation import evaluate, read_cameras
from engines.evaluate.lives import lives_of
from engines.evaluate.moments import truth_on_floor
from engines.evaluate.mot import write_mot
from engines.evaluate.mot_floor import FloorRow, write_mot_floor
from engines.evaluate.report import write_report
from engines.evaluate.sequence import Sequence
from engines.evaluate.tables import tables_of


def wildtrack(folder, *frames):
    """Frames of people: number, cell, and the box in each view that sees them."""
    place = folder / "annotations_positions"
    place.mkdir(parents=True)
    for number, people in enumerate(frames):
        told = [
            {
                "personID": person,
                "positionID": cell,
                "views": [
                    dict(zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True), viewNum=view)
                    for view, box in enumerate(boxes)
                ],
            }
            for person, cell, boxes in people
        ]
        (place / f"{number * 5:08d}.json").write_text(json.dumps(told))
    return folder


HERE, AWAY = (10, 20, 30, 80), (-1, -1, -1, -1)


def test_a_cell_of_wildtrack_is_a_place_and_only_views_that_see_somebody_have_them(tmp_path):
    folder = wildtrack(tmp_path, [(7, 481, (HERE, AWAY)), (8, 0, (HERE, HERE))], [(7, 962, (AWAY, HERE))])
    first, second = read_cameras(folder)
    assert (first.camera_id, second.camera_id) == ("C1", "C2")
    assert (first.people.tolist(), second.people.tolist()) == ([7, 8], [8, 7])
    assert first.floor_m.tolist() == [pytest.approx([-2.975, -8.975]), pytest.approx([-3.0, -9.0])]
    assert first.boxes.tolist()[0] == [10, 20, 20, 60]
    assert second.captured_ns.tolist() == [0, 500_000_000]


def test_results_on_the_floor_are_scored_against_wildtrack(recordings, tmp_path):
    place = recordings / "wildtrack_gt"
    there = truth_on_floor(read_cameras(place))
    rows = [
        FloorRow(frame + 1, person, x, y)
        for frame, person, (x, y) in zip(
            there.frame_indices.tolist(), there.people.tolist(), there.floor_m.tolist(), strict=True
        )
    ]
    write_mot_floor(tmp_path / "perfect.txt", rows)
    (sheet,) = evaluate(tmp_path / "perfect.txt", place).sheets
    assert (sheet.scores.identity.idf1, sheet.scores.clear.mota) == (1, 1)
    assert len(lives_of(sheet.sequence)) == len(np.unique(there.people)) > 190
    write_mot_floor(
        tmp_path / "off.txt", [row._replace(x_m=row.x_m + 0.4) for row in rows if row.frame > 100]
    )
    (sheet,) = evaluate(tmp_path / "off.txt", place).sheets
    assert 0.3 < sheet.scores.clear.recall < 0.7


def test_boxes_of_each_camera_are_scored_against_wildtrack(tmp_path):
    folder = wildtrack(tmp_path / "truth", [(7, 481, (HERE, AWAY)), (8, 0, (AWAY, HERE))])
    (tmp_path / "ours").mkdir()
    for camera in read_cameras(folder):
        write_mot(tmp_path / f"ours/{camera.camera_id}.txt", camera.mot)
    found = evaluate(tmp_path / "ours", folder)
    assert [(one.name, one.scores.clear.mota) for one in found.sheets] == [("C1", 1), ("C2", 1)]
    (table,) = tables_of(found)
    assert [row[0] for row in table.rows] == ["C1", "C2", "together"]


def scenescape(folder, frames):
    lines = [
        {
            "timestamp": f"2014-09-08T04:00:{frame / 10:06.3f}Z",
            "objects": {
                "person": [{"id": id, "translation": [x, 0.0, 0.0]} for id, x in people],
                "cart": [{"id": 9, "translation": [0.0, 0.0, 0.0]}],
            },
        }
        for frame, people in enumerate(frames)
    ]
    (folder / "gtLoc.json").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def test_a_run_is_scored_against_scenescape_frame_by_frame_and_only_people_count(tmp_path):
    folder = written(tmp_path / "run")
    scenescape(folder, [[(4, 0.04)]] * 10)
    found = evaluate(folder, folder / "gtLoc.json")
    (table,) = tables_of(found)
    assert dict(table.rows)["IDF1"] == "1.000"
    assert dict(table.rows)["people"] == "1"
    (sheet,) = evaluate(folder, scenescape(folder, [[(4, 5.0)]] * 10) / "gtLoc.json").sheets
    assert sheet.scores.clear.recall == 0


def test_a_run_on_a_smaller_picture_is_scored_against_boxes(tmp_path):
    folder = written(tmp_path / "run")
    lines = (folder / "positions.jsonl").read_text().splitlines()
    camera = json.loads(lines[0])["camera_id"]
    size = {
        "type": "sightline.tracklet.opened.v1",
        "data": {"camera_id": camera, "image_size_px": [320, 240]},
    }
    with (folder / "events.jsonl").open("a") as events:
        events.write(json.dumps(size) + "\n")
    said = [json.loads(line) for line in lines]
    rows = []
    for line in said[:5]:
        if line["camera_id"] == camera and line["boxes_px"]:
            left, top, right, bottom = (2 * edge for edge in line["boxes_px"][0])
            rows.append(f"{line['frame_index'] + 1},1,{left},{top},{right - left},{bottom - top},1,1,1\n")
    (tmp_path / "gt.txt").write_text("".join(rows))
    found = evaluate(folder, tmp_path / "gt.txt", (640, 480), camera)
    assert [(one.scores.clear.mota, one.scores.clear.false_positives) for one in found.sheets] == [(1, 0)] * 2
    assert evaluate(folder, tmp_path / "gt.txt", None, camera).sheets[0].scores.clear.mota < 0.5
    with pytest.raises(ValueError, match=r"--camera: is 'x', the run has .*; name the one that"):
        evaluate(folder, tmp_path / "gt.txt", None, "x")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1,1,-1,-1,-1,-1,1\n", "line 1: has 7 of 10 values; write frame,id,left,top"),
        ("1,1,-1,-1,-1,-1,1,a,0,0\n", "line 1: x is 'a'; write a number"),
        ("9,1,-1,-1,-1,-1,1,0,0,0\n", "frame 9: the truth ends with frame 1; give the truth"),
        ("1,1,-1,-1,-1,-1,1,0,0,0\n" * 2, "frame 1: id 1 is there twice; keep one of them"),
    ],
)
def test_results_on_a_floor_that_cannot_be_scored_are_refused(tmp_path, text, words):
    folder = wildtrack(tmp_path / "truth", [(7, 481, (HERE, AWAY))])
    (tmp_path / "ours.txt").write_text(text)
    with pytest.raises(ValueError, match=rf"ours.txt: {words}"):
        evaluate(tmp_path / "ours.txt", folder)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("annotations_positions/0.json", "[{}]", "0.json: .*personID.*; give the annotations as they were"),
        ("gtLoc.json", '{"objects": {}}\n', "line 1: .*timestamp.*; give a truth as SceneScape writes it"),
    ],
)
def test_a_truth_of_others_that_cannot_be_read_is_said(tmp_path, name, text, words):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(text)
    (tmp_path / "ours.txt").write_text("")
    with pytest.raises(ValueError, match=words):
        evaluate(tmp_path / "ours.txt", tmp_path)


def test_a_life_says_whom_somebody_was_taken_for():
    ids = [np.array([4])] * 6
    said = [np.array([n]) for n in (1, 1, 1, 2, 2, 2)]
    alike = [np.full((1, 1), s) for s in (0.9, 0.9, 0.1, 0.9, 0.9, 0.9)]
    (life,) = lives_of(Sequence(tuple(ids), tuple(said), tuple(alike)))
    assert life.switches == [(1, 3)]
    assert [(one.first, one.last) for one in life.stretches] == [(0, 1), (2, 2), (3, 5)]
    assert (life.ids, life.missed) == (2, pytest.approx(1 / 6))


def report(tmp_path, pictures=None):
    folder = written(tmp_path / "run")
    found = evaluate(folder, folder)
    write_report(tmp_path / "page.html", "this run <b>", found, tables_of(found), pictures)
    return (tmp_path / "page.html").read_text()


def test_a_report_is_one_file_that_asks_nobody_for_anything(tmp_path):
    page = report(tmp_path)
    assert re.findall(r'(?:src|href)="?([^" >]*)', page) == []
    assert "url(" not in page
    assert "@import" not in page
    assert "<script" not in page
    assert "this run &lt;b&gt;" in page
    assert page.count("<svg") >= 4
    assert "Hand-overs between cameras" in page
    assert "a to b" in page


def test_nobody_is_shown_in_a_report_who_was_not_asked_for(tmp_path):
    assert "<img" not in report(tmp_path / "plain")
    shown = tmp_path / "pictures" / "a"
    shown.mkdir(parents=True)
    with pytest.raises(ValueError, match=r"pictures: holds neither <camera>.mp4 nor <camera>/\*.jpg of a, b"):
        report(tmp_path / "none", tmp_path / "pictures")
    for frame in range(10):
        cv2.imwrite(str(shown / f"{frame:06d}.png"), np.full((200, 200, 3), 20 * frame, np.uint8))
    (tmp_path / "other").mkdir()
    page = report(tmp_path / "other", tmp_path / "pictures")
    assert page.count("data:image/jpeg;base64,") == page.count("<img")
