"""Comparing people of whom part is hidden: the same answers as the formula, written down plainly."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.index import masked
from engines.index.masked import Shown, best, between, masked_cosines

WIDTH = 24


def vectors(random, count, width=WIDTH):
    some = random.standard_normal((count, width)).astype(np.float32)
    return some / np.linalg.norm(some, axis=1, keepdims=True)


def plainly(query, visibility, other):
    """The cosine of q and m * g, number by number."""
    mask = [visibility[i * len(visibility) // len(query)] for i in range(len(query))]
    seen = [m * g for m, g in zip(mask, other.tolist(), strict=True)]
    length = sum(one * one for one in seen) ** 0.5 * float(np.linalg.norm(query.astype(np.float64)))
    return sum(q * s for q, s in zip(query.tolist(), seen, strict=True)) / length if length > 1e-6 else 0.0


@settings(deadline=None, max_examples=60)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 5),
    st.integers(1, 40),
    st.sampled_from([1, 4, WIDTH]),
    st.integers(1, 6),
)
def test_the_best_are_those_of_the_formula(seed, asked, there, parts, most):
    random = np.random.default_rng(seed)
    queries, gallery = vectors(random, asked), vectors(random, there)
    visibility = random.random((asked, parts)).astype(np.float32)
    found = best(queries, visibility, gallery, most)
    for one in range(asked):
        scores = np.array([plainly(queries[one], visibility[one], other) for other in gallery])
        wanted = np.sort(scores)[::-1][:most]
        rows = found.rows[one][: len(wanted)]
        assert found.scores[one][: len(wanted)] == pytest.approx(wanted, abs=2e-5)
        assert scores[rows] == pytest.approx(wanted, abs=2e-5)
        assert (found.rows[one][len(wanted) :] == -1).all()


def test_all_scores_at_once_are_those_of_the_formula():
    random = np.random.default_rng(1)
    queries, gallery, visibility = vectors(random, 7), vectors(random, 9), random.random((7, 4))
    wanted = [[plainly(q, v, g) for g in gallery] for q, v in zip(queries, visibility, strict=True)]
    assert masked_cosines(queries, visibility, gallery) == pytest.approx(np.array(wanted), abs=1e-5)


@pytest.mark.parametrize("level", [1.0, 0.5, 0.01])
def test_a_mask_that_is_the_same_everywhere_changes_nothing(level):
    random = np.random.default_rng(2)
    queries, gallery = vectors(random, 5), vectors(random, 50)
    made = masked_cosines(queries, np.full((5, WIDTH), level), gallery)
    assert made == pytest.approx(queries @ gallery.T, abs=1e-5)
    found = best(queries, np.full((5, 1), level), gallery, 50)
    assert (found.rows == np.argsort(-np.round(queries @ gallery.T, 5), axis=1, kind="stable")).all()


def test_only_the_shortlist_is_looked_at_through_the_mask():
    """Whoever is like what shows, and unlike all else, is found only if the plain score lets them through."""
    query = np.full(WIDTH, WIDTH**-0.5, np.float32)
    hidden = np.where(np.arange(WIDTH) < 6, 1.0, -1.0).astype(np.float32) * WIDTH**-0.5
    random = np.random.default_rng(3)
    others = query + 0.1 * random.standard_normal((30, WIDTH)).astype(np.float32)
    gallery = np.vstack([hidden, others / np.linalg.norm(others, axis=1, keepdims=True)]).astype(np.float32)
    shown = np.repeat([[1.0, 0, 0, 0]], 1, axis=0)
    assert best(query[None], shown, gallery).rows.tolist() == [[0]]
    assert best(query[None], shown, gallery, shortlist=10).rows[0, 0] != 0


def test_a_query_that_shows_enough_is_answered_by_the_plain_cosine():
    random = np.random.default_rng(4)
    queries, gallery = vectors(random, 2), vectors(random, 30)
    visibility = np.array([[1.0, 0.2], [0.9, 0.9]])
    found = best(queries, visibility, gallery, masked_below=0.8)
    assert found.scores[0, 0] == pytest.approx(
        masked_cosines(queries, visibility, gallery)[0].max(), abs=1e-5
    )
    assert found.scores[1, 0] == pytest.approx((queries[1] @ gallery.T).max(), abs=1e-5)
    assert found.scores[0, 0] != pytest.approx((queries[0] @ gallery.T).max(), abs=1e-3)


def test_who_shows_nothing_is_like_nobody():
    random = np.random.default_rng(5)
    queries, gallery = vectors(random, 1), vectors(random, 3)
    found = best(queries, np.zeros((1, 4)), gallery, 2)
    assert found.rows.tolist() == [[0, 1]] and found.scores.tolist() == [[0, 0]]
    assert masked_cosines(queries, np.zeros((1, 4)), gallery).tolist() == [[0, 0, 0]]


def test_an_empty_gallery_has_nobody():
    found = best(vectors(np.random.default_rng(6), 2), np.ones((2, 1)), np.empty((0, WIDTH), np.float32), 3)
    assert found.rows.tolist() == [[-1] * 3] * 2 and found.scores.tolist() == [[0] * 3] * 2
    nobody = best(np.empty((0, WIDTH), np.float32), np.empty((0, 4)), np.empty((5, WIDTH), np.float32))
    assert nobody.rows.shape == (0, 1)


def test_who_else_is_there_changes_no_score():
    random = np.random.default_rng(7)
    queries, gallery, visibility = vectors(random, 3), vectors(random, 1500), random.random((3, WIDTH))
    scores = []
    for there in (700, 701, 1024, 1500):
        found = best(queries, visibility, gallery[:there], there, there)
        scores.append(found.scores[:, np.argsort(found.rows[0])][:1, :700])
    assert all((one == scores[0]).all() for one in scores)


def test_of_the_same_score_the_first_is_the_nearer():
    vector = vectors(np.random.default_rng(8), 1)
    found = best(vector, np.full((1, 4), 0.5), np.repeat(vector, 300, axis=0), 3)
    assert found.rows.tolist() == [[0, 1, 2]]


@pytest.mark.parametrize(
    ("visibility", "said"),
    [
        (np.ones((2, 4)), "visibility must be \\(1, parts\\)"),
        (np.ones((1, 5)), "visibility must be \\(1, parts\\) of vectors of 24 numbers, is \\(1, 5\\)"),
        (np.ones(4), "visibility must be"),
        (np.ones((1, 0)), "visibility must be"),
        (np.array([[0.5, np.nan]]), "visibility must be from 0 to 1"),
        (np.array([[0.5, 1.1]]), "visibility must be from 0 to 1"),
    ],
)
def test_a_mask_of_something_else_is_refused(visibility, said):
    some = vectors(np.random.default_rng(9), 1)
    for asked in (lambda: best(some, visibility, some), lambda: masked_cosines(some, visibility, some)):
        with pytest.raises(ValueError, match=said):
            asked()


def test_a_gallery_of_another_model_and_a_list_too_short_are_refused():
    some = vectors(np.random.default_rng(9), 1)
    with pytest.raises(ValueError, match="the gallery must be of 24 numbers each, is \\(1, 6\\)"):
        best(some, np.ones((1, 1)), some[:, :6])
    with pytest.raises(ValueError, match="got 5 and 4"):
        best(some, np.ones((1, 1)), some, 5, 4)


def plainly_between(one, mask, other, other_mask):
    """The cosine in which each number counts for as much as both show of it, number by number."""
    both = [m * n for m, n in zip(mask.tolist(), other_mask.tolist(), strict=True)]
    product = sum(w * a * b for w, a, b in zip(both, one.tolist(), other.tolist(), strict=True))
    lengths = [sum(w * a * a for w, a in zip(both, some.tolist(), strict=True)) for some in (one, other)]
    return product / (lengths[0] * lengths[1]) ** 0.5


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(1, 30))
def test_of_two_who_were_both_seen_what_both_show_counts(seed, some, others):
    random = np.random.default_rng(seed)
    one = Shown(vectors(random, some), random.random((some, WIDTH)).astype(np.float32))
    other = Shown(vectors(random, others), random.random((others, WIDTH)).astype(np.float32))
    plain = np.asarray(one.vectors @ other.vectors.T, float)
    wanted = [[plainly_between(*a, *b) for b in zip(*other, strict=True)] for a in zip(*one, strict=True)]
    found = between(one, other, plain)
    assert found == pytest.approx(np.array(wanted), abs=2e-4)
    assert found == pytest.approx(between(other, one, plain.T).T, abs=2e-5)
    assert np.diag(between(one, one, np.eye(some))) == pytest.approx(1.0, abs=1e-5)


def test_of_two_who_show_nothing_of_the_same_nothing_is_said():
    random = np.random.default_rng(12)
    above, below = np.repeat([[1.0, 0.0]], 2, axis=0), np.array([[0.0, 1.0], [0.5, 0.5]])
    one, other = Shown(vectors(random, 2), above), Shown(vectors(random, 2), below)
    found = between(one, other, np.zeros((2, 2)))
    assert np.isnan(found).tolist() == [[True, False], [True, False]]


def test_of_two_who_show_enough_the_plain_cosine_counts_and_of_those_far_off():
    random = np.random.default_rng(13)
    one = Shown(vectors(random, 2), np.array([[1.0, 0.7], [0.9, 0.1]]))
    other = Shown(vectors(random, 3), np.array([[0.9, 0.9], [0.6, 0.5], [0.9, 0.8]]))
    plain = np.full((2, 3), 0.25)
    assert (between(one, other, plain, 0.8) == plain).tolist() == [[True, False, True], [False] * 3]
    many = Shown(vectors(random, 300), np.tile(np.array([[0.9, 0.1]]), (300, 1)))
    plain = np.asarray(one.vectors @ many.vectors.T, float)
    is_near = np.sort(plain, axis=1)[:, [-masked.SHORTLIST]] <= plain
    assert ((between(one, many, plain) != plain) == is_near).all()


def test_what_two_are_to_each_other_does_not_depend_on_who_else_is_there():
    random = np.random.default_rng(14)
    one = Shown(vectors(random, 3), random.random((3, 4)))
    other = Shown(vectors(random, 150), random.random((150, 4)))
    plain = np.asarray(one.vectors @ other.vectors.T, float)
    found = between(one, other, plain)
    for there in (1, 7, 64, 149):
        some = Shown(other.vectors[:there], other.visibility[:there])
        assert (between(one, some, plain[:, :there]) == found[:, :there]).all()


def test_it_is_written_down_how_many_are_looked_at():
    assert masked.SHORTLIST == 200
