"""Says of somebody in the gallery what is published, and why."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.messages import CorrectionEvent, Identity, IdentityEvent, IdentityKind, Match, Sighting
from stages._evidence import NEVER
from stages._review import Merge, Split

WEIGHED = 8  # of those whom a tracklet may be, when it is said how sure it is
TRUST = 0.85  # of log odds: not all that speaks for somebody is independent (benchmarks/decisions_fit.py)
State = Literal["tentative", "confirmed", "contested", "lost"]


def identity_event(kind: IdentityKind, who: Identity, one: Sighting, match: Match) -> IdentityEvent:
    """The event of this kind, with where and how the person was last seen."""
    seen = one.tracklet
    state: State = "lost" if kind in ("lost", "expired") else "confirmed" if who.is_confirmed else "tentative"
    return IdentityEvent(
        kind=kind,
        identity_id=who.identity_id,
        state=state,
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


def decided(
    one: Sighting, who: Identity | None, of_this: float, evidence: NDArray[np.float64], gallery_size: int
) -> Match:
    """Why a tracklet was given to this person, or to somebody new: `evidence` (n + 1,) was of everyone, and last of
    somebody new; `of_this` was of what was decided.
    """
    best, of_new = np.sort(evidence[:-1])[::-1], evidence[-1]
    known = len(best) > 0 and best[0] > NEVER
    second = len(best) > 1 and best[1] > NEVER
    others = np.exp(TRUST * np.append(best[:WEIGHED], of_new)).sum()
    return Match(
        model_id=one.kind,
        dimension=len(one.looks),
        decision="new" if who is None else "rematch" if who.is_lost else "match",
        votes=one.votes,
        gallery_size=gallery_size,
        score=round(float(best[0]), 4) if known else None,
        probability=round(float(np.exp(TRUST * of_this) / others), 4),
        margin_to_second=round(float(best[0] - best[1]), 4) if second else None,
    )


def seen_again(one: Sighting, gallery_size: int) -> Match:
    """Nothing was decided anew."""
    return Match(one.kind, len(one.looks), "none", one.votes, gallery_size)


def merged(merge: Merge, now_ns: int) -> CorrectionEvent:
    """Two identities were one person."""
    return CorrectionEvent.of_merge(merge.later, merge.earlier, now_ns, _said(merge.evidence))


def split_off(split: Split, home_id: str, now_ns: int) -> CorrectionEvent:
    """A tracklet was not of the person to whom it was given."""
    return CorrectionEvent.of_split(split.who, split.sighting, home_id, now_ns, _said(split.evidence))


def _said(evidence: float) -> str:
    return f"log likelihood ratio {evidence:.2f}"
