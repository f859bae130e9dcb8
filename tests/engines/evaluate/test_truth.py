"""Truth folders: written, read, and refused with the line that is wrong."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.evaluate.truth import CameraTruth, read_truth, write_truth

MOT = "1,3,10,20,30,40,1,1,0.5\n1,4,5,6,7,8,0,1,0.25\n"
FLOOR = """frame_index,captured_ns,person,x_m,y_m,height_m,visibility,ignored
0,1767225600000000001,3,1.25,-2,1.7,0.5,
0,1767225600000000001,4,0,0,1.1,0.25,head_outside_picture
"""


def folder(place, mot=MOT, floor=FLOOR, camera="flat"):
    (place / "truth").mkdir(parents=True, exist_ok=True)
    (place / "truth" / f"{camera}.txt").write_text(mot)
    (place / "truth" / f"{camera}.floor.csv").write_text(floor)
    return place


def test_reads_the_folder_of_a_recording_and_its_folder_of_truth(tmp_path):
    for place in (folder(tmp_path), tmp_path / "truth"):
        (camera,) = read_truth(place)
        assert camera.camera_id == "flat"
        assert camera.captured_ns.tolist() == [1767225600000000001] * 2
        assert camera.people.tolist() == [3, 4]
        assert camera.floor_m.tolist() == [[1.25, -2], [0, 0]]
        assert camera.boxes.tolist() == [[10, 20, 30, 40], [5, 6, 7, 8]]
        assert (camera.counts.tolist(), camera.ignored[1]) == ([True, False], "head_outside_picture")


def test_cameras_come_by_name_and_other_files_do_not_matter(tmp_path):
    for camera in ("oblique", "ascent"):
        folder(tmp_path, camera=camera)
    (tmp_path / "truth/people.csv").write_text("person,height_m\n")
    assert [camera.camera_id for camera in read_truth(tmp_path)] == ["ascent", "oblique"]


def test_writes_what_it_reads(tmp_path):
    again = tmp_path / "again"
    again.mkdir()
    write_truth(again, read_truth(folder(tmp_path)))
    assert (again / "flat.txt").read_text() == MOT
    assert (again / "flat.floor.csv").read_text() == FLOOR


NUMBERS = st.floats(-1e3, 1e3, allow_nan=False)
ROWS = st.lists(
    st.tuples(NUMBERS, NUMBERS, NUMBERS, st.floats(0, 1), st.sampled_from(["", "why"])), max_size=5
)


@given(ROWS)
def test_what_is_written_reads_the_same_to_the_last_bit(tmp_path_factory, rows):
    table, count = np.array([row[:4] for row in rows], float).reshape(-1, 4), np.arange(len(rows))
    ignored = tuple(row[4] for row in rows)
    given = CameraTruth(
        "flat", count, count + 2**60, count, table, table[:, :2], table[:, 2], table[:, 3], ignored
    )
    place = tmp_path_factory.mktemp("truth")
    write_truth(place, [given])
    (read,) = read_truth(place)
    for name in CameraTruth.__slots__[1:]:
        assert np.array_equal(getattr(read, name), getattr(given, name))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("frame_index", "frame", "line 1: is no header; write frame_index,captured_ns,person,"),
        (",0.5,\n", ",0.5\n", "line 2: has 7 of 8 values; write frame_index,"),
        ("1.25", "far", "line 2: x_m is 'far'; write a number"),
        ("0,1767", "0.5,1767", "line 2: frame_index is '0.5'; write a whole number from 0"),
        (
            ",4,0,0",
            ",5,0,0",
            "line 3: frame, person or whether it counts is not that of flat.txt; write both",
        ),
        ("head_outside_picture", "", "line 3: frame, person or whether it counts is not that of flat.txt"),
        ("\n0,", "\n1,", "line 2: frame, person or whether it counts is not that of flat.txt"),
        (FLOOR.splitlines(True)[2], "", "has 1 rows, flat.txt 2; write one for each"),
    ],
)
def test_a_mistake_in_a_floor_file_is_said_with_its_line(tmp_path, old, new, words):
    assert old in FLOOR
    with pytest.raises(ValueError) as caught:
        read_truth(folder(tmp_path, floor=FLOOR.replace(old, new)))
    assert str(caught.value).startswith(f"{tmp_path / 'truth/flat.floor.csv'}: {words}")


def test_a_file_without_the_other_one_is_said(tmp_path):
    folder(tmp_path)
    (tmp_path / "truth/flat.txt").unlink()
    with pytest.raises(ValueError, match=r"flat.txt: cannot be read"):
        read_truth(tmp_path)
    (tmp_path / "truth/flat.floor.csv").unlink()
    with pytest.raises(
        ValueError, match=r"truth: holds no <camera>.floor.csv; name the folder of a recording"
    ):
        read_truth(tmp_path)
