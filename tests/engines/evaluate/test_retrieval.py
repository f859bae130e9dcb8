"""mAP, CMC and mINP: by hand, and against a plain and slow way to write them down, with ties and junk."""

import numpy as np
import pytest
from plain_retrieval import plainly, random_case

from engines.evaluate import retrieval
from engines.evaluate.retrieval import distances, everybody, found, nearest_first, other_cameras

CASES = 1000


def scored(table, query, gallery, query_cameras=None, gallery_cameras=None):
    query, gallery = np.array(query), np.array(gallery)
    counts = everybody(gallery)
    if query_cameras is not None:
        counts = other_cameras(query, np.array(query_cameras), gallery, np.array(gallery_cameras))
    return found(nearest_first([np.array(table)]), query, gallery, {"": counts})[""]


def test_equals_the_plain_way_on_random_cases_with_ties_and_junk():
    random = np.random.default_rng(6)
    unfindable = 0
    for _ in range(CASES):
        case = random_case(random)
        ours, (precisions, firsts, inverses) = scored(*case), plainly(*case)
        assert ours.average_precisions == pytest.approx(precisions, abs=1e-12)
        assert ours.first_ranks.tolist() == firsts
        assert ours.inverse_penalties == pytest.approx(inverses, abs=1e-12)
        assert ours.asked == len(case[1])
        unfindable += ours.asked - len(firsts)
        if firsts:
            assert ours.mean_average_precision == pytest.approx(np.mean(precisions))
            assert ours.cmc(5) == pytest.approx(np.mean(np.array(firsts) <= 5))
            assert ours.mean_inverse_penalty == pytest.approx(np.mean(inverses))
    assert unfindable > CASES / 10


def test_a_case_done_by_hand():
    """Gallery: junk of the query's own camera, a distractor (0), the person, somebody else, the person."""
    one = scored([[0.0, 0.1, 0.2, 0.3, 0.4]], [7], [7, 0, 7, 8, 7], [1], [1, 1, 2, 2, 3])
    assert one.pairs == 4
    assert one.average_precisions.tolist() == [(1 / 2 + 2 / 4) / 2]
    assert (one.cmc(1), one.cmc(2), one.mean_inverse_penalty) == (0.0, 1.0, 2 / 4)


def test_of_equal_distances_the_first_in_the_gallery_is_nearer():
    assert scored([[1.0, 1.0, 1.0]], [5], [4, 5, 4]).first_ranks.tolist() == [2]
    assert scored([[1.0, 1.0, 1.0]], [5], [5, 4, 4]).first_ranks.tolist() == [1]


def test_a_query_with_nobody_to_find_is_in_no_mean():
    """The second has only a sight of its own camera, the third none at all."""
    one = scored([[0.0, 1.0]] * 3, [1, 2, 3], [1, 2], [1, 1, 1], [2, 1])
    assert (one.queries.tolist(), one.asked) == ([0], 3)
    assert one.mean_average_precision == one.cmc(1) == 1.0
    nobody = scored([[0.0, 1.0]], [3], [1, 2])
    assert np.isnan([nobody.mean_average_precision, nobody.cmc(10), nobody.mean_inverse_penalty]).all()


@pytest.mark.parametrize("kind", ["cosine", "euclid"])
def test_distances_are_the_same_in_small_blocks(kind, monkeypatch):
    random = np.random.default_rng(1)
    query, gallery = random.normal(size=(23, 16)), random.normal(size=(31, 16))
    (whole,) = distances(query, gallery, kind)
    monkeypatch.setattr(retrieval, "BLOCK", 100)
    blocks = list(distances(query, gallery, kind))
    assert [len(block) for block in blocks] == [3] * 7 + [2]
    assert np.concatenate(blocks) == pytest.approx(whole, abs=1e-6)
    if kind == "cosine":
        query, gallery = (some / np.linalg.norm(some, axis=1, keepdims=True) for some in (query, gallery))
        assert whole == pytest.approx(1 - query @ gallery.T, abs=1e-6)
    else:
        assert whole == pytest.approx(np.linalg.norm(query[:, None] - gallery, axis=2), abs=1e-12)


@pytest.mark.parametrize("kind", ["cosine", "euclid"])
def test_what_is_like_nobody_comes_last(kind):
    gallery = np.array([[np.nan, np.nan], [-1.0, 0.0], [1.0, 0.0]])
    (block,) = distances(np.array([[1.0, 0.0], [np.nan, np.nan]]), gallery, kind)
    assert [order.tolist() for order in nearest_first([block])] == [[2, 1, 0], [0, 1, 2]]


def test_cosine_does_not_ask_how_long_a_vector_is_and_one_of_nothing_is_like_nobody():
    (block,) = distances(np.array([[2.0, 0.0]]), np.array([[9.0, 0.0], [0.0, 0.1], [0.0, 0.0]]), "cosine")
    assert block.tolist() == [[0.0, 1.0, np.inf]]


def test_the_quick_order_of_single_precision_is_the_stable_one():
    random = np.random.default_rng(2)
    for some in (
        [0.0, -0.0, 1e-30, np.inf],
        [-1.0, 3.5, 0.0],
        random.integers(0, 9, 500),
        random.random(5000),
    ):
        row = np.array(some, np.float32)
        (order,) = nearest_first([row[None]])
        assert order.tolist() == np.argsort(row, kind="stable").tolist()
