"""How sure a decision is said to be."""

import numpy as np
import pytest
from builders import tracklet
from hypothesis import given
from hypothesis import strategies as st

from pipeline.messages import Sighting
from stages._evidence import NEVER
from stages._identity_events import TRUST, WEIGHED, decided

LOOKED = Sighting(tracklet(), np.ones(4, np.float32), 3, "colour")
ODDS = st.floats(-8.0, 16.0)


def said(evidence, of):
    """How likely it is said to be the one of those that `of` numbers; somebody new is the last."""
    return decided(LOOKED, None, evidence[of], np.array(evidence), 9).probability


@given(st.lists(ODDS | st.just(NEVER), max_size=WEIGHED), ODDS)
def test_somebody_it_is_so_that_the_probabilities_of_all_add_up_to_one(known, new):
    evidence = [*known, new]
    assert sum(said(evidence, n) for n in range(len(evidence))) == pytest.approx(1.0, abs=1e-3)


def test_of_two_who_are_as_likely_neither_is_sure_and_evidence_counts_for_less_than_it_adds_up_to():
    assert said([3.0, 3.0, -8.0], 0) == pytest.approx(0.5, abs=1e-3)
    assert said([2.0, 0.0], 0) == pytest.approx(1 / (1 + np.exp(-2.0 * TRUST)), abs=1e-4)
    assert said([2.0, 0.0], 0) < 1 / (1 + np.exp(-2.0))
