"""People get where they want to go, past each other and past what stands about."""

from itertools import combinations

import numpy as np
import pytest
from simulation import cameras, demo

from engines.people.goals import EVERY, PASSES, heads_of, shortfall
from engines.people.schedule import BEFORE_S
from engines.people.staging import AFTER_S, scene_of
from engines.people.walk import STEP_S, Errands, Walkers, walk
from engines.people.zones import seen_by, zones_of

NOTHING = np.empty((0, 3))


def walked(ways, obstacles=NOTHING, radius=0.22, speed=1.2, steps=300, waits=0.0):
    """Paths of people with one way each: a line of points."""
    stops = np.array(
        [(x, y, waits * (0 < k < len(way) - 1), x + 1, y) for way in ways for k, (x, y) in enumerate(way)]
    )
    n = len(ways)
    walkers = Walkers(np.full(n, radius), np.full(n, speed), np.full(n, 1.7), np.arange(n + 1))
    first = np.cumsum([0, *map(len, ways)])
    return walk(walkers, Errands(np.zeros(n), np.zeros(n), first, stops, obstacles), 0.0, steps)


def apart(paths, one, other):
    both = (paths[:, one, 6] > 0) & (paths[:, other, 6] > 0)
    return np.linalg.norm(paths[both, one, :2] - paths[both, other, :2], axis=1)


def test_one_alone_walks_straight_at_their_own_speed_and_is_gone_at_the_end():
    path = walked([[(0, 0), (6, 0)]])[:, 0]
    there = path[path[:, 6] > 0]
    assert np.abs(there[:, 1]).max() < 1e-9
    assert np.median(there[:, 3]) == pytest.approx(1.2, rel=0.01)
    assert len(there) * STEP_S == pytest.approx(6 / 1.2, abs=0.6)


def test_two_who_meet_head_on_pass_close_and_do_not_touch():
    paths = walked([[(0, 0), (8, 0)], [(8, 0), (0, 0)]])
    assert 0.44 - 0.006 <= apart(paths, 0, 1).min() < 0.5
    assert (paths[-1, :, 6] == 0).all()


@pytest.mark.parametrize("seed", range(4))
def test_a_crowd_that_crosses_gets_through_and_nobody_walks_through_anybody(seed):
    chance = np.random.default_rng(seed)
    angles = np.arange(10) * 0.628 + chance.uniform(0, 0.4, 10)
    around = 4 * np.column_stack([np.cos(angles), np.sin(angles)])
    paths = walked([[a, -a] for a in around], steps=900)
    assert min(apart(paths, one, other).min() for one, other in combinations(range(10), 2)) >= 0.44 - 0.03
    assert (paths[-1, :, 6] == 0).all()


def test_one_walks_around_what_stands_in_the_way():
    path = walked([[(0, 0), (6, 0.02)]], np.array([[3.0, 0.0, 0.5]]))[:, 0]
    there = path[path[:, 6] > 0]
    assert np.linalg.norm(there[:, :2] - (3, 0), axis=1).min() >= 0.72 - 0.01
    assert path[-1, 6] == 0


def test_one_who_waits_stands_still_for_as_long_and_looks_where_they_should():
    path = walked([[(0, 0), (2, 0), (2, 3)]], waits=4.0, steps=400)[:, 0]
    still = (path[:, 6] > 0) & (path[:, 3] < 0.02) & (path[:, 0] > 1)
    assert still.sum() * STEP_S == pytest.approx(4.0, abs=1.2)
    assert path[still][-1, 2] == pytest.approx(0.0, abs=0.1)


def test_nobody_comes_into_view_out_of_nothing():
    for zone in zones_of(cameras()):
        columns = np.array([(*gate, z) for gate in zone.gates for z in (0.0, 0.9, 1.9)])
        assert not any(seen_by(camera, columns).any() for camera in cameras())


def test_a_camera_that_sees_no_floor_is_an_error():
    flat_up = cameras()[0]
    up = flat_up.eye.camera_from_world * np.array([[1], [-1], [-1]])
    with pytest.raises(ValueError, match="sees too little of the floor"):
        zones_of([flat_up, type(flat_up)(flat_up.eye._replace(camera_from_world=up), 640, 480)])


def test_in_the_demonstration_nobody_overlaps_anybody():
    scene = demo()
    room = [person.radius_m for person in scene.people]
    for one, other in combinations(range(12), 2):
        assert apart(scene.paths, one, other).min(initial=9.0) >= room[one] + room[other] - 0.03


@pytest.mark.parametrize("seed", [3, 1234567, 99999999999])
def test_any_seed_gives_a_walk_that_is_hard_enough(seed):
    scene = demo(seed=seed)
    paths = scene.paths[int(BEFORE_S / STEP_S) : -int(AFTER_S / STEP_S) : EVERY]
    assert shortfall(scene.people, cameras(), paths) == 0


def test_a_walk_in_which_nobody_moves_is_not_hard_enough():
    scene = demo()
    paths = np.repeat(scene.paths[400:401], 200, axis=0)
    assert shortfall(scene.people, cameras(), paths) > PASSES


@pytest.mark.parametrize(("people", "seconds"), [(0, 10.0), (1, 0.1), (3, 1.0), (40, 20.0)])
def test_few_or_many_people_and_short_times_work(people, seconds):
    scene = scene_of(cameras(), people, seconds, 5)
    seen = heads_of(scene.people, cameras(), scene.paths)
    assert seen.views.shape == (4, len(scene.paths), people)
    assert people == 0 or seen.present[int(BEFORE_S / STEP_S) :].any()
