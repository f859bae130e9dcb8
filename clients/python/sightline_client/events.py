"""What travels: CloudEvents 1.0 whose data are typed, as the published JSON Schemas say them.

Words from a list (`state`, `modality`, `decision`) are plain strings, and fields that are not known are passed over, so
that a newer publisher does not break an older consumer.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
Four = tuple[float, float, float, float]


class Envelope(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The attributes of a CloudEvent, and its data as they came."""

    specversion: str = msgspec.field(default="1.0")
    id: str
    source: str
    type: Annotated[str, msgspec.Meta(pattern=r"^[a-z]+(\.[a-z0-9_-]+){2,5}\.v[0-9]{1,4}$", max_length=200)]
    subject: str = ""
    time: str = ""
    dataschema: str = ""
    datacontenttype: str = ""
    sequence: Annotated[str, msgspec.Meta(pattern=r"^[1-9][0-9]{0,17}$")]
    partitionkey: str
    traceparent: str = ""
    data: msgspec.Raw


NONE = Envelope(id="", source="", type="", sequence="1", partitionkey="", data=msgspec.Raw())


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """What all events have. `time_ns` is when it happened, in nanoseconds since 1970, by the site's clock."""

    envelope: Envelope = msgspec.field(default=NONE, name="")  # not in the data: put here by `codec.py`
    time_ns: Int64

    @property
    def id(self) -> str:
        """Equal for what is the same, however often it comes."""
        return self.envelope.id

    @property
    def type(self) -> str:
        """Like 'sightline.identity.appeared.v1'."""
        return self.envelope.type

    @property
    def family(self) -> str:
        """Like 'identity'."""
        return self.type.split(".")[-3]

    @property
    def kind(self) -> str:
        """Like 'appeared'."""
        return self.type.split(".")[-2]

    @property
    def stream(self) -> str:
        """What is counted together with `key`: a family in one version, like 'identity.v1'."""
        return f"{self.family}.{self.type.split('.')[-1]}"

    @property
    def key(self) -> str:
        """The partition key: the camera of a tracklet, the site of an identity."""
        return self.envelope.partitionkey

    @property
    def sequence(self) -> int:
        """Counts by `stream` and `key`, from 1, without gaps."""
        return int(self.envelope.sequence)

    @property
    def subject(self) -> str:
        """The tracklet or the identity."""
        return self.envelope.subject

    @property
    def source(self) -> str:
        """Like '/lobby/topview_rgbd/match'."""
        return self.envelope.source


class Floor(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A place on the floor, in metres; `frame_id` says of which: the site, or one camera."""

    frame_id: str
    x_m: float
    y_m: float
    covariance_m2: Four | None = None
    vx_m_s: float | None = None
    vy_m_s: float | None = None


class Match(msgspec.Struct, frozen=True, kw_only=True):
    """Why a tracklet was given to an identity."""

    model_id: str
    dimension: int
    decision: str
    votes: int
    gallery_size: int
    engine_sha256: str | None = None
    score: float | None = None
    probability: float | None = None
    margin_to_second: float | None = None


class Provenance(msgspec.Struct, frozen=True, kw_only=True):
    """What made it."""

    graph_sha256: str
    code_version: str
    calibration_id: str | None = None


class Privacy(msgspec.Struct, frozen=True, kw_only=True):
    """For what, and how long, it may be kept."""

    retention_class: str
    purpose: str


class _Published(Event, frozen=True, kw_only=True):
    camera_id: str = ""
    captured_ns: Int64
    provenance: Provenance
    privacy: Privacy


class _Seen(_Published, frozen=True, kw_only=True):
    tracklet_id: str
    modality: str
    frame_index: int
    clock_domain: str
    box_px: Four
    box_normalized: Four
    image_size_px: tuple[int, int]
    visibility: float
    detection_score: float
    track_score: float
    floor: Floor | None = None
    height_m: float | None = None


class TrackletEvent(_Seen, frozen=True, kw_only=True):
    """What one camera saw: opened, updated or closed."""

    opened_ns: Int64
    previous_tracklet_id: str | None = None


class IdentityEvent(_Seen, frozen=True, kw_only=True):
    """A person across cameras: appeared, observed, lost, reappeared or expired."""

    identity_id: str
    state: str
    match: Match
    previous_ids: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()
    sync_offset_ms: float | None = None


class CorrectionEvent(_Published, frozen=True, kw_only=True, rename={"from_ids": "from", "to_ids": "to"}):
    """Identities were found to be one (merged) or several (split), or were taken out on request (erased)."""

    from_ids: tuple[str, ...]
    to_ids: tuple[str, ...]
    effective_from_ns: Int64
    evidence: str
    tracklet_ids: tuple[str, ...] = ()  # of a split: those that are of the last of `to_ids` from now on
    reverses: str | None = None


class SystemEvent(_Published, frozen=True, kw_only=True):
    """Something happened to a camera, or to the graph."""

    detail: str = ""
    dropped: int | None = None
    counts: dict[str, int] = {}


class UnknownEvent(Event, frozen=True, kw_only=True):
    """Of a type that this version of the library does not know, with its data as they came."""

    time_ns: Int64 = 0
    data: dict[str, Any] = {}


CORRECTIONS = ("merged", "split", "erased")
KNOWN: dict[str, type[Event]] = {
    **{f"sightline.tracklet.{kind}.v1": TrackletEvent for kind in ("opened", "updated", "closed")},
    **{
        f"sightline.identity.{kind}.v1": IdentityEvent
        for kind in ("appeared", "observed", "lost", "reappeared", "expired")
    },
    **{f"sightline.identity.{kind}.v1": CorrectionEvent for kind in CORRECTIONS},
    **{
        f"sightline.system.{kind}.v1": SystemEvent
        for kind in (
            "source_up",
            "source_down",
            "source_stalled",
            "source_frozen",
            "gap",
            "clock_changed",
            "floor_found",
            "floor_lost",
            "floor_moved",
            "graph_started",
            "graph_stopped",
        )
    },
}
