"""Scores by the real TrackEval, in an environment of its own: a job as JSON on standard input, scores by sequence and of
all of them combined as JSON on standard output. Nothing of the project is used here.
"""

from __future__ import annotations

import json
import sys
from contextlib import redirect_stdout

import numpy as np
from trackeval.datasets import MotChallenge2DBox
from trackeval.metrics import CLEAR, HOTA, Identity

QUIET = {"PRINT_CONFIG": False}
METRICS = {"HOTA": HOTA(), "CLEAR": CLEAR(dict(QUIET)), "Identity": Identity(dict(QUIET))}
COMBINED = "combined"


def scores_of(sequences):
    """All fields of all metrics, by sequence, for prepared data by sequence."""
    scores = {name: {} for name in [*sequences, COMBINED]}
    for metric in METRICS.values():
        results = {name: metric.eval_sequence(prepared) for name, prepared in sequences.items()}
        results[COMBINED] = metric.combine_sequences(dict(results))
        for name, fields in results.items():
            scores[name] |= {field: np.asarray(value).tolist() for field, value in fields.items()}
    return scores


def prepared(frames):
    """What metrics take, from frames of true ids, said ids and similarities."""
    ids = [[np.array(frame[side], int) for frame in frames] for side in (0, 1)]
    known = [np.unique(np.concatenate([np.empty(0, int), *side])) for side in ids]
    truth, said = ([np.searchsorted(known[side], one) for one in ids[side]] for side in (0, 1))
    shapes = [(len(a), len(b)) for a, b in zip(truth, said, strict=True)]
    alike = [np.array(f[2], float).reshape(shape) for f, shape in zip(frames, shapes, strict=True)]
    return {
        "num_timesteps": len(frames),
        "num_gt_ids": len(known[0]),
        "num_tracker_ids": len(known[1]),
        "num_gt_dets": sum(map(len, truth)),
        "num_tracker_dets": sum(map(len, said)),
        "gt_ids": truth,
        "tracker_ids": said,
        "similarity_scores": alike,
    }


def similarities(frames, kind):
    """Frames of true ids, said ids and similarities, from true ids and places, said ids and places."""
    for true_ids, true_places, said_ids, said_places in frames:
        width = 2 if kind == "floor" else 4
        a, b = (np.array(places, float).reshape(-1, width) for places in (true_places, said_places))
        if kind == "floor":
            alike = MotChallenge2DBox._calculate_euclidean_similarity(a, b, zero_distance=1.0)
        else:
            alike = MotChallenge2DBox._calculate_box_ious(a, b, box_format="xywh")
        yield true_ids, said_ids, alike


def mot_challenge(truth, results, tracker, lengths, benchmark, truth_file):
    """What TrackEval's own reader and preprocessing make of a folder of truth and one of results."""
    settings = {
        "GT_FOLDER": truth,
        "TRACKERS_FOLDER": results,
        "TRACKERS_TO_EVAL": [tracker],
        "TRACKER_SUB_FOLDER": "",
        "SKIP_SPLIT_FOL": True,
        "SEQ_INFO": lengths,
        "BENCHMARK": benchmark,
        "GT_LOC_FORMAT": "{gt_folder}/{seq}/" + truth_file,
    }
    reader = MotChallenge2DBox(settings | QUIET)
    return {
        name: reader.get_preprocessed_seq_data(reader.get_raw_seq_data(tracker, name), "pedestrian")
        for name in lengths
    }


def run(kind, job):
    if kind == "mot":
        return scores_of(mot_challenge(**job))
    if kind == "similarities":
        return scores_of({name: prepared(frames) for name, frames in job.items()})
    every = {name: list(similarities(frames, kind)) for name, frames in job.items()}
    strung = [frame for frames in every.values() for frame in frames]
    return scores_of({name: prepared(frames) for name, frames in {**every, "strung": strung}.items()})


with redirect_stdout(sys.stderr):
    scores = run(**json.load(sys.stdin))
json.dump(scores, sys.stdout)
