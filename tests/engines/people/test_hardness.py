"""Counts are of the truth that is written, and are what they say."""

from dataclasses import fields

import numpy as np
import pytest

from engines.evaluate.truth import CameraTruth
from engines.evaluate.truth import write_truth as write_cameras
from engines.people.crowd import crowd_of
from engines.people.hardness import IN_WORDS, hardness
from engines.people.truth_files import write_truth


def rows(camera_id, *people, fps=2):
    """A camera's truth of (person, first frame, floor points, reason)."""
    flat = [(n, first + i, point, why) for n, first, points, why in people for i, point in enumerate(points)]
    flat.sort(key=lambda row: (row[1], row[0]))
    k = len(flat)
    frames = np.array([row[1] for row in flat], np.int64)
    return CameraTruth(
        camera_id,
        frames,
        frames * (10**9 // fps),
        np.array([row[0] for row in flat], np.int64),
        np.tile([0.0, 0.0, 9.0, 9.0], (k, 1)),
        np.array([row[2] for row in flat], float).reshape(-1, 2),
        np.full(k, 1.7),
        np.ones(k),
        tuple(row[3] for row in flat),
    )


def still(x, frames):
    return [(x, 0.0)] * frames


@pytest.fixture
def counted(tmp_path):
    def count(*cameras, things=None, people=12):
        write_truth(tmp_path, crowd_of(people, 1), cameras, {} if things is None else things)
        return hardness(tmp_path)

    return count


def test_two_pass_once_however_long_they_are_near_and_again_when_they_have_been_apart(counted):
    near, far = (0.4, 0.0), (2.0, 0.0)
    camera = rows(
        "a", (1, 0, still(0.0, 9), ""), (2, 0, [far, near, near, near, far, near, near, far, far], "")
    )
    assert counted(camera).passes == 2


def test_every_count_is_told_in_words(counted):
    made = counted(rows("a", (1, 0, still(0.0, 3), "")))
    assert set(IN_WORDS) == {field.name for field in fields(made)}
    assert dict(made.rows)["people seen"] == "1"


def test_half_a_metre_or_a_head_outside_is_no_pass(counted):
    apart = rows("a", (1, 0, still(0.0, 3), ""), (2, 0, still(0.5, 3), ""))
    outside = rows("b", (1, 0, still(0.0, 3), ""), (2, 0, still(0.4, 3), "head_outside_picture"))
    assert counted(apart, outside).passes == 0


def test_two_in_different_views_do_not_pass(counted):
    assert counted(rows("a", (1, 0, still(0.0, 3), "")), rows("b", (2, 0, still(0.1, 3), ""))).passes == 0


def test_a_return_is_after_sixty_seconds_out_of_all_views(counted):
    away = rows("a", (1, 0, still(0.0, 2), ""), (1, 121, still(0.0, 2), ""))
    assert counted(away).returns == 1
    assert counted(rows("a", (1, 0, still(0.0, 2), ""), (1, 120, still(0.0, 2), ""))).returns == 0
    assert counted(away, rows("b", (1, 60, still(0.0, 1), "head_hidden"))).returns == 0


def test_views_are_counted_where_the_head_can_be_seen(counted):
    cameras = [
        rows(name, (1, 0, still(0.0, 1), ""), (2, 0, still(3.0, 1), why))
        for name, why in (("a", ""), ("b", "head_outside_picture"))
    ]
    assert counted(*cameras).fewest_views == 1


def test_who_stays_within_a_step_for_ten_seconds_stands(counted):
    assert counted(rows("a", (1, 0, still(0.0, 21), ""))).people_standing == 1
    assert counted(rows("a", (1, 0, still(0.0, 20), ""))).people_standing == 0
    assert counted(rows("a", (1, 0, [(0.03 * k, 0.0) for k in range(40)], ""))).people_standing == 0


def test_who_goes_out_where_they_came_in_turns_back(counted):
    there = [(0.3 * k, 0.0) for k in range(6)]
    assert counted(rows("a", (1, 0, there + there[::-1], ""))).turns_back == 1
    assert counted(rows("a", (1, 0, there, ""))).turns_back == 0


def test_kinds_of_people_and_things_are_counted_where_they_are_seen(counted):
    crowd = crowd_of(12, 1)
    everyone = rows("a", *[(person.number, 0, still(3.0 * person.number, 2), "") for person in crowd])
    things = {"a": {"table": 5, "hard_shadow": 2}, "b": {"hard_shadow": 1}}
    got = counted(everyone, things=things)
    assert (got.people, got.look_alike_pairs, got.children, got.hats) == (12, 4, 1, 1)
    assert (got.table_views, got.hard_shadow_views, got.trolley_views) == (1, 2, 0)
    child = next(person.number for person in crowd if "child" in person.roles)
    assert counted(rows("a", *[(n, 0, still(0.0, 2), "") for n in range(1, 13) if n != child])).children == 0


def test_shares_are_of_all_rows(counted):
    camera = rows(
        "a",
        (1, 0, still(0.0, 6), ""),
        (2, 0, still(3.0, 3), "head_outside_picture"),
        (3, 0, still(6.0, 1), "head_hidden"),
    )
    got = counted(camera)
    assert (got.share_outside, got.share_ignored) == (0.3, 0.1)
    assert got.people_per_view == pytest.approx(10 / 6)


def test_nobody_is_counted_as_nobody(counted):
    got = counted(rows("a"), people=0)
    assert (got.people, got.passes, got.fewest_views) == (0, 0, 0)


def test_a_folder_without_people_is_an_error_of_one_line(tmp_path):
    (tmp_path / "truth").mkdir()
    write_cameras(tmp_path / "truth", [rows("a", (1, 0, still(0.0, 1), ""))])
    with pytest.raises(ValueError, match=r"people\.csv: cannot be read"):
        hardness(tmp_path)
