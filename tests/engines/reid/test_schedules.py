"""Learning rates at the epochs that can be worked out by hand."""

from math import cos, pi

import pytest

from engines.reid.schedules import (
    fast_reid,
    transreid_cosine,
    warm_up_then_cosine,
    warm_up_then_half,
    warm_up_then_steps,
)


def test_steps_come_after_a_linear_warm_up():
    rate = warm_up_then_steps(1.0, (30, 50))
    assert [rate(epoch) for epoch in (0, 5, 10, 29, 30, 49, 50, 59)] == pytest.approx(
        [0.1, 0.55, 1, 1, 0.1, 0.1, 0.01, 0.01]
    )


def test_the_cosine_is_taken_at_the_epoch_since_the_beginning():
    rate = warm_up_then_cosine(3.5e-4, 120)
    assert [rate(0), rate(1), rate(4)] == pytest.approx([1e-5, 1e-5 + 3.4e-4 / 5, 1e-5 + 4 * 3.4e-4 / 5])
    assert rate(5) == pytest.approx(1e-6 + 3.49e-4 * (1 + cos(pi * 5 / 120)) / 2)
    assert rate(5) < 3.5e-4
    assert rate(60) == pytest.approx(1e-6 + 3.49e-4 / 2)
    assert rate(120) == rate(200) == pytest.approx(1e-6)


def test_transreids_ends_at_two_thousandths():
    rate = transreid_cosine(0.008, 120)
    assert rate(0) == pytest.approx(0.00008)
    assert rate(120) == pytest.approx(0.002 * 0.008)


def test_fast_reids_changes_with_iterations_and_then_with_epochs():
    rate = fast_reid(1.0, epochs=30, epoch_length=100)
    assert [rate(0), rate(1000), rate(2000)] == pytest.approx([0.01, 0.505, 1.0])
    assert rate(2599) == rate(2500) < rate(2499)
    assert rate(3000) == pytest.approx(1.6e-6)


def test_sagas_ends_at_a_half():
    rate = warm_up_then_half(2e-4, 80)
    assert [rate(0), rate(5), rate(80), rate(90)] == pytest.approx([2e-5, 2e-4, 1e-4, 1e-4])
    assert rate(5) > rate(6) > rate(42) > rate(79) > 1e-4
