"""Asks the decoders of others, which run in environments of their own (make judges), and compares boxes."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from engines.evaluate.similarity import box_similarity

ROOT = Path(__file__).parents[2]
MIN_IOU, MAX_SCORE_ERROR = 0.99, 1e-3
YOLO = ".venv-judges-yolo"
MADE = {"yolov8n": False, "yolo11n": False, "yolo26n": True}  # whether each is end to end
RANDOM = {"min_score": 0.5, "max_overlap": 0.7}  # for random weights
MANIFEST = """
name: {name}
task: detect
engine: {engine}
source: random weights
licence: AGPL-3.0
download: made by the test
files: [{{name: {file}, sha256: "{sha256}"}}]
input: {{name: images, layout: NCHW, size: [320, 320], color: rgb, letterbox: 114, range: {{scale: [255]}}}}
output: {{classes: {classes}, person: 0, is_end_to_end: {is_end_to_end}}}
"""


def described(name, engine, file, *, is_end_to_end, classes=3, sha256=""):
    """The manifest of a network with random weights."""
    return MANIFEST.format(
        name=name,
        engine=engine,
        file=file,
        sha256=sha256,
        classes=classes,
        is_end_to_end=str(is_end_to_end).lower(),
    )


def asked(script, environment, folder, **job):
    """What a judge answers; what it writes for itself goes into `folder`."""
    python = ROOT / environment / "bin" / "python"
    if not python.exists():
        pytest.fail(f"{python} is not there; make it with: make judges")
    quiet = {
        **os.environ,
        "YOLO_CONFIG_DIR": str(folder),
        "YOLO_AUTOINSTALL": "false",
        "YOLO_OFFLINE": "true",
    }
    command = [python, Path(__file__).with_name(script)]
    done = subprocess.run(
        command, input=json.dumps(job), capture_output=True, text=True, env=quiet, cwd=folder, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])  # Ultralytics says something first


def found_by_judge(answer, size_px):
    """Boxes with an area inside a picture of so many pixels (width, height), and scores, the best first."""
    scores = np.array(answer["scores"], float)
    best = np.argsort(-scores, kind="stable")
    boxes = np.array(answer["boxes"], float).reshape(-1, 4)[best].clip(0, [*size_px, *size_px])
    seen = (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
    return boxes[seen], scores[best][seen]


def are_same(ours, theirs):
    """Whether each found what the other did, with the same score."""
    (boxes, scores), (their_boxes, their_scores) = ours, theirs
    if len(boxes) != len(their_boxes) or not len(boxes):
        return len(boxes) == len(their_boxes)
    alike = box_similarity(boxes, their_boxes)
    # of boxes that hide one another, the one with the nearest score
    other = np.argmax(alike - np.abs(scores[:, None] - their_scores), axis=1)
    rows = np.arange(len(boxes))
    near = np.abs(scores - their_scores[other]).max() <= MAX_SCORE_ERROR
    return bool(len(set(other)) == len(rows) and alike[rows, other].min() >= MIN_IOU and near)


def average_precision(found, truth, min_iou=0.5):
    """AP, 0 to 1, over pictures: what was found (boxes, scores) in each, and the boxes that are there; all points."""
    scored = []
    for (boxes, scores), there in zip(found, truth, strict=True):
        free = np.ones(len(there), bool)
        alike = box_similarity(boxes, there)
        for row in np.argsort(-scores, kind="stable"):
            overlaps = np.where(free, alike[row], 0.0)
            hit = len(there) > 0 and overlaps.max() >= min_iou
            free[np.argmax(overlaps)] &= not hit
            scored.append((scores[row], hit))
    hits = np.array([hit for _, hit in sorted(scored, key=lambda one: -one[0])])
    recall = np.cumsum(hits) / sum(map(len, truth))
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(recall, prepend=0.0) * best))
