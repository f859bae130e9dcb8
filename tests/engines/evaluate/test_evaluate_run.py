"""Whole runs against truth: four people-sized numbers at a time, so that each score can be worked out by hand."""

from dataclasses import replace

import numpy as np
import pytest
from scored_run import INTERVAL_NS, SIZE, standing, truth, written

from engines.evaluate.evaluate_run import score_run
from engines.evaluate.evaluation import evaluate
from engines.evaluate.run_folder import CameraRun, Run
from engines.evaluate.run_scores import Rules
from engines.evaluate.tables import table_of_mot, tables_of_run


def run(camera, *rows, frames=10):
    """Rows of frame, tracklet and x in metres."""
    indices = np.arange(frames)
    row_frames, tracklets, x_m = zip(*sorted(rows), strict=True) if rows else ((), (), ())
    x_m = np.array(x_m, float)
    zeros = np.zeros(len(rows))
    corners = np.stack([100 * x_m, zeros, 100 * x_m + SIZE, zeros + SIZE], axis=1)
    floor_m = np.stack([x_m, zeros], axis=1)
    return CameraRun(
        camera, indices, indices * INTERVAL_NS, np.array(row_frames, np.int64), tracklets, corners, floor_m
    )


def scores(truths, runs, identity_of, **rules):
    return score_run(Run({one.camera_id: one for one in runs}, identity_of), truths, Rules(**rules))


def found(tracklet, x_m, frames=range(10)):
    return [(frame, tracklet, x_m) for frame in frames]


def test_a_run_that_says_the_truth_scores_1_in_everything():
    scored = scores(
        [truth("a", *standing(1, 0.0), *standing(2, 3.0)), truth("b", *standing(1, 9.0, range(5, 10)))],
        [run("a", *found("T-1", 0.0), *found("T-2", 3.0)), run("b", *found("T-3", 9.0, range(5, 10)))],
        {"T-1": "P-1", "T-2": "P-2", "T-3": "P-1"},
        min_visit_s=0.4,
    )
    for one in (scored.cameras["a"], scored.cameras["b"], scored.together):
        assert (one.detection.recall, one.detection.precision, one.detection.f1) == (1, 1, 1)
        assert one.detection.median_error_m == 0
        for family in (one.floor, one.boxes, one.tracks):
            assert family.hota.score == pytest.approx(1)
            assert (family.clear.mota, family.clear.switches, family.identity.idf1) == (1, 0, 1)
    said = scored.identities
    assert (said.scores.identity.idf1, said.scores.hota.score) == (1, pytest.approx(1))
    assert (said.people, said.issued, said.per_person, said.of_nobody, said.people_without) == (2, 2, 1, 0, 0)
    assert (said.hand_overs.kept, said.hand_overs.total) == (1, 1)


def test_who_gets_another_identity_in_the_next_camera_scores_1_in_each_and_half_across():
    scored = scores(
        [truth("a", *standing(1, 0.0)), truth("b", *standing(1, 9.0))],
        [run("a", *found("T-1", 0.0)), run("b", *found("T-2", 9.0))],
        {"T-1": "P-1", "T-2": "P-2"},
    )
    assert scored.together.floor.identity.idf1 == 1
    assert scored.identities.scores.identity.idf1 == 0.5
    assert (scored.identities.per_person, scored.identities.hand_overs.share) == (2, 0)


def test_a_person_counts_as_found_within_a_quarter_of_a_metre():
    there = [truth("a", *standing(1, 0.0))]
    near, far = (scores(there, [run("a", *found("T-1", x_m))], {}) for x_m in (0.25, 0.26))
    assert (near.together.detection.recall, near.together.detection.precision) == (1, 1)
    assert (far.together.detection.recall, far.together.detection.precision) == (0, 0)
    assert far.together.detection.median_error_m == pytest.approx(0.26)
    assert far.together.floor.clear.mota == 1


def test_what_is_on_somebody_ignored_neither_gains_nor_costs():
    there = [truth("a", *standing(1, 0.0), *standing(2, 3.0, why="head_outside_picture"))]
    plain = scores(there, [run("a", *found("T-1", 0.0))], {"T-1": "P-1"})
    both = scores(there, [run("a", *found("T-1", 0.0), *found("T-2", 3.3))], {"T-1": "P-1", "T-2": "P-2"})
    for scored in (plain, both):
        assert (scored.together.detection.recall, scored.together.detection.precision) == (1, 1)
        assert scored.together.floor.clear.mota == 1
    assert (plain.rows, dict(plain.ignored)) == (20, {"head_outside_picture": 10})
    assert both.identities.people == 1
    assert both.identities.of_nobody == 0, "it is that person's, who is only not asked about"


def test_a_second_detection_on_somebody_ignored_is_a_false_alarm():
    there = [truth("a", *standing(2, 3.0, why="head_outside_picture"))]
    scored = scores(there, [run("a", *found("T-1", 3.0), *found("T-2", 3.1))], {})
    assert scored.together.detection.false_positives == 10


def test_who_counts_is_matched_before_who_is_ignored():
    there = [truth("a", *standing(1, 0.2), *standing(2, 0.0, why="head_outside_picture"))]
    scored = scores(there, [run("a", *found("T-1", 0.0))], {})
    assert scored.together.detection.recall == 1
    assert scored.together.floor.clear.false_negatives == 0


def test_a_camera_that_said_nothing_missed_everybody():
    scored = scores([truth("a", *standing(1, 0.0)), truth("b", *standing(1, 0.0))], [run("a")], {})
    assert scored.cameras["b"].detection.false_negatives == 10
    assert scored.identities.people_without == 1


def test_a_frame_that_only_the_run_knows_has_nobody_in_it():
    scored = scores([truth("a", *standing(1, 0.0, range(5)))], [run("a", *found("T-1", 0.0))], {})
    assert scored.together.detection.false_positives == 5


def test_identities_that_were_given_to_nobody_count_as_issued():
    scored = scores(
        [truth("a", *standing(1, 0.0), *standing(2, 5.0))],
        [run("a", *found("T-1", 0.0), *found("T-2", 2.0), *found("T-3", 5.0))],
        {"T-1": "P-1", "T-2": "P-2"},
    )
    said = scored.identities
    assert (said.people, said.issued, said.of_nobody, said.unidentified, said.people_without) == (
        2,
        2,
        1,
        1,
        1,
    )


def test_one_identity_for_two_people_in_one_frame_is_right_for_one_of_them():
    scored = scores(
        [truth("a", *standing(1, 0.0), *standing(2, 5.0))],
        [run("a", *found("T-1", 0.0, range(1, 10)), *found("T-2", 5.0))],
        {"T-1": "P-1", "T-2": "P-1"},
    )
    # the elder, T-2, has it in 10 frames, and one frame of T-1's can still be matched
    assert scored.identities.scores.identity.true_positives == 11
    assert (scored.identities.issued, scored.identities.people_without) == (1, 1)
    assert scored.together.floor.clear.switches == 0


def test_who_never_got_an_identity_is_nobody_across_cameras_but_followed_in_its_own():
    there = [truth("a", *standing(1, 0.0), *standing(2, 5.0))]
    scored = scores(there, [run("a", *found("T-1", 0.0), *found("T-2", 5.0))], {})
    assert scored.identities.scores.identity.true_positives == 2
    assert scored.together.floor.identity.idf1 == 1


def test_tracks_alone_are_not_asked_to_know_who_comes_back():
    there = [truth("a", *standing(1, 0.0), *standing(1, 0.0, range(30, 40)))]
    said = [run("a", *found("T-1", 0.0), *found("T-2", 0.0, range(30, 40)), frames=40)]
    scored = scores(there, said, {"T-1": "P-1", "T-2": "P-2"})
    assert scored.together.tracks.identity.idf1 == 1
    assert scored.together.floor.identity.idf1 == 0.5


