"""What batches are made of, for any people and cameras."""

from collections import Counter
from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.build import InputError
from engines.reid.samplers import People, PeopleAcrossCameras, PeopleInTwoModalities, Shuffled, endless


def drawn(sampler, seed=0):
    return [batch.tolist() for batch in sampler(np.random.default_rng(seed))]


@settings(max_examples=60, deadline=None)
@given(
    counts=st.lists(st.integers(1, 11), min_size=3, max_size=8),
    each=st.integers(1, 4),
    seed=st.integers(0, 99),
)
def test_a_batch_is_so_many_people_with_so_many_samples_each(counts, each, seed):
    people = np.repeat(np.arange(len(counts)) * 7, counts)
    sampler = People(people.tolist(), 3, each)
    batches = drawn(sampler, seed)
    assert batches
    for batch in batches:
        assert sorted(Counter(people[batch]).values()) == [each] * 3
        blocks = people[batch].reshape(3, each)
        assert (blocks == blocks[:, :1]).all()
    assert sampler.length == sum(max(count, each) - max(count, each) % each for count in counts)
    assert sum(map(len, batches)) <= sampler.length
    enough = [index for index in np.concatenate(batches) if counts[people[index] // 7] >= each]
    assert len(enough) == len(set(enough))  # nothing twice of whoever has enough


def test_all_are_drawn_where_everybody_is_in_every_batch():
    sampler = People(np.repeat(range(6), 9).tolist(), 6, 4)
    assert sampler.length == sum(map(len, drawn(sampler))) == 6 * 8


def test_an_epoch_can_be_drawn_again_and_another_is_another():
    sampler = People(np.repeat(range(6), 9).tolist(), 3, 4)
    assert drawn(sampler, 5) == drawn(sampler, 5) != drawn(sampler, 6)


def test_a_batch_of_more_people_than_there_are_cannot_be_drawn():
    with pytest.raises(InputError, match="a batch of 4 people cannot be drawn, there are 3 .*ask for fewer"):
        People([1, 1, 2, 3], 4, 2)
    with pytest.raises(InputError, match="there are 1"):
        People([5, 5, 5], 1, 2)


def test_across_cameras_a_person_is_shown_by_as_many_as_can_be():
    people, cameras = [0] * 8 + [1] * 8, [0, 0, 0, 0, 0, 1, 2, 3] * 2
    for batch in drawn(PeopleAcrossCameras(people, cameras, 2, 4))[:1]:
        shown = np.array(cameras)[batch].reshape(2, 4)
        assert [sorted(row) for row in shown.tolist()] == [[0, 1, 2, 3]] * 2


def test_both_modalities_show_the_same_people_in_the_same_order():
    people = [0, 0, 0, 1, 1, 1, 2, 2, 2, 0, 1, 2, 3]
    infrared = [False] * 9 + [True] * 3 + [True]
    for batch in drawn(PeopleInTwoModalities(people, infrared, 2, 3)):
        who, kind = np.array(people)[batch], np.array(infrared)[batch]
        assert kind.tolist() == [False] * 6 + [True] * 6
        assert who[:6].tolist() == who[6:].tolist()
        assert 3 not in who  # who is seen in one modality alone
    with pytest.raises(InputError, match="4 people in both modalities cannot be drawn, there are 3"):
        PeopleInTwoModalities(people, infrared, 4, 3)


def test_shuffled_has_everything_once_or_leaves_what_fills_no_batch():
    whole, cut = drawn(Shuffled(10, 4)), drawn(Shuffled(10, 4, is_last_kept=False))
    assert sorted(sum(whole, [])) == list(range(10)) and [len(batch) for batch in whole] == [4, 4, 2]
    assert [len(batch) for batch in cut] == [4, 4]
    assert [len(batch) for batch in drawn(Shuffled(8, 4))] == [4, 4]  # and no empty one
    with pytest.raises(InputError, match="a batch of 4 cannot be drawn from 3 samples"):
        Shuffled(3, 4, is_last_kept=False)


def test_endless_goes_on_where_an_epoch_ends():
    batches = list(islice(endless(Shuffled(4, 2), np.random.default_rng(0)), 6))
    for epoch in range(3):
        assert sorted(np.concatenate(batches[2 * epoch : 2 * epoch + 2]).tolist()) == [0, 1, 2, 3]
