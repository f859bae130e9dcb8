"""Pictures to tune on and to compare on, and who is in them."""

import cv2
import numpy as np
import pytest

from configs.build import InputError
from engines._picture_folder import MOST, picture, pictures_in, truths


def painted(path, color=(10, 20, 30)):
    cv2.imwrite(str(path), np.full((4, 6, 3), color, np.uint8)[:, :, ::-1])
    return path


def test_pictures_come_by_name_and_other_files_do_not(tmp_path):
    names = [f"{number:03}.png" for number in range(12)]
    for name in reversed(names):
        painted(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no picture")
    assert [path.name for path in pictures_in(tmp_path)] == names


def test_of_many_some_are_taken_evenly(tmp_path):
    for number in range(2 * MOST):
        (tmp_path / f"{number:04}.jpg").touch()
    taken = [int(path.stem) for path in pictures_in(tmp_path)]
    assert taken == list(range(0, 2 * MOST, 2))


def test_a_picture_is_red_green_blue(tmp_path):
    read = picture(painted(tmp_path / "one.png"))
    assert (read.dtype, read.shape, read[0, 0].tolist()) == (np.uint8, (4, 6, 3), [10, 20, 30])


ROWS = """1,1,10,20,30,40,1,1,1
1,2,50,60,10,10,1,1,0.2
1,3,70,60,10,10,0,1,1
1,4,90,60,10,10,1,8,1
2,1,11,21,30,40,1,1,0.3
"""


def test_people_who_are_hardly_seen_and_what_is_no_pedestrian_are_neither_right_nor_wrong(tmp_path):
    labels = tmp_path / "gt.txt"
    labels.write_text(ROWS)
    one, two = truths(labels, [tmp_path / "000001.png", tmp_path / "2.jpg"])
    assert one.people.tolist() == [[10, 20, 40, 60]]
    assert one.unsure[:, 0].tolist() == [50, 70, 90]
    assert (two.people.tolist(), len(two.unsure)) == ([[11, 21, 41, 61]], 0)


@pytest.mark.parametrize("name", ["000003.png", "frame.png"])
def test_a_picture_that_no_label_is_for_is_named(tmp_path, name):
    labels = tmp_path / "gt.txt"
    labels.write_text(ROWS)
    with pytest.raises(
        InputError, match=f"--labels: .*gt.txt has no frame for {name}; name pictures by their frame"
    ):
        truths(labels, [tmp_path / name])


def test_labels_that_cannot_be_read_are_one_line(tmp_path):
    with pytest.raises(InputError, match="^--labels: .*gt.txt"):
        truths(tmp_path / "gt.txt", [])
    (tmp_path / "gt.txt").write_text("1,2\n")
    with pytest.raises(InputError, match="^--labels: .*line 1"):
        truths(tmp_path / "gt.txt", [])
