"""Files of the MOT Challenge: read, written, and scored as it does."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.evaluate.mot import MotRows, read_mot, write_mot
from engines.evaluate.mot_challenge import evaluate_mot, evaluate_mot_folders

TRUTH = "1,1,0,0,10,10,1,1,1\n2,1,0,0,10,10,1,1,1\n"


def file(folder, name, text):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def scores(folder, result, truth):
    return evaluate_mot(file(folder, "result.txt", result), file(folder, "gt.txt", truth))


def test_reads_truth_results_and_detections(tmp_path):
    rows = read_mot(
        file(tmp_path, "rows.txt", "3,7,1.5,2,10,20,0,8,0.25\n\n4.0,-1,1,2,3,4,0.9\n1 2 3 4 5 6 7\n")
    )
    assert rows.frames.tolist() == [3, 4, 1]
    assert rows.ids.tolist() == [7, -1, 2]
    assert rows.corners[0].tolist() == [1.5, 2, 11.5, 22]
    assert (rows.confidences.tolist(), rows.classes.tolist()) == ([0, 0.9, 7], [8, 1, 1])
    assert rows.visibilities.tolist() == [0.25, 1, 1]


NUMBERS = st.floats(-1e4, 1e4, allow_nan=False)
ROWS = st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS, NUMBERS, st.floats(0, 1)), max_size=5)


@given(ROWS)
def test_what_is_written_reads_the_same_to_the_last_bit(tmp_path_factory, rows):
    table = np.array(rows, float).reshape(-1, 5)
    count = np.arange(len(table))
    given = MotRows(count + 1, count, table[:, :4], table[:, 4], np.ones_like(count), table[:, 4])
    path = tmp_path_factory.mktemp("mot") / "rows.txt"
    write_mot(path, given)
    read = read_mot(path)
    for name in MotRows.__slots__:
        assert getattr(read, name).tolist() == getattr(given, name).tolist()


def test_detections_without_an_id_may_share_a_frame(tmp_path):
    assert len(read_mot(file(tmp_path, "det.txt", "1,-1,0,0,9,9,1\n1,-1,5,5,9,9,1\n"))) == 2


def test_whole_numbers_are_written_without_a_point(tmp_path):
    rows = read_mot(file(tmp_path, "rows.txt", TRUTH))
    write_mot(tmp_path / "again.txt", rows)
    assert (tmp_path / "again.txt").read_text() == TRUTH


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1,2,3\n", "line 1: has 3 of 7 values; write frame,id,left,top,width,height,confidence"),
        ("1,2,3,4,5,6,1\n1,3,x,4,5,6,1\n", "line 2: left is 'x'; write a number"),
        ("1,2,3,4,nan,6,1\n", "line 1: width is 'nan'; write a number"),
        ("1,2,3,4,,6,1\n", "line 1: width is ''; write a number"),
        ("0,2,3,4,5,6,1\n", "line 1: frame is '0'; write a whole number from 1"),
        (f"1,{10**20},3,4,5,6,1\n", f"line 1: id is '{10**20}'; write a whole number from -1"),
        ("1,2.5,3,4,5,6,1\n", "line 1: id is '2.5'; write a whole number from -1"),
        (
            "1,2,3,4,5,6,1\n\n1,2,3,4,5,6,1\n",
            "line 3: id 2 is in frame 1 already, in line 1; keep one of them",
        ),
    ],
)
def test_a_mistake_is_said_with_its_line(tmp_path, text, words):
    path = file(tmp_path, "rows.txt", text)
    with pytest.raises(ValueError) as caught:
        read_mot(path)
    assert str(caught.value) == f"{path}: {words}"


def test_a_file_that_is_not_there_or_no_text_is_said(tmp_path):
    with pytest.raises(
        ValueError, match=r"nothing.txt: cannot be read, No such file or directory; name a file"
    ):
        read_mot(tmp_path / "nothing.txt")
    (tmp_path / "picture").write_bytes(b"1,2\xff")
    with pytest.raises(ValueError, match="picture: is no text in UTF-8, see byte 3"):
        read_mot(tmp_path / "picture")


def test_what_follows_a_distractor_neither_gains_nor_costs(tmp_path):
    distractor = "1,2,100,0,10,10,0,{kind},1\n"
    result = "1,1,0,0,10,10,1\n2,1,0,0,10,10,1\n1,9,100,0,10,10,1\n"
    assert scores(tmp_path, result, TRUTH + distractor.format(kind=8)).clear.false_positives == 0
    assert scores(tmp_path, result, TRUTH + distractor.format(kind=3)).clear.false_positives == 1
    assert scores(tmp_path, result, TRUTH).clear.mota == 0.5


def test_in_mot20_a_vehicle_distracts_too(tmp_path):
    vehicle, result = "1,2,100,0,10,10,0,6,1\n", "1,1,0,0,10,10,1\n2,1,0,0,10,10,1\n1,9,100,0,10,10,1\n"
    for name, wrong in (("MOT20-01", 0), ("MOT17-02", 1)):
        file(tmp_path, f"truth/{name}/gt/gt.txt", TRUTH + vehicle)
        file(tmp_path, f"tracker/{name}.txt", result)
        assert (
            evaluate_mot_folders(tmp_path / "tracker", tmp_path / "truth")[name].clear.false_positives
            == wrong
        )
        (tmp_path / f"truth/{name}/gt/gt.txt").unlink()


def test_truth_of_confidence_0_does_not_count(tmp_path):
    unmarked = scores(tmp_path, "1,1,0,0,10,10,1\n", TRUTH.replace("2,1,0,0,10,10,1", "2,1,0,0,10,10,0"))
    assert (unmarked.clear.true_positives, unmarked.clear.false_negatives) == (1, 0)


def test_truth_without_classes_counts_whole(tmp_path):
    assert scores(tmp_path, "1,1,0,0,10,10,1\n", "1,1,0,0,10,10,1,-1,-1,-1\n").clear.mota == 1


@pytest.mark.parametrize(
    ("result", "truth", "words"),
    [
        (
            "4,-1,0,0,9,9,1\n",
            TRUTH,
            "result.txt: frame 4: holds a row without an id; give results of a tracker",
        ),
        ("4,1,0,0,9,9,1,3\n", TRUTH, "result.txt: frame 4: holds a class other than pedestrian"),
        ("4,1,0,0,9,9,1\n", "5,1,0,0,9,9,1,14,1\n", "gt.txt: frame 5: holds a class that MOT does not know"),
        ("4,1,0,0,9,9,1\n", "5,1,0,0,9,9,1\n", "gt.txt: line 1: has 7 of 8 values"),
    ],
)
def test_files_that_cannot_be_scored_are_refused(tmp_path, result, truth, words):
    with pytest.raises(ValueError, match=words):
        scores(tmp_path, result, truth)


def test_folders_are_scored_sequence_by_sequence(tmp_path):
    for name in ("b", "a"):
        file(tmp_path, f"truth/{name}/gt/gt.txt", TRUTH)
    file(tmp_path, "tracker/a.txt", "1,1,0,0,10,10,1\n")
    with pytest.raises(ValueError, match=r"tracker/b.txt: cannot be read"):
        evaluate_mot_folders(tmp_path / "tracker", tmp_path / "truth")
    file(tmp_path, "tracker/b.txt", "")
    scored = evaluate_mot_folders(tmp_path / "tracker", tmp_path / "truth")
    assert {name: one.clear.recall for name, one in scored.items()} == {"a": 0.5, "b": 0.0}
    with pytest.raises(ValueError, match=r"holds no <sequence>/gt/gt.txt"):
        evaluate_mot_folders(tmp_path / "tracker", tmp_path / "tracker")
    with pytest.raises(ValueError, match=r"holds no events.jsonl, nor <sequence>.txt"):
        evaluate_mot_folders(tmp_path, tmp_path / "truth")
