"""Frames to record, and recordings of them played again."""

import numpy as np

from calibration.camera import Intrinsics, Pose, Registration, View
from pipeline.messages import Frame
from stages.record import Record
from stages.source._sdk import Playback

WIDTH, HEIGHT = 64, 48
VIEW = View(Intrinsics(WIDTH, HEIGHT, 50.0, 51.0, 32.5, 24.5, (0.1, 0.2, 0.3, 0.4, 0.5), "brown_conrady"))
TURN = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
BESIDE = Registration(
    Intrinsics(WIDTH, HEIGHT, 60.0, 61.0, 31.0, 23.0), Pose(TURN, np.array([0.059, 0.01, -0.002]))
)
BEGAN_NS = 1_700_000_000_000_000_000
PERIOD_NS = 100_000_000
RANDOM = np.random.default_rng(1)
NOISE = RANDOM.integers(0, 65536, (8, 480, 640), dtype=np.uint16)  # does not pack: 0.6 MB


def frame(index, camera_id="flat", color=True, infrared=False, **told):
    shade = np.add.outer(np.arange(HEIGHT), np.arange(WIDTH)) + index
    return Frame(
        camera_id,
        index,
        BEGAN_NS + index * PERIOD_NS,
        VIEW,
        np.stack([shade, shade * 2, shade * 3], axis=-1).astype(np.uint8) if color else None,
        (shade * 7 + 500).astype(np.uint16),
        shade.astype(np.uint8) if infrared else None,
        **{"clock": "global_time", "depth_scale_m": 0.001, "registration": BESIDE if color else None, **told},
    )


def noise(index, camera_id="flat"):
    """A large frame that takes 0.6 MB."""
    view = View(Intrinsics(640, 480, 390.0, 390.0, 320.0, 240.0))
    return Frame(camera_id, index, BEGAN_NS + index * PERIOD_NS, view, depth=NOISE[index % len(NOISE)])


def record(out, frames, **settings):
    """What is said while these are recorded."""
    stage = Record(out=str(out), **{"reserve_mb": 0.0, **settings})
    stage.open()
    try:
        return [event for one in frames for event in stage.process(one)] + list(stage.finish())
    finally:
        stage.close()


def played(path):
    playback = Playback(path)
    playback.open()
    shots = list(playback.shots())
    playback.close()
    return playback, {s: [shot for shot in shots if shot.stream == s] for s in ("depth", "color", "infrared")}
