"""What stands before people of training like furniture: where it is, what it looks like, and that people behind it are
said to be hidden.
"""

import numpy as np
import pytest

from engines.reid.covered import Covers
from engines.reid.furniture import counter, pillar, surface

SIZE = 64, 32


def drawn(make, count=200):
    random = np.random.default_rng(0)
    return [make(SIZE, random) for _ in range(count)]


def test_below_a_counters_line_is_counter_down_to_the_bottom():
    made = drawn(counter)
    for there, _ in made:
        assert (np.diff(there, axis=0) >= 0).all()
    whole = [bool((there[-1] > 0.5).all()) for there, _ in made]
    assert 0.4 < np.mean(whole) < 0.9  # others end somewhere in the picture


def test_a_pillar_is_of_one_piece_and_mostly_goes_from_top_to_bottom():
    made = drawn(pillar)
    for there, _ in made:
        assert (np.abs(np.diff(there > 0.5, axis=1).astype(int)).sum(axis=1) <= 2).all()
    assert 0.4 < np.mean([bool((there > 0.5).any(axis=1).all()) for there, _ in made]) < 0.8


@pytest.mark.parametrize("make", [counter, pillar])
def test_furniture_covers_little_or_much(make):
    shares = [there.mean() for there, _ in drawn(make)]
    assert np.quantile(shares, 0.1) < 0.15 and np.quantile(shares, 0.9) > 0.45


def test_edges_are_sharp_or_soft():
    between = [((there > 0) & (there < 1)).sum() for there, _ in drawn(counter)]
    assert min(between) < 16 and max(between) > 64


def test_a_surface_is_of_its_color_here_lighter_and_there_darker():
    random, color = np.random.default_rng(0), np.array([120, 60, 30], np.uint8)
    _, within = counter(SIZE, random)
    made = np.stack([surface(color, within, random) for _ in range(50)]).astype(float)
    assert made.mean(axis=(0, 1, 2)) == pytest.approx(color, rel=0.1)
    assert np.ptp(made.mean(axis=(1, 2, 3))) > 5 and made.std(axis=(1, 2)).mean() > 3


def test_people_are_covered_by_furniture_too():
    """Where all pictures are of one colour, pieces and people make no other, and noise makes any; furniture shades it."""
    color = np.array([30, 60, 90], np.uint8)
    covers = Covers(np.tile(color, (3, *SIZE, 1)), np.ones((3, *SIZE), bool))
    random, is_shaded = np.random.default_rng(0), []
    for _ in range(200):
        one = covers.drawn(0, 1.0, random)
        shades = one.picture[~one.shows] / color
        is_shaded.append(shades.std() > 0.01 and bool((np.ptp(shades, axis=1) < 0.1).all()))
    assert 0.15 < np.mean(is_shaded) < 0.4
