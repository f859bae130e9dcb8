"""Says of somebody in the gallery what is published."""

from __future__ import annotations

from pipeline.messages import Identity, IdentityEvent, IdentityKind, Match, Sighting


def identity_event(kind: IdentityKind, who: Identity, one: Sighting, match: Match) -> IdentityEvent:
    """The event of this kind, with where and how the person was last seen."""
    seen = one.tracklet
    known = "confirmed" if who.is_confirmed else "tentative"
    return IdentityEvent(
        kind=kind,
        identity_id=who.identity_id,
        state="lost" if kind in ("lost", "expired") else known,
        tracklet_id=seen.tracklet_id,
        camera_id=seen.camera_id,
        modality=seen.modality,
        frame_index=seen.frame_index,
        captured_ns=seen.seen_ns,
        clock_domain=seen.clock,
        box_px=seen.box_px,
        box_normalized=seen.box_normalized,
        image_size_px=seen.image_size_px,
        visibility=round(seen.visibility, 4),
        detection_score=round(seen.detection_score, 4),
        track_score=round(seen.track_score, 4),
        match=match,
        previous_ids=who.previous_ids,
        floor=seen.floor,
        height_m=seen.known_height_m,
        calibration_id=seen.calibration_id or None,
    )
