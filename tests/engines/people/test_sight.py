"""Pictures of a scene: the same ones whenever they are asked for, shadows in colour alone, truth that fits them."""

import hashlib
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from simulation import ABOVE, PLAIN, cameras, demo, sight_of

from engines.people.sensor import key_of
from engines.people.sight import Sight
from engines.people.truth import MIN_PIXELS
from engines.people.zones import seen_by

TESTS = Path(__file__).parents[2]
ONE, OTHER = PLAIN[:2]
SCRIPT = """
import hashlib, sys
sys.path[:0] = [{root!r}, {tests!r}]
from engines.people.sight import Sight
from simulation import demo
color, depth = Sight(demo(6, 30.0), 2, 1).frame(77, 7.7)
print(hashlib.sha256(color.tobytes() + depth.tobytes()).hexdigest())
"""


def digest(camera, index):
    color, depth = Sight(demo(6, 30.0), camera, 1).frame(index, index / 10)
    return hashlib.sha256(color.tobytes() + depth.tobytes()).hexdigest()


def test_a_frame_alone_is_the_same_as_in_a_row():
    in_a_row = Sight(demo(6, 30.0), 2, 1)
    for index in (75, 76):
        in_a_row.frame(index, index / 10)
    color, depth = in_a_row.frame(77, 7.7)
    assert hashlib.sha256(color.tobytes() + depth.tobytes()).hexdigest() == digest(2, 77)


def test_cameras_that_draw_at_the_same_time_draw_the_same_as_one_after_the_other():
    jobs = [(camera, index) for camera in range(4) for index in (10, 200)]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda job: digest(*job), jobs))
    assert together == [digest(*job) for job in jobs]


def test_another_process_with_another_hash_seed_draws_the_same():
    script = SCRIPT.format(root=str(TESTS.parent), tests=str(TESTS))
    environment = {**os.environ, "PYTHONHASHSEED": "4242"}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == digest(2, 77)


def test_another_seed_or_frame_gives_another_picture():
    assert len({digest(2, 77), digest(2, 78), digest(1, 77)}) == 3
    other = Sight(demo(6, 30.0, 2), 2, 2).frame(77, 7.7)[1]
    assert hashlib.sha256(other.tobytes()).hexdigest() != digest(2, 77)


def test_noise_changes_with_the_frame_where_nothing_moves_and_with_the_camera():
    still = sight_of({})
    one, two = still.frame(1, 0.5), still.frame(2, 0.5)
    assert (one[0] != two[0]).mean() > 0.5 and (one[1] != two[1]).mean() > 0.3
    assert len({key_of(1, 0, 1), key_of(1, 0, 2), key_of(1, 1, 1), key_of(2, 0, 1)}) == 4


def test_a_shadow_darkens_the_floor_and_leaves_its_depth():
    empty, someone = sight_of({}), sight_of({ONE: (0.3, 0.0, 0.0)})
    before, floor = empty.frame(1, 0.5)
    after, depth = someone.frame(1, 0.5)
    person = someone.presences(0.5)[0].box
    beside = np.ones(floor.shape, bool)
    beside[max(0, person[1] - 60) : person[3] + 60, max(0, person[0] - 90) : person[2] + 60] = False
    darker = (before.astype(int) - after).mean(axis=2) > 12
    assert "hard_shadow" in someone.things(0.5) and "hard_shadow" not in empty.things(0.5)
    assert (darker & beside).sum() > 300
    assert (depth[beside] == floor[beside]).all()


def test_colour_and_depth_show_the_same_body_at_its_height():
    sight = sight_of({ONE: (0.3, 0.2, 1.0)})
    _, floor = sight_of({}).frame(1, 0.5)
    _, depth = sight.frame(1, 0.5)
    seen = sight.presences(0.5)[0]
    left, top, right, bottom = seen.box
    inside = depth[top:bottom, left:right]
    near = 3.2 - inside[inside > 0].min() / 1000
    assert near == pytest.approx(seen.height_m, abs=0.06)
    changed = np.argwhere((floor.astype(int) - depth > 300) & (depth > 0))
    assert changed[:, 1].min() == pytest.approx(left, abs=4) and changed[:, 0].max() == pytest.approx(
        bottom, abs=4
    )


