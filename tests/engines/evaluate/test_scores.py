"""Scores of sequences so small that they can be worked out by hand."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.evaluate.clear import clear
from engines.evaluate.hota import ALPHAS, hota
from engines.evaluate.identity import identity
from engines.evaluate.scores import scored
from engines.evaluate.sequence import Sequence, matched, strung


def sequence(*frames):
    """Frames of true ids and said ids; the similarity is 1 where `same` pairs them, and 0 elsewhere."""
    return Sequence.of(
        (np.array(truth, int), np.array(said, int), np.array(alike, float).reshape(len(truth), len(said)))
        for truth, said, alike in frames
    )


ONE_CHANGES_ITS_ID = sequence(*[([1], [5], 1.0)] * 3, ([1], [6], 1.0))


def test_who_changes_its_id_once_in_four_frames():
    # 3 frames by 5, 1 by 6: A(c) is 3/4 three times and 1/4 once
    scores = scored(ONE_CHANGES_ITS_ID)
    assert scores.clear.switches == 1
    assert scores.clear.mota == (4 - 0 - 1) / 4
    assert (scores.identity.true_positives, scores.identity.false_negatives) == (3, 1)
    assert scores.identity.idf1 == 3 / 4
    assert np.allclose(scores.hota.ass_a, (3 * 3 / 4 + 1 / 4) / 4)
    assert scores.hota.score == pytest.approx(np.sqrt(2.5 / 4))


def test_a_detection_counts_up_to_the_alpha_that_it_reaches():
    scores = hota(sequence(([1], [5], 0.6), ([2], [], [])))
    assert scores.true_positives.tolist() == [1] * 12 + [0] * 7  # 0.05 to 0.60
    assert scores.det_a.tolist() == [0.5] * 12 + [0.0] * 7
    assert np.allclose(scores.loc_a, np.where(ALPHAS < 0.61, 0.6, 1.0))


def test_a_miss_and_a_false_alarm_cost_the_same_and_a_gap_is_a_fragment():
    scores = clear(sequence(([1], [5], 1.0), ([1], [5], 0.4), ([1], [5], 1.0)))
    assert (scores.true_positives, scores.false_negatives, scores.false_positives) == (2, 1, 1)
    assert (scores.fragmentations, scores.switches) == (1, 0)
    assert scores.mota == pytest.approx((2 - 1) / 3)
    assert scores.motp == 1.0


def test_who_was_matched_before_stays_matched_though_another_is_closer():
    scores = clear(sequence(([1], [5], 0.9), ([1], [5, 6], [0.6, 0.9])))
    assert scores.switches == 0
    assert scores.motp == pytest.approx((0.9 + 0.6) / 2)


def test_lives_are_mostly_tracked_partly_tracked_or_mostly_lost():
    frames = [([1, 2, 3], [1] + [2] * (t < 5), np.eye(3)[:, : 1 + (t < 5)]) for t in range(10)]
    scores = clear(sequence(*frames))
    assert (scores.mostly_tracked, scores.partly_tracked, scores.mostly_lost) == (1, 1, 1)


def test_an_identity_is_matched_to_one_person_only():
    scores = identity(sequence(*[([1], [5], 1.0)] * 2, *[([2], [5], 1.0)] * 3))
    assert (scores.true_positives, scores.false_negatives, scores.false_positives) == (3, 2, 2)
    assert (scores.precision, scores.recall) == (3 / 5, 3 / 5)


@pytest.mark.parametrize(
    ("frames", "misses", "alarms"),
    [((), 0, 0), ((([], [], []),), 0, 0), ((([1, 2], [], []),), 2, 0), ((([], [1], []),), 0, 1)],
)
def test_nothing_there_or_nothing_said_scores_nothing(frames, misses, alarms):
    scores = scored(sequence(*frames))
    assert (scores.hota.score, scores.clear.mota, scores.identity.idf1) == (0, 0, 0)
    assert (scores.clear.false_negatives, scores.clear.false_positives) == (misses, alarms)
    assert (scores.identity.false_negatives, scores.identity.false_positives) == (misses, alarms)
    assert (scores.hota.false_negatives[0], scores.hota.false_positives[0]) == (misses, alarms)


def test_the_sum_of_scores_is_that_of_their_counts():
    found, missed = scored(sequence(([1], [5], 0.8))), scored(sequence(([1], [], []), ([1], [], [])))
    both = found + missed
    assert both.clear.mota == pytest.approx(1 / 3)
    assert both.identity.idf1 == pytest.approx(1 / (1 + 0.5 * 2))
    assert both.hota.ass_a[0] == 1.0
    assert both.hota.det_a[0] == pytest.approx(1 / 3)


def test_cameras_strung_into_one_sequence_score_one_identity_across_them():
    a, b = sequence(*[([1], [5], 1.0)] * 3), sequence(*[([1], [6], 1.0)] * 3)
    assert (identity(a) + identity(b)).idf1 == 1.0
    assert identity(strung([a, b])).idf1 == 0.5
    assert identity(strung([a, replace(b, said=a.said)])).idf1 == 1.0


def test_matches_are_those_whose_similarity_is_greatest_together():
    rows, columns = matched(np.array([[0.9, 0.8], [0.8, 0.1]]))
    assert (rows.tolist(), columns.tolist()) == ([0, 1], [1, 0])


def test_nothing_below_the_threshold_is_matched_but_what_rounding_has_put_there_is():
    assert matched(np.array([[0.5 - 1e-6]]))[0].tolist() == []
    assert matched(np.array([[0.5 - 1e-16]]))[0].tolist() == [0]


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (([1, 1], [5], np.ones((2, 1))), r"truth\[0\] must hold an id at most once, got \[1, 1\]"),
        (([1], [5, 5], np.ones((1, 2))), r"said\[0\] must hold an id at most once"),
        (([1], [5], [np.nan]), "similarities must be from 0 to 1"),
        (([1], [5], [1.1]), "similarities must be from 0 to 1"),
    ],
)
def test_a_sequence_that_cannot_be_scored_is_refused(frame, words):
    with pytest.raises(ValueError, match=words):
        sequence(frame)


def test_a_similarity_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"similarities\[0\] must have shape \(1, 1\), got \(1, 2\)"):
        Sequence((np.array([1]),), (np.array([2]),), (np.ones((1, 2)),))


IDS = st.lists(st.integers(0, 4), unique=True, max_size=4)
FRAMES = st.lists(st.tuples(IDS, IDS, st.integers(0, 2**32 - 1)), max_size=8)


def drawn(frames):
    return sequence(
        *(
            (truth, said, np.random.default_rng(seed).integers(0, 11, (len(truth), len(said))) / 10)
            for truth, said, seed in frames
        )
    )


@given(FRAMES)
def test_scores_lie_between_0_and_1_and_count_every_row(frames):
    drawn_sequence = drawn(frames)
    scores = scored(drawn_sequence)
    assert 0 <= scores.hota.score <= 1 and 0 <= scores.identity.idf1 <= 1 and scores.clear.mota <= 1
    rows = sum(map(len, drawn_sequence.truth))
    for family in (scores.hota, scores.clear, scores.identity):
        assert np.all(family.true_positives + family.false_negatives == rows)


@given(FRAMES, st.permutations([-7, 90, 3, 10**12, 0]))
def test_other_names_for_the_same_ids_change_nothing(frames, names):
    before = drawn(frames)
    after = replace(before, truth=tuple(np.array(names)[ids] for ids in before.truth))
    assert np.allclose(scored(before).hota.hota, scored(after).hota.hota)
    assert repr(scored(before).clear) == repr(scored(after).clear)


@given(FRAMES)
def test_the_truth_itself_scores_1(frames):
    before = drawn(frames)
    perfect = replace(before, said=before.truth, similarities=tuple(np.eye(len(ids)) for ids in before.truth))
    if sum(map(len, before.truth)):
        scores = scored(perfect)
        assert scores.hota.score == pytest.approx(1)
        assert (scores.clear.mota, scores.identity.idf1, scores.clear.switches) == (1, 1, 0)
