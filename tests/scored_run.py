"""A small truth, and a run beside it, as files: people who stand on the x axis, at 100 pixels a metre."""

import json

import numpy as np

from engines.evaluate.truth import CameraTruth, write_truth

INTERVAL_NS = 100_000_000
SIZE = 10.0


def truth(camera, *rows):
    """Rows of frame, person, x in metres and reason; boxes are squares at 100 pixels a metre."""
    frames, people, x_m, ignored = (np.array(column) for column in zip(*rows, strict=True))
    zeros, ones = np.zeros(len(rows)), np.ones(len(rows))
    boxes = np.stack([100 * x_m, zeros, SIZE * ones, SIZE * ones], axis=1)
    floor_m = np.stack([x_m, zeros], axis=1)
    return CameraTruth(
        camera, frames, frames * INTERVAL_NS, people, boxes, floor_m, ones, ones, tuple(ignored.tolist())
    )


def standing(person, x_m, frames=range(10), why=""):
    return [(frame, person, x_m, why) for frame in frames]


def written(folder):
    """A run and its truth as files."""
    (folder / "truth").mkdir(parents=True)
    write_truth(folder / "truth", [truth("a", *standing(1, 0.5)), truth("b", *standing(1, 2.5))])
    seen = {"identity_id": "P-1", "tracklet_id": "T-1"}
    event = {"type": "sightline.identity.appeared.v1", "data": seen}
    lines = [
        {
            "camera_id": "a",
            "frame_index": frame,
            "captured_ns": frame * INTERVAL_NS,
            "floor_frame": "site",
            "tracklet_ids": ["T-1"],
            "boxes_px": [[50, 0, 60, 10]],
            "floor_m": [[0.54, 0]],
            "scores": [1],
        }
        for frame in range(10)
    ]
    (folder / "events.jsonl").write_text(json.dumps(event) + "\n")
    (folder / "positions.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder
