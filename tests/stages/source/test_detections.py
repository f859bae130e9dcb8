"""Files of boxes by somebody else's detector: what is read of them, when, and what is said of a line that is wrong."""

import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from manual import ROOT

from pipeline.stage import InputError
from stages.source.detections import Detections

CSV = "frame,left,top,width,height,score\n"


def source(path, format, **settings):
    made = Detections("hall", path=str(path), format=format, **settings)
    made.open()
    return made


def frames(path, format, from_ns=0, **settings):
    return list(source(path, format, **settings).produce(from_ns))


def test_mot_has_a_frame_for_every_number_also_where_nobody_is(tmp_path):
    file = tmp_path / "det.txt"
    file.write_text("3,-1,10,20,30.5,40,0.9,-1,-1,-1\n1,-1,1,2,3,4,0.5\n3,-1,50,20,30,40,1\n")
    found = frames(file, "mot", fps=25)
    assert [len(one) for one in found] == [1, 0, 2]
    assert [one.captured_ns for one in found] == [0, 40_000_000, 80_000_000]
    assert [one.index for one in found] == [0, 1, 2]
    assert found[2].boxes.tolist() == [[10, 20, 40.5, 60], [50, 20, 80, 60]]
    assert found[2].scores == pytest.approx([0.9, 1.0])
    assert np.isnan(found[2].floor_m).all()  # of a camera that is not placed


def test_csv_by_frames_or_by_seconds_in_any_order_of_columns(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text("score,width,height,left,top,frame,who\n0.5,10,20,1,2,2,ada\n\n")
    assert frames(file, "csv")[1].boxes.tolist() == [[1, 2, 11, 22]]
    file.write_text("seconds,left,top,width,height\n0.5,1,2,10,20\n0.25,1,2,10,20\n")
    assert [(one.captured_ns, one.scores.tolist()) for one in frames(file, "csv")] == [
        (250_000_000, [1.0]),
        (500_000_000, [1.0]),
    ]


def test_scenescape_says_when_and_only_people_are_read(recordings):
    file = recordings / "scenescape_2cam/Cam_x1_0.json"
    lines = file.read_text().splitlines()
    found = frames(file, "scenescape", width_px=1280, height_px=720)
    assert len(found) == len(lines)
    assert found[1].captured_ns - found[0].captured_ns == 33_000_000
    for one, line in zip(found, lines, strict=True):
        people = [person["bounding_box_px"] for person in json.loads(line)["objects"].get("person", [])]
        boxes = [[b["x"], b["y"], b["x"] + b["width"], b["y"] + b["height"]] for b in people]
        assert one.boxes.tolist() == boxes


def test_it_begins_where_it_is_asked_to(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text(CSV + "".join(f"{n},1,2,3,4,1\n" for n in range(1, 6)))
    assert [one.index for one in frames(file, "csv", from_ns=100_000_000)] == [3, 4]


WRONG = {
    "mot": {
        "1,-1,10,20,30,40": "line 1: has 6 of 7 values; write frame,id,left,top,width,height,score",
        "1,-1,10,20,thirty,40,1": "line 1: width is 'thirty'; write a number",
        "0,-1,10,20,30,40,1": "line 1: frame is '0'; count frames from 1",
        "1,-1,10,20,30,40,1\n1.5,-1,10,20,30,40,1": "line 2: frame is '1.5'; count frames from 1",
        "1,-1,10,20,0,40,1": "line 1: a box of 0 x 40; leave out boxes without a size",
        "1,-1,10,20,30,40,14.2": "line 1: score is 14.2; scale scores to 0 to 1",
        "1,-1,nan,20,30,40,1": "line 1: left is 'nan'; write a number",
        "": "holds no detections; name another file, or check its format (mot)",
    },
    "csv": {
        "a,b\n1,2": "line 1: names a, b; name frame or seconds, left, top, width, height, and score",
        CSV + "1,2,3,4": "line 2: has 4 values for 6 names; give one for each",
        "seconds,left,top,width,height\n-1,1,2,3,4": "line 2: seconds is '-1'; give seconds from 0 on",
        CSV: "holds no detections; name another file, or check its format (csv)",
    },
    "scenescape": {
        "[1]": "line 1: is no frame of SceneScape's, list indices",
        '{"timestamp": "yesterday", "objects": {}}': "line 1: is no frame of SceneScape's, Invalid isoformat",
        '{"objects": {}}': "line 1: is no frame of SceneScape's, without 'timestamp'",
    },
}


@pytest.mark.parametrize(
    ("format", "text", "said"),
    [(f, text, said) for f, lines in WRONG.items() for text, said in lines.items()],
)
def test_a_wrong_line_is_named_with_what_to_do(tmp_path, format, text, said):
    file = tmp_path / "wrong"
    file.write_text(text)
    with pytest.raises(InputError) as error:
        source(file, format)
    assert str(error.value).startswith(f"{file}: {said}")
    assert "\n" not in str(error.value)


@given(st.text(max_size=60), st.sampled_from(["mot", "csv", "scenescape"]))
def test_any_text_is_read_or_refused_with_one_line(tmp_path_factory, text, format):
    file = tmp_path_factory.mktemp("any") / "text"
    file.write_text(text, "utf-8")
    try:
        assert frames(file, format)
    except InputError as error:
        assert str(error).startswith(str(file)) and str(error).count("\n") <= text.count("\n")


def test_what_cannot_be_opened_and_settings_that_cannot_be(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        source(tmp_path / "none", "mot")
    (tmp_path / "picture").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(InputError, match="is no text"):
        source(tmp_path / "picture", "mot")
    for settings, said in (({"fps": 0.0}, "fps must be above 0"), ({"isolated": True}, "leave it out")):
        with pytest.raises(ValueError, match=said):
            Detections("hall", path="a", format="mot", **settings)


def graph(folder, lines):
    (folder / "sites").mkdir()
    (folder / "sites/detections_demo.yaml").write_text("cameras: {hall: {}}\n")
    (folder / "hall.csv").write_text(CSV + lines)
    text = (
        (ROOT / "configs/detections.yaml")
        .read_text()
        .replace("recordings/hall.csv", str(folder / "hall.csv"))
    )
    (folder / "graph.yaml").write_text(text)
    command = [sys.executable, "run.py", "--graph", folder / "graph.yaml", "--out", folder / "out"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_graph_that_ships_follows_them(tmp_path):
    walks = [f"{n},{100 + 5 * n},300,80,200,0.9\n" for n in range(1, 91) if not 40 < n < 50]
    done = graph(tmp_path, "".join(walks))
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in (tmp_path / "out/events.jsonl").read_text().splitlines()]
    assert {one["subject"] for one in events if "tracklet" in one["type"]} == {events[0]["subject"]}
    positions = (tmp_path / "out/positions.jsonl").read_text().splitlines()
    assert len(positions) >= 81


def test_a_wrong_line_ends_a_run_before_it_begins(tmp_path):
    done = graph(tmp_path, "1,2,3,4\n")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "hall.csv: line 2: has 4 values for 6 names; give one for each" in done.stderr
    assert not (tmp_path / "out/events.jsonl").exists()
