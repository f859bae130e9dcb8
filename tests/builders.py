"""Small messages for tests; what a test does not care about has a value here."""

from dataclasses import replace

import numpy as np

from calibration.camera import Intrinsics, Mount, View
from pipeline.events import Provenance
from pipeline.messages import (
    CorrectionEvent,
    Crop,
    Detections,
    Embedding,
    Floor,
    Frame,
    IdentityEvent,
    Match,
    SystemEvent,
    Tracklet,
    TrackletEvent,
    Tracks,
)

VIEW = View(Intrinsics(96, 48, 60.0, 60.0, 48.0, 24.0), Mount())
FLOOR = Floor("site", 1.0, 2.0, (0.1, 0.0, 0.0, 0.1), 0.5, 0.0)
MATCH = Match("overhead_descriptor", 8, "new", 1, 3)
BOX = (1.0, 2.0, 3.0, 4.0)
SIZE = (640, 480)
PROVENANCE = Provenance("site", "topview", "epoch", "ab" * 32, producers={IdentityEvent: "match"})

TRACKLET_EVENT = TrackletEvent(
    "opened",
    "T-1",
    "flat",
    "rgbd",
    7,
    40,
    "global_time",
    BOX,
    (0.1, 0.2, 0.3, 0.4),
    SIZE,
    10,
    0.9,
    0.8,
    1.0,
    FLOOR,
    1.7,
)
IDENTITY_EVENT = IdentityEvent(
    "appeared", "P-1", "tentative", "T-1", "flat", "rgbd", 7, 40, "site", BOX, BOX, SIZE, 1.0, 0.9, 0.8, MATCH
)
MERGED = CorrectionEvent("merged", "flat", 50, ("P-2",), ("P-1",), 10, "same clothes, one path")
GAP = SystemEvent("gap", "flat", 60, "dropped before the graph: late", 3, {"late": 3})


def frame(camera_id="east", index=0, captured_ns=0, **given):
    return Frame(camera_id, index, captured_ns, given.pop("view", VIEW), **given)


def detections(of, boxes, floor_m=None, heights_m=None, scores=None):
    boxes = np.array(boxes, np.float32).reshape(-1, 4)
    n = len(boxes)
    return Detections(
        of,
        boxes,
        np.ones(n, np.float32) if scores is None else np.array(scores, np.float32),
        np.full((n, 2), np.nan, np.float32)
        if floor_m is None
        else np.array(floor_m, np.float32).reshape(-1, 2),
        np.full(n, np.nan, np.float32) if heights_m is None else np.array(heights_m, np.float32),
    )


def tracks(found, track_ids):
    n = len(found)
    return Tracks(
        found.frame,
        found.boxes,
        found.scores,
        np.ones(n, np.float32),
        np.array(track_ids, np.int64),
        found.floor_m,
        np.zeros((n, 2), np.float32),
        np.tile(np.eye(2, dtype=np.float32), (n, 1, 1)),
        found.heights_m,
        np.full(n, np.nan, np.float32),
    )


def crop(color, captured_ns=0, quality=1.0):
    box = np.array([0, 0, color.shape[1], color.shape[0]], np.int32)
    return Crop(captured_ns, box, VIEW, 0.001, color, None, np.zeros(2, np.float32), 1.7, quality)


def tracklet(camera_id="east", tracklet_id="T-1", crops=(), **given):
    made = Tracklet(
        camera_id=camera_id,
        tracklet_id=tracklet_id,
        phase="opened",
        opened_ns=0,
        seen_ns=0,
        entered_floor_m=np.zeros(2, np.float32),
        floor_m=np.zeros(2, np.float32),
        velocity_m_s=np.zeros(2, np.float32),
        covariance_m2=np.eye(2, dtype=np.float32),
        floor_frame="site",
        height_m=1.7,
        visibility=1.0,
        detection_score=1.0,
        track_score=1.0,
        frame_index=0,
        clock="site",
        box=np.array(BOX, np.float32),
        image_size_px=SIZE,
        modality="rgbd",
        calibration_id="c",
        crops=tuple(crops),
    )
    return replace(made, **given)


def embedding(of, vector, modality="rgb", visibility=None):
    shows = None if visibility is None else np.array(visibility, np.float32)
    return Embedding(of, np.array(vector, np.float32), modality, "toy", shows)