def test_the_truth_of_someone_alone_is_what_a_pinhole_says():
    seen = sight_of({ONE: (0.3, 0.2, 1.0)}).presences(0.5)
    assert [(row.person, row.visibility, row.ignored) for row in seen] == [(ONE, 1.0, "")]
    assert np.hypot(seen[0].x_m - 0.3, seen[0].y_m - 0.2) < 0.12
    u, v = (
        319.5 + 385 * seen[0].x_m / (3.2 - seen[0].height_m),
        239.5 - 385 * seen[0].y_m / (3.2 - seen[0].height_m),
    )
    left, top, right, bottom = seen[0].box
    assert left < u < right and top < v < bottom


def test_the_box_is_the_bounds_of_the_pixels_that_show_the_person():
    sight = sight_of({ONE: (0.3, 0.2, 1.0), OTHER: (-0.6, 0.1, 2.0)})
    for row in sight.presences(0.5):
        window, own = sight._renderer.showing(row.person - 1)
        rows, columns = np.nonzero(own >= 0)
        assert row.box == (
            window.left + columns.min(),
            window.top + rows.min(),
            window.left + columns.max() + 1,
            window.top + rows.max() + 1,
        )


def test_who_stands_behind_another_is_seen_in_part_and_who_is_under_the_edge_is_ignored():
    tilted = cameras()[3]
    place = -tilted.eye.camera_from_world.T @ tilted.eye.shift_m
    away = tilted.eye.camera_from_world[0, :2]
    spot = place[:2] + 1.6 * away
    both = {ONE: (*spot, 0.0), OTHER: (*(spot + 0.7 * away), 0.0)}
    behind = sight_of(both, camera=tilted).presences(0.5)
    assert behind[0].visibility > 0.95 > 0.8 > behind[1].visibility > 0
    edge = sight_of({ONE: (0.0, 1.62, 0.0)}).presences(0.5)
    assert [row.ignored for row in edge] == ["head_outside_picture"] and edge[0].visibility < 0.9


def test_a_head_in_the_strip_without_depth_is_ignored():
    seen = sight_of({ONE: (-1.20, 0.0, 1.57)}).presences(0.5)
    assert [row.ignored for row in seen] == ["head_in_blind_strip"]


def test_people_have_rows_only_while_something_of_them_can_be_seen():
    scene = demo(6, 30.0)
    sight = Sight(scene, 0, 1)
    for time_s in np.arange(0.0, 30.0, 3.1):
        rows = {row.person for row in sight.presences(time_s)}
        for person in scene.people:
            now = scene.moment(person, time_s)
            knees = None if now is None else np.array([now.x_m, now.y_m, 0.5])
            if knees is None or not seen_by(cameras()[0], knees, -400.0):
                assert person.number not in rows
    assert MIN_PIXELS < 100


def test_furniture_and_what_is_pushed_are_things_and_nobody():
    sight = sight_of({})
    assert sight.presences(0.5) == []
    assert sight.things(0.5) == ["table"]
    trolley = next(p for p in demo().people if "trolley" in p.roles)
    pushed = sight_of({trolley.number: (0.3, 0.3, 1.0)})
    assert "trolley" in pushed.things(0.5)
    assert [row.person for row in pushed.presences(0.5)] == [trolley.number]


def test_the_empty_camera_above_sees_flat_floor():
    depth = sight_of({}).frame(0, 0.0)[1]
    assert np.median(depth[depth > 0]) == pytest.approx(3200, abs=12)
    assert ABOVE.width == depth.shape[1]
