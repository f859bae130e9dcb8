"""A tracklet as its track goes on, and the events that say so."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, NamedTuple

from pipeline.messages import Tracklet, TrackletEvent, Tracks

Times = tuple[int, int, int]  # crops that were given, when the last, and when the last event


class Track(NamedTuple):
    """What is known of a track."""

    tracklet: Tracklet
    seen: int  # in so many frames
    first: int  # the index of the first
    given: Times | None = None  # of a tracklet that has been opened
    height: tuple[float, int] | None = None  # and since when
    met: tuple[int, int] | None = None  # see Collect._measured
    way: tuple[float, float, float] | None = None  # a Way, of the head


def seen(tracks: Tracks, row: int, visibility: float, before: Tracklet) -> Tracklet:
    """The tracklet as it is now."""
    frame, now_ns = tracks.frame, tracks.frame.captured_ns
    return replace(
        before,
        phase="updated" if now_ns > before.opened_ns else "opened",
        seen_ns=now_ns,
        floor_m=tracks.floor_m[row],
        velocity_m_s=tracks.velocity_m_s[row],
        covariance_m2=tracks.covariance_m2[row],
        height_m=float(tracks.heights_m[row]),
        visibility=visibility,
        detection_score=float(tracks.scores[row]),
        track_score=float(tracks.track_scores[row]),
        frame_index=frame.index,
        box=tracks.boxes[row],
    )


def tracklet_event(kind: Literal["opened", "updated", "closed"], tracklet: Tracklet) -> TrackletEvent:
    return TrackletEvent(
        kind=kind,
        tracklet_id=tracklet.tracklet_id,
        camera_id=tracklet.camera_id,
        modality=tracklet.modality,
        frame_index=tracklet.frame_index,
        captured_ns=tracklet.seen_ns,
        clock_domain=tracklet.clock,
        box_px=tracklet.box_px,
        box_normalized=tracklet.box_normalized,
        image_size_px=tracklet.image_size_px,
        opened_ns=tracklet.opened_ns,
        detection_score=round(tracklet.detection_score, 4),
        track_score=round(tracklet.track_score, 4),
        visibility=round(tracklet.visibility, 4),
        floor=tracklet.floor,
        height_m=tracklet.known_height_m,
        calibration_id=tracklet.calibration_id or None,
    )
