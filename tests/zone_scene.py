"""Three cameras around a square, and what they detect of people who stand on its floor."""

import numpy as np

from calibration.camera import Intrinsics, Mount, View, pose_of
from pipeline.messages import Detections, Frame
from stages._feet import feet_of

LENS = Intrinsics(1280, 720, 900.0, 900.0, 639.5, 359.5)
TALL_M = 1.75
# around a square of 10 m, each looking at its middle
MOUNTS = {
    "north": Mount(5.0, 12.0, 180.0, 3.0, 65.0, 0.0, True),
    "south": Mount(5.0, -2.0, 0.0, 3.0, 65.0, 0.0, True),
    "west": Mount(-2.0, 5.0, -90.0, 3.0, 65.0, 0.0, True),
}
VIEWS = {name: View(LENS, mount, pose_of(mount), name) for name, mount in MOUNTS.items()}


def seen(camera, places_m, seconds, fps=10, noise_px=0.0, random=None, score=0.9):
    """What one camera detects of people who stand at places (n, 2)."""
    view, n = VIEWS[camera], len(places_m)
    places_m = np.array(places_m, float).reshape(-1, 2)
    feet = view.project(np.column_stack([places_m, np.zeros(n)]))
    heads = view.project(np.column_stack([places_m, np.full(n, TALL_M)]))
    half = 0.25 * LENS.fx_px / feet[:, 2]
    boxes = np.column_stack([feet[:, 0] - half, heads[:, 1], feet[:, 0] + half, feet[:, 1]])
    if random is not None:
        boxes = boxes + random.normal(0, noise_px, boxes.shape)
    inside = (feet[:, 2] > 1) & (feet[:, 0] > 0) & (feet[:, 0] < 1280) & (feet[:, 1] < 715) & (feet[:, 1] > 0)
    boxes = boxes[inside].astype(np.float32)
    frame = Frame(camera, round(seconds * fps), round(seconds * 1e9), view)
    unknown = np.full(len(boxes), np.nan, np.float32)
    scores = np.full(len(boxes), score, np.float32)
    return Detections(frame, boxes, scores, feet_of(frame, boxes), unknown)