def test_boxes_and_floor_are_scored_apart():
    said = run("a", *found("T-1", 0.0))
    scored = scores([truth("a", *standing(1, 0.0))], [replace(said, boxes=said.boxes + 100)], {"T-1": "P-1"})
    assert (scored.together.floor.clear.mota, scored.together.boxes.clear.mota) == (1, -1)


def test_a_place_that_is_unknown_is_not_near_anybody():
    said = run("a", *found("T-1", 0.0))
    scored = scores([truth("a", *standing(1, 0.0))], [replace(said, floor_m=said.floor_m * np.nan)], {})
    assert scored.together.detection.recall == 0
    assert scored.together.boxes.clear.recall == 1


def test_the_truth_of_another_recording_is_refused():
    there = truth("a", *standing(1, 0.0))
    late = replace(there, captured_ns=there.captured_ns + 7 * INTERVAL_NS)
    scores([truth("a", *standing(1, 0.0, [3]))], [run("a")], {})
    scores([late], [run("a")], {})  # a clock that is off is no other recording
    with pytest.raises(
        ValueError, match=r"camera 'a': frame 0: run and truth are 0.450 s further apart than"
    ):
        scores([replace(there, captured_ns=there.captured_ns * 2)], [run("a")], {})
    with pytest.raises(
        ValueError, match=r"camera 'b': the run has it, the truth has a; give the truth of the"
    ):
        scores([there], [run("b")], {})


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ({"return_after_s": 0}, "return_after_s must be above 0, got 0"),
        ({"within_m": 1}, "within_m must be below zero_m, 1.0, got 1"),
    ],
)
def test_rules_that_make_no_sense_are_refused(rules, words):
    with pytest.raises(ValueError, match=words):
        Rules(**rules)


def cells(table):
    return {row[0]: row[1:] for row in table.rows}


def test_the_files_of_a_run_come_out_as_tables(tmp_path):
    scored = evaluate(written(tmp_path / "run"), tmp_path / "run").run
    cameras, identities, transitions, ignored = tables_of_run(scored)
    assert cameras.headers == ("", "a", "b", "together")
    assert cells(cameras)["recall within 0.25 m"] == ("1.000", "0.000", "0.500")
    assert cells(cameras)["floor error, median"] == ("0.040 m", "-", "0.040 m")
    assert cells(cameras)["switches, boxes"] == ("0", "0", "0")
    assert cells(identities)["hand-overs with one identity"] == ("0 of 1 (0.000)",)
    assert cells(transitions) == {"a to b": ("1", "0", "0", "0", "1")}
    assert cells(identities)["returns after 60 s recognised"] == ("0 of 0 (-)",)
    assert cells(ignored) == {"in all": ("0 of 20 (0.000)",)}


def test_a_camera_before_which_nobody_counts_and_nobody_is_said_to_be_has_no_scores():
    truths = [truth("a", *standing(1, 0.5)), truth("b", *standing(1, 2.5, why="head_hidden"))]
    table = tables_of_run(scores(truths, [run("a"), run("b")], {}))[0]
    assert {row[2] for row in table.rows} == {"-"}
    assert cells(table)["MOTA, floor"] == ("0.000", "-", "0.000")


def test_every_row_of_a_table_has_a_cell_for_each_header(tmp_path):
    scored = evaluate(written(tmp_path / "run") / "events.jsonl", tmp_path / "run/truth").run
    floors = {name: one.floor for name, one in scored.cameras.items()}
    for table in (*tables_of_run(scored), table_of_mot(floors), table_of_mot({"a": floors["a"]})):
        assert all(len(row) == len(table.headers) for row in table.rows)
    assert [row[0] for row in table_of_mot(floors).rows] == ["a", "b", "together"]
    assert [row[0] for row in table_of_mot({"a": floors["a"]}).rows] == ["a"]
