"""Whom a vector is like: the same as a plain product finds, whoever came and went before, and nothing is left of who goes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.index import sketches as of_bits
from engines.index.gallery import EXACT, Gallery
from engines.index.sketches import BLOCK, FAR, Sketches


def unit(vectors):
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


def people(count, dimension=96, each=3, seed=0):
    """Vectors of each, and one more to ask with."""
    chance = np.random.default_rng(seed)
    middle = chance.standard_normal((count, 1, dimension))
    vectors = unit(middle + 0.5 * chance.standard_normal((count, each + 1, dimension)))
    return vectors[:, :each], vectors[:, each]


def filled(vectors):
    gallery = Gallery(vectors.shape[-1])
    for number, some in enumerate(vectors):
        gallery.put(f"P-{number}", some)
    return gallery


@pytest.mark.parametrize("count", [50, 3000])
def test_finds_whom_a_plain_product_finds(count):
    vectors, queries = people(count)
    truth = (queries @ vectors.reshape(-1, 96).T).reshape(count, count, -1).max(axis=2)
    found = filled(vectors).like(queries, most=2)
    assert (
        np.mean([those[0][0] == f"P-{best}" for those, best in zip(found, truth.argmax(1), strict=True)])
        > 0.995
    )
    assert [those[0][1] for those in found] == pytest.approx(truth.max(axis=1), abs=1e-5)
    assert all(one[1] >= other[1] for one, other in found if other)


def test_who_is_put_again_looks_like_that_alone_and_who_is_removed_is_not_found():
    vectors, queries = people(400)
    gallery = filled(vectors)
    gallery.put("P-7", vectors[8])
    gallery.remove("P-8")
    assert [one[0][0] for one in gallery.like(queries[8:9])] == ["P-7"]
    assert all(name != "P-7" for name, _ in gallery.like(queries[7:8], most=3)[0])
    assert len(gallery) == 3 * 399


def test_knows_nobody_where_there_is_nobody_or_nobody_alike():
    assert Gallery(8).like(np.eye(8, dtype=np.float32)[:2]) == [[], []]
    vectors, _ = people(400)
    _, strangers = people(3, seed=9)
    assert all(one == [] or one[0][1] < 0.5 for one in filled(vectors).like(strangers))


def test_what_is_found_does_not_depend_on_who_came_when():
    vectors, queries = people(600, each=2)
    straight, winding = filled(vectors), Gallery(96)
    for number in np.random.default_rng(1).permutation(600).tolist():
        winding.put(f"gone-{number}", vectors[number][::-1])
        winding.put(f"P-{number}", vectors[number])
        if number % 3:
            winding.remove(f"gone-{number}")
    for number in range(600):
        winding.remove(f"gone-{number}")
    assert winding.like(queries, most=5) == straight.like(queries, most=5)


def test_nothing_is_left_of_who_is_removed():
    vectors, _ = people(EXACT)
    gallery = filled(vectors)
    for number in range(1, EXACT):
        gallery.remove(f"P-{number}")
    assert np.count_nonzero(gallery._vectors.any(axis=1)) == 3
    assert np.count_nonzero(gallery._sketches._blocks.any(axis=1)) == 3


def test_a_gallery_that_grows_leaves_nothing_behind():
    vectors, _ = people(BLOCK)
    gallery = filled(vectors[: BLOCK // 3])
    old = gallery._vectors, gallery._sketches._blocks
    for number, some in enumerate(vectors):
        gallery.put(f"Q-{number}", some)
    assert old[0] is not gallery._vectors
    assert old[1] is not gallery._sketches._blocks
    assert not any(one.any() for one in old)


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 4000),
    st.integers(1, 40),
    st.integers(0, 5),
    st.sampled_from([8, 96, 512, 740, 1500]),
    st.sampled_from([1, of_bits.SHARE]),
)
def test_the_nearest_rows_are_those_whose_bits_differ_least(count, least, copies, dimension, share):
    chance = np.random.default_rng(count)
    vectors = unit(chance.standard_normal((count, dimension)) + 2 * chance.standard_normal(dimension))
    vectors = np.concatenate([vectors, *[vectors[:7]] * copies])
    sketches = Sketches(dimension)
    bits = sketches.of(vectors)
    sketches.put(np.arange(len(vectors)), bits)
    gone = np.arange(0, len(vectors), 5)
    sketches.remove(gone)
    asked = sketches.of(vectors[:3])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(of_bits, "SHARE", share)  # of one block: several threads
        rows, counts = sketches.near(asked, least)
    away = np.bitwise_count(asked[:, None] ^ bits).sum(axis=2).astype(int)
    away[:, gone] = 1 << 20
    assert counts.sum() == len(rows)
    for one, found in zip(away, np.split(rows, np.cumsum(counts)[:-1]), strict=True):
        most = min(np.sort(one)[: least + 1][min(least, len(one)) - 1], int(FAR * 64 * bits.shape[1]))
        assert set(found.tolist()) == set(np.flatnonzero(one <= most).tolist())


@pytest.mark.parametrize("share", [1, of_bits.SHARE])
def test_a_vector_that_is_there_a_thousand_times_is_found_each_time(share, monkeypatch):
    monkeypatch.setattr(of_bits, "SHARE", share)
    sketches = Sketches(64)
    bits = sketches.of(np.tile(unit(np.arange(1.0, 65.0)), (5000, 1)))
    sketches.put(np.arange(5000), bits)
    rows, counts = sketches.near(bits[:2], 3)
    assert counts.tolist() == [5000, 5000]
    assert sorted(rows[:5000].tolist()) == list(range(5000))


def test_bits_are_the_same_on_every_machine():
    sketch = Sketches(6).of(np.array([[1, -2, 3, 0.5, 0, 7]], np.float32))
    assert [f"{word:016x}" for word in sketch[0, :2].tolist()] == ["a8b8bd0266181ce7", "e21ddb669a185eff"]
