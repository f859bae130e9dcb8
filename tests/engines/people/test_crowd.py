"""Who is there: as many as asked for, all kinds, and look-alikes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.people.body import BOTTOM, HAIR, SHOE, TOP
from engines.people.crowd import ROLES, crowd_of

crowds = given(st.integers(0, 60), st.integers(0, 1 << 40))


@crowds
@settings(max_examples=50, deadline=None)
def test_there_are_as_many_as_asked_for_and_a_third_are_pairs_of_look_alikes(people, seed):
    crowd = crowd_of(people, seed)
    assert [person.number for person in crowd] == list(range(1, people + 1))
    pairs = {frozenset((p.number, p.look_alike_of)) for p in crowd if p.look_alike_of}
    assert all(len(pair) == 2 for pair in pairs)
    able = sum(not {"child", "wheelchair"} & set(person.roles) for person in crowd)
    assert len(pairs) == min(people // 3, able // 2)


@crowds
@settings(max_examples=50, deadline=None)
def test_look_alikes_wear_the_same_and_differ_in_stature_and_hair(people, seed):
    crowd = crowd_of(people, seed)
    for person in crowd:
        other = crowd[person.look_alike_of - 1]
        if not person.look_alike_of:
            continue
        assert other.look_alike_of == person.number
        assert (person.outfit.top, person.outfit.bottom) == (other.outfit.top, other.outfit.bottom)
        for part in (TOP, BOTTOM, SHOE):
            one, two = person.materials[part], other.materials[part]
            assert one.pattern == two.pattern and one.color == pytest.approx(two.color, rel=0.12)
        assert abs(person.body.stature - other.body.stature) >= 0.059
        assert person.outfit.hair != other.outfit.hair


@given(st.integers(0, 1 << 40))
@settings(max_examples=50, deadline=None)
def test_among_twelve_there_is_one_of_each_kind_and_two_walk_with_a_friend(seed):
    crowd = crowd_of(12, seed)
    roles = [role for person in crowd for role in person.roles]
    assert sorted(roles) == sorted(ROLES)
    child = next(person for person in crowd if "child" in person.roles)
    assert child.body.stature < 1.4 and child.friend
    assert sum(person.friend > 0 for person in crowd) == 4
    for person in crowd:
        if person.friend:
            assert crowd[person.friend - 1].friend == person.number
            assert crowd[person.friend - 1].speed_m_s == person.speed_m_s


def test_another_seed_makes_other_people():
    looks = {
        tuple(p.materials[HAIR].color + p.materials[TOP].color for p in crowd_of(5, seed))
        for seed in range(9)
    }
    assert len(looks) == 9
