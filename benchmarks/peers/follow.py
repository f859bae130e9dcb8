"""One tracker of benchmarks/tracking.py, in an environment that has it: python follow.py NAME JOB ANSWER

JOB is an .npz with, for each sequence, the boxes and scores of every frame; ANSWER is an .npz with the ids and boxes
of every frame, and how many seconds each took. Everybody is asked as their manual says, with their own defaults.
Nothing of the project is used here, except by `ours`.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"  # the same for everybody, and matrices are small

import numpy as np  # noqa: E402

Update = Callable[
    [Any, Any, float], tuple[Any, Any]
]  # boxes (n, 4), scores (n,), seconds -> ids (m,), boxes (m, 4)


def ours(about: dict[str, Any]) -> Update:
    """What ships, with what differs in `settings`."""
    sys.path.insert(0, str(Path(__file__).parents[2]))
    from pipeline.messages import Detections
    from stages.track.boxes import BoxTracker

    tracker = BoxTracker(**about.get("settings", {}))

    def update(boxes: Any, scores: Any, seconds: float) -> tuple[Any, Any]:
        tracks = tracker.update(Detections.alone(boxes, scores, seconds, tuple(about["size_px"])))
        return tracks.track_ids, tracks.boxes

    return update


def published_sort(about: dict[str, Any]) -> Update:
    """SORT as published."""
    from _sort import Sort

    tracker = Sort()
    return lambda boxes, scores, seconds: tracker.update(boxes)


def of_trackers(kind: str) -> Callable[[dict[str, Any]], Update]:
    """A tracker of Roboflow's `trackers`."""

    def made(about: dict[str, Any]) -> Update:
        import supervision
        import trackers

        tracker = getattr(trackers, kind)(frame_rate=about["fps"])

        def update(boxes: Any, scores: Any, seconds: float) -> tuple[Any, Any]:
            found = supervision.Detections(boxes, confidence=scores, class_id=np.zeros(len(boxes), int))
            tracks = tracker.update(found)
            known = tracks.tracker_id >= 0
            return tracks.tracker_id[known], tracks.xyxy[known]

        return update

    return made


def of_norfair(about: dict[str, Any]) -> Update:
    """With the settings of its own demonstration on MOT17; it has no default for how far is too far."""
    import norfair
    from norfair.filter import FilterPyKalmanFilterFactory

    tracker = norfair.Tracker(
        distance_function="iou",
        distance_threshold=0.9,
        detection_threshold=0.5,
        pointwise_hit_counter_max=3,
        hit_counter_max=8,
        filter_factory=FilterPyKalmanFilterFactory(),
    )
    return _norfair_update(tracker, norfair)


def of_plain_norfair(about: dict[str, Any]) -> Update:
    """As its manual begins: overlap, and its own defaults."""
    import norfair

    return _norfair_update(norfair.Tracker(distance_function="iou", distance_threshold=0.7), norfair)


def _norfair_update(tracker: Any, norfair: Any) -> Update:
    def update(boxes: Any, scores: Any, seconds: float) -> tuple[Any, Any]:
        found = [
            norfair.Detection(box.reshape(2, 2), np.repeat(score, 2))
            for box, score in zip(boxes, scores, strict=True)
        ]
        tracks = tracker.update(found)
        ids = np.array([track.id for track in tracks], int)
        return ids, np.array([track.estimate.ravel() for track in tracks]).reshape(-1, 4)

    return update


def of_boxmot(kind: str, **options: Any) -> Callable[[dict[str, Any]], Update]:
    """A tracker of BoxMOT, without looks or pictures: there are none, so nothing follows the camera either."""

    def made(about: dict[str, Any]) -> Update:
        from boxmot import create_tracker
        from boxmot.trackers.specs import TrackerSpec

        tracker = create_tracker(TrackerSpec(kind, options=tuple(sorted(options.items()))))
        blank = np.zeros((about["size_px"][1], about["size_px"][0], 3), np.uint8)  # it asks for its size

        def update(boxes: Any, scores: Any, seconds: float) -> tuple[Any, Any]:
            rows = tracker.update(
                np.column_stack([boxes, scores, np.zeros(len(boxes))]).astype(np.float32), blank
            )
            return rows[:, 4].astype(int), rows[:, :4]

        return update

    return made


BLIND = {"use_cmc": False, "use_embeddings": False}
TRACKERS = {
    "ours": ours,
    "SORT": published_sort,
    "trackers SORT": of_trackers("SORTTracker"),
    "trackers ByteTrack": of_trackers("ByteTrackTracker"),
    "trackers OC-SORT": of_trackers("OCSORTTracker"),
    "trackers C-BIoU": of_trackers("CBIoUTracker"),
    "norfair": of_norfair,
    "norfair, plain": of_plain_norfair,
    "boxmot ByteTrack": of_boxmot("bytetrack"),
    "boxmot OC-SORT": of_boxmot("ocsort"),
    "boxmot BoT-SORT": of_boxmot("botsort", **BLIND),
    "boxmot DeepOC-SORT": of_boxmot("deepocsort", cmc_off=True, use_embeddings=False),
    "boxmot BoostTrack": of_boxmot("boosttrack", **BLIND),
    "boxmot OccluBoost": of_boxmot("occluboost", **BLIND),
}


def followed(
    update: Update, boxes: Any, scores: Any, ends: Any, fps: float
) -> Iterator[tuple[Any, Any, float]]:
    """Ids, boxes and how long it took, of each frame."""
    for index, (start, end) in enumerate(zip([0, *ends[:-1]], ends, strict=True)):
        found, sure = boxes[start:end].copy(), scores[start:end].copy()
        begun = time.perf_counter()
        ids, places = update(found, sure, index / fps)
        yield ids, places, time.perf_counter() - begun


def main() -> None:
    """Follow everybody in every sequence of the job."""
    name, job, answer = sys.argv[1:]
    given, said = np.load(job), {}
    about = json.loads(str(given["about"]))
    for sequence, facts in about.items():
        arrays = (given[f"{sequence}/{kind}"] for kind in ("boxes", "scores", "ends"))
        frames = list(followed(TRACKERS[name](facts), *arrays, facts["fps"]))
        said[f"{sequence}/ids"] = np.concatenate([ids for ids, _, _ in frames]).astype(np.int64)
        said[f"{sequence}/boxes"] = np.concatenate([np.reshape(boxes, (-1, 4)) for _, boxes, _ in frames])
        said[f"{sequence}/ends"] = np.cumsum([len(ids) for ids, _, _ in frames])
        said[f"{sequence}/seconds"] = np.array([seconds for _, _, seconds in frames])
    np.savez(answer, **said)


if __name__ == "__main__":
    main()
