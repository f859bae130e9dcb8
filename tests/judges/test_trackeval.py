"""Our scores against those of the real TrackEval: on real sequences, on random ones, on cameras strung into one."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from judges.judge import assert_all_equal, assert_equal, judged
from judges.wildtrack import at_once, crossing
from manual import ROOT, write_examples
from scipy.optimize import linear_sum_assignment

from engines.evaluate.evaluate_run import score_run
from engines.evaluate.mot import MotRows, read_mot, write_mot
from engines.evaluate.mot_challenge import evaluate_mot, evaluate_mot_folders
from engines.evaluate.run_scores import Rules
from engines.evaluate.scores import scored
from engines.evaluate.sequence import Sequence
from engines.evaluate.similarity import box_similarity

MOT17 = {"MOT17-02-FRCNN": None, "MOT17-09-FRCNN": None, "MOT17-10-FRCNN": None}


def followed(detections, least_score=0.5, least_overlap=0.3):
    """Tracks from MOT detections: each box continues the one of the previous frame that it overlaps most."""
    fresh, before, tracks = 0, [], []
    for frame in range(1, detections.frames.max() + 1):
        rows = np.flatnonzero((detections.frames == frame) & (detections.confidences >= least_score))
        overlap = box_similarity(detections.corners[[row for row, _ in before]], detections.corners[rows])
        known = {
            int(column): before[line][1]
            for line, column in zip(*linear_sum_assignment(-overlap), strict=True)
            if overlap[line, column] >= least_overlap
        }
        before = []
        for place, row in enumerate(rows.tolist()):
            if place not in known:
                fresh += 1
            before.append((row, known.get(place, fresh)))
        tracks += before
    rows, ids = (np.array(column) for column in zip(*tracks, strict=True))
    plain = np.ones(len(rows))
    return MotRows(detections.frames[rows], ids, detections.boxes[rows], plain, plain.astype(int), plain)


def test_real_sequences_of_mot17_with_tracks_of_public_detections(recordings, tmp_path):
    for name in MOT17:
        tracks = followed(read_mot(recordings / f"mot17/train/{name}/det/det.txt"))
        write_mot(tmp_path / f"{name}.txt", tracks)
    ours = evaluate_mot_folders(tmp_path, recordings / "mot17/train")
    assert_all_equal(ours, judged("mot", mot17_job(recordings, tmp_path.parent, tmp_path.name)))
    assert all(scores.clear.switches > 30 for scores in ours.values())


# HOTA, IDF1 and MOTA of SORT with its own defaults, on the same detections
SORT = {"02": (31.3, 36.4, 32.0), "09": (43.7, 50.1, 53.0), "10": (39.0, 43.8, 49.6)}


def test_the_tracker_of_the_manual_follows_people_better_than_sort(recordings, tmp_path):
    write_examples(tmp_path, "tracking.md")
    (tmp_path / "ours").mkdir()
    for number in SORT:
        name = f"MOT17-{number}-FRCNN"
        found, said = recordings / f"mot17/train/{name}/det/det.txt", tmp_path / f"ours/{name}.txt"
        command = [sys.executable, tmp_path / "track_boxes.py", found, said]
        subprocess.run(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True)
    scores = judged("mot", mot17_job(recordings, tmp_path, "ours"))
    for number, (hota, idf1, mota) in SORT.items():
        ours = scores[f"MOT17-{number}-FRCNN"]
        assert 100 * np.mean(ours["HOTA"]) > hota + 6
        assert 100 * ours["IDF1"] > idf1 + 8
        assert 100 * ours["MOTA"] > mota - 0.5


def test_a_peers_results_on_mot17(recordings):
    ours = evaluate_mot_folders(recordings / "mot17/peer_results/Lif_T", recordings / "mot17/train")
    assert_all_equal(ours, judged("mot", mot17_job(recordings, recordings / "mot17/peer_results", "Lif_T")))


def test_a_peers_results_on_truth_without_classes(recordings, tmp_path):
    place = recordings / "motmetrics_tud/TUD-Campus"
    (tmp_path / "peer").mkdir()
    shutil.copy(place / "test.txt", tmp_path / "peer/TUD-Campus.txt")
    job = mot17_job(recordings, tmp_path, "peer") | {
        "truth": str(place.parent),
        "lengths": {"TUD-Campus": 71},
        "benchmark": "MOT15",
        "truth_file": "gt.txt",
    }
    assert_equal(evaluate_mot(place / "test.txt", place / "gt.txt"), judged("mot", job)["TUD-Campus"])


def mot17_job(recordings, results, tracker):
    return {
        "truth": str(recordings / "mot17/train"),
        "results": str(results),
        "tracker": tracker,
        "lengths": MOT17,
        "benchmark": "MOT17",
        "truth_file": "gt/gt.txt",
    }


def random_ids(random, frames, people, gaps):
    """Ids of each frame: everyone has a life, with gaps."""
    lives = np.sort(random.integers(0, frames + 1, (people, 2)), axis=1)
    there = [(lives[:, 0] <= t) & (t < lives[:, 1]) & (random.random(people) > gaps) for t in range(frames)]
    return [random.permutation(np.flatnonzero(now)) for now in there]


def random_sequence(number):
    """A small sequence: some have no truth or no results, some score on thresholds and tie, in some ids mean much."""
    random = np.random.default_rng(number)
    frames, people = int(random.integers(0, 25)), int(random.integers(1, 7))
    truth = random_ids(random, frames, people if number % 12 else 0, 0.2)
    said = random_ids(random, frames, people + 2 if number % 12 != 6 else 0, 0.3)
    step = 0.05 if number % 2 else 1e-9
    similarities = []
    for there, found in zip(truth, said, strict=True):
        alike = random.beta(0.7, 0.7, (len(there), len(found)))
        if number % 3:
            alike = np.where(there[:, None] == found, 1 - 0.6 * alike, 0.7 * alike)
        similarities.append(np.minimum(1, np.round(alike / step) * step))
    return Sequence(tuple(truth), tuple(said), tuple(similarities))


def test_random_sequences_alone_and_combined():
    sequences = {f"{number}": random_sequence(number) for number in range(300)}
    assert sum(not sum(map(len, one.truth)) for one in sequences.values()) >= 20
    assert sum(not sum(map(len, one.said)) for one in sequences.values()) >= 20
    assert sum(any(not len(t) for t in one.truth) for one in sequences.values()) >= 100
    job = {name: [[a.tolist() for a in frame] for frame in sequence] for name, sequence in sequences.items()}
    ours = {name: scored(sequence) for name, sequence in sequences.items()}
    assert_all_equal(ours, judged("similarities", job))


@pytest.mark.parametrize("kind", ["floor", "boxes"])
def test_a_run_over_seven_real_cameras_each_alone_and_strung_into_one_sequence(recordings, kind):
    truth, run, job = crossing(recordings, kind)
    ours, theirs = score_run(run, truth, Rules()), judged(kind, job)
    for name, camera in ours.cameras.items():
        scores = getattr(camera, kind)
        assert_equal(scores, theirs[name], name)
        assert 0.3 < scores.hota.score < 0.9
    if kind == "floor":
        assert_equal(ours.identities.scores, theirs["strung"], "strung")
        assert 0.3 < ours.identities.scores.identity.idf1 < 0.9


def test_seven_real_cameras_at_one_moment_each_person_and_each_identity_once(recordings):
    truth, run, _ = crossing(recordings, "floor")
    ours = score_run(run, truth, Rules()).identities.at_once
    assert_equal(ours, judged("floor", {"at once": list(at_once(truth, run))})["at once"])
    assert 0.3 < ours.identity.idf1 < 0.9


def test_a_sequence_by_the_rules_of_mot20(recordings, tmp_path):
    """MOT20 itself is not here: a sequence of MOT17 goes by its name, and its other class that counts there."""
    names = {"MOT17-09-FRCNN": "MOT20-09", "MOT17-10-FRCNN": "MOT20-10"}
    (tmp_path / "ours").mkdir()
    for name, called in names.items():
        (tmp_path / f"truth/{called}/gt").mkdir(parents=True)
        shutil.copy(recordings / f"mot17/train/{name}/seqinfo.ini", tmp_path / f"truth/{called}")
        text = (recordings / f"mot17/train/{name}/gt/gt.txt").read_text()
        rows = [line.split(",") for line in text.splitlines()]
        changed = [[*row[:7], "6" if row[7] in ("7", "8") else row[7], row[8]] for row in rows]
        (tmp_path / f"truth/{called}/gt/gt.txt").write_text("".join(",".join(row) + "\n" for row in changed))
        tracks = followed(read_mot(recordings / f"mot17/train/{name}/det/det.txt"))
        write_mot(tmp_path / f"ours/{called}.txt", tracks)
    ours = evaluate_mot_folders(tmp_path / "ours", tmp_path / "truth")
    job = {
        "truth": str(tmp_path / "truth"),
        "results": str(tmp_path),
        "tracker": "ours",
        "lengths": {called: MOT17[name] for name, called in names.items()},
        "benchmark": "MOT20",
        "truth_file": "gt/gt.txt",
    }
    assert_all_equal(ours, judged("mot", job))
    by_mot17 = judged("mot", job | {"benchmark": "MOT17"})
    assert any(ours[name].clear.false_positives < by_mot17[name]["CLR_FP"] for name in ours)
