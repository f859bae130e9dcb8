"""Everything that travels between stages. Messages are frozen: a stage makes a new one, never edits one.

A plural name (Detections, Tracks) is one frame's worth of rows held as parallel arrays.
A singular name (Frame, Tracklet, Embedding) is one thing. Events are what leaves the graph.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Any, ClassVar, Literal, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from calibration.camera import Intrinsics, Registration, View
from pipeline.codecs import decode_picture

Picture = NDArray[np.uint8]  # (height, width, 3), RGB
Grey = NDArray[np.uint8] | NDArray[np.uint16]  # (height, width), Y8 or Y16
DepthMap = NDArray[np.uint16]  # (height, width), in units of the frame's depth_scale_m; 0 is no measurement
Boxes = NDArray[np.float32]  # (n, 4), left top right bottom, in pixels
Scores = NDArray[np.float32]  # (n,), 0 to 1
Ids = NDArray[np.int64]  # (n,)
FloorPoints = NDArray[np.float32]  # (n, 2), metres on the floor of the frame's view; NaN where unknown
Metres = NDArray[np.float32]  # (n,); NaN where unknown
Vector = NDArray[np.float32]  # (d,), unit length
# (parts,), 0 to 1: how far each part of a vector is to be trusted, a part being d / parts numbers one after the other
Visibility = NDArray[np.float32]

T = TypeVar("T", bound=np.generic)
HIDDEN = 0.5  # less than so much of what another sighting of the same person shows is little beside it
UNSAID = -1  # there has been no event about somebody yet
CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

Modality = Literal["rgb", "depth", "rgbd", "infrared", "aerial"]


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """A picture not decoded yet. `codec` is a name that pipeline/codecs.py knows."""

    codec: str
    encoded: bytes

    def pixels(self) -> NDArray[np.uint8] | NDArray[np.uint16]:
        """The picture; raises ValueError if the bytes are damaged. Pure: ask once and keep the answer."""
        pixels: NDArray[np.uint8] | NDArray[np.uint16] = decode_picture(self.codec, self.encoded)
        return pixels


def decoded(picture: NDArray[T] | Encoded) -> NDArray[T]:
    """The pixels of a picture, whether it has been decoded or not."""
    pixels: NDArray[Any] = picture.pixels() if isinstance(picture, Encoded) else picture
    return pixels


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """What one device saw at one moment. Depth and colour share `view` unless there is a `registration`."""

    camera_id: str
    index: int  # counts up by one per camera; a gap is a dropped frame
    captured_ns: int  # site time
    view: View
    color: Picture | Encoded | None = None
    depth: DepthMap | Encoded | None = None
    infrared: Grey | Encoded | None = None
    depth_scale_m: float = 0.001
    clock: str = "site"  # the clock domain of the stamp behind captured_ns
    registration: Registration | None = None
    zone: str = ""  # whose cameras follow people together: tracks of this frame have ids of the zone

    @property
    def has_picture(self) -> bool:
        """Whether anything can be seen in it: not where others' detections are all that is known."""
        return self.color is not None or self.depth is not None or self.infrared is not None


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """From a silent source: all it captured before this time has been sent. No stage sees it."""

    captured_ns: int


@dataclass(frozen=True, slots=True)
class Reset:
    """A camera's clock jumped: what remembers this camera finishes and starts anew. No stage sees it."""

    camera_id: str
    captured_ns: int


@dataclass(frozen=True, slots=True, eq=False)
class FrameSet:
    """Frames from several cameras that show the same moment. A silent camera is absent."""

    camera_id: ClassVar[str] = ""  # of no one camera
    moment_ns: int
    frames: tuple[Frame, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """Parallel arrays about one frame: `rows[mask]` selects, `len(rows)` counts."""

    frame: Frame
    boxes: Boxes

    def __post_init__(self) -> None:
        n = len(self.boxes)
        _require_shape(f"{type(self).__name__}.boxes", self.boxes, (n, 4))
        for name in self._columns:
            array = getattr(self, name)
            if len(array) != n:
                _require_shape(f"{type(self).__name__}.{name}", array, (n, *array.shape[1:]))

    @property
    def camera_id(self) -> str:
        return self.frame.camera_id

    @property
    def captured_ns(self) -> int:
        return self.frame.captured_ns

    @property
    def index(self) -> int:
        return self.frame.index

    def __len__(self) -> int:
        return len(self.boxes)

    def __getitem__(self, index: NDArray[np.bool_] | NDArray[np.intp] | slice) -> Self:
        return type(self)(self.frame, *(getattr(self, name)[index] for name in self._columns))

    @property
    def _columns(self) -> list[str]:
        return list(self.__dataclass_fields__)[1:]  # fields() would make its list each time


@dataclass(frozen=True, slots=True, eq=False)
class Detections(_Rows):
    """The people a detector found in one frame."""

    scores: Scores
    floor_m: FloorPoints
    heights_m: Metres

    @classmethod
    def alone(cls, boxes: Any, scores: Any, seconds: float, size_px: tuple[int, int] = (1920, 1080)) -> Self:
        """Boxes and scores that somebody else has found in a picture taken then, for a tracker without a graph."""
        boxes, scores = np.array(boxes, np.float32).reshape(-1, 4), np.array(scores, np.float32)
        lens = Intrinsics(*size_px, size_px[0], size_px[0], (size_px[0] - 1) / 2, (size_px[1] - 1) / 2)
        frame = Frame("", round(seconds * 1000), round(seconds * 1e9), View(lens))
        unknown = np.full((len(boxes), 3), np.nan, np.float32)
        return cls(frame, boxes, scores, unknown[:, :2], unknown[:, 2])


@dataclass(frozen=True, slots=True, eq=False)
class Tracks(_Rows):
    """The people a tracker follows in one frame, seen in it or hidden there for a moment; ids are unique within one
    camera.
    """

    scores: Scores  # of the detection; 0 of who is hidden, and only expected there
    track_scores: Scores  # how sure the tracker is of the track
    track_ids: Ids
    floor_m: FloorPoints  # filtered
    velocity_m_s: FloorPoints
    covariance_m2: NDArray[np.float32]  # (n, 2, 2), of floor_m
    heights_m: Metres  # filtered
    box_error_px: NDArray[
        np.float32
    ]  # (n,), standard deviation of an edge of the box; NaN where none is filtered


@dataclass(frozen=True, slots=True, eq=False)
class Crop:
    """A person cut out of one frame. Colour, where there is any, lies on the pixels of depth."""

    captured_ns: int
    box: NDArray[np.int32]  # (4,), left top right bottom, the place in the frame
    view: View
    depth_scale_m: float
    color: Picture | None
    depth: DepthMap | None
    floor_m: NDArray[np.float32]  # (2,)
    height_m: float
    quality: float  # 0 to 1: sharp, whole, alone
    infrared: Grey | None = None  # of a camera that has nothing else

    @property
    def picture(self) -> Picture | Grey | None:
        """What a network may look at."""
        return self.infrared if self.color is None else self.color


@dataclass(frozen=True, slots=True, eq=False)
class Tracklet:
    """One person's path through one camera so far, with the few crops worth embedding."""

    camera_id: str
    tracklet_id: str
    phase: Literal["opened", "updated", "closed"]
    opened_ns: int
    seen_ns: int  # the last time it was seen
    entered_floor_m: NDArray[np.float32]  # (2,), where it was first seen
    floor_m: NDArray[np.float32]  # (2,), where it was last seen
    velocity_m_s: NDArray[np.float32]  # (2,)
    covariance_m2: NDArray[np.float32]  # (2, 2)
    floor_frame: str  # the floor frame of those: cameras of one frame can be compared
    height_m: float  # NaN where unknown
    visibility: float  # 0 to 1
    detection_score: float
    track_score: float
    frame_index: int  # of the frame at seen_ns
    clock: str
    box: NDArray[np.float32]  # (4,), at seen_ns
    image_size_px: tuple[int, int]  # width, height
    modality: Modality
    calibration_id: str
    crops: tuple[Crop, ...]
    zone_track: str = ""  # of those whom cameras of a zone follow together: alike in all of them

    @property
    def box_px(self) -> tuple[float, float, float, float]:
        """The box as events say it."""
        left, top, right, bottom = (round(float(edge), 2) for edge in self.box)
        return left, top, right, bottom

    @property
    def box_normalized(self) -> tuple[float, float, float, float]:
        """The box as shares of the picture."""
        width, height = self.image_size_px
        left, top, right, bottom = (float(edge) for edge in self.box)
        return (
            round(left / width, 5),
            round(top / height, 5),
            round(right / width, 5),
            round(bottom / height, 5),
        )

    @property
    def floor(self) -> Floor | None:
        """The floor point as events say it, or None where it is unknown."""
        if np.isnan(self.floor_m).any():
            return None
        (xx, xy), (yx, yy) = (tuple(round(float(value), 6) for value in row) for row in self.covariance_m2)
        x_m, y_m = (round(float(value), 4) for value in self.floor_m)
        vx_m_s, vy_m_s = (round(float(value), 4) for value in self.velocity_m_s)
        return Floor(self.floor_frame, x_m, y_m, (xx, xy, yx, yy), vx_m_s, vy_m_s)

    @property
    def known_height_m(self) -> float | None:
        """The height as events say it."""
        return None if np.isnan(self.height_m) else round(self.height_m, 3)


@dataclass(frozen=True, slots=True, eq=False)
class Embedding:
    """What a tracklet looks like, as a vector comparable with others of the same model and modality."""

    tracklet: Tracklet
    vector: Vector  # empty where the tracklet has no crop yet, or nothing of it shows
    modality: Modality
    model_id: str
    visibility: Visibility | None = None  # None: the embedder does not say

    @property
    def camera_id(self) -> str:
        return self.tracklet.camera_id


@dataclass(frozen=True, slots=True, eq=False)
class Sighting:
    """A tracklet as the gallery remembers it: where and when it was, and what it looked like."""

    tracklet: Tracklet  # as last seen, without crops
    looks: NDArray[
        np.float32
    ]  # (d,), the sum of its vectors, each part as far as it shows; empty where there are none
    votes: int  # how many those are
    kind: str  # of its vectors: only those of one kind can be compared
    is_open: bool = True
    is_weighed: bool = False  # and nothing came of it so far
    is_settled: bool = False  # an operator has said whose it is
    # (2, parts): of how much each part of its looks is the sum, and how far it showed when it showed best
    shown: NDArray[np.float32] | None = None

    @property
    def place(self) -> tuple[bool, int, str]:
        """Where it stands among somebody's: those that are over come first."""
        return self.is_open, self.tracklet.opened_ns, self.tracklet.tracklet_id

    @property
    def vector(self) -> Vector:
        """What it looks like: its crops together."""
        mean = self.mean
        unit: Vector = mean / max(float(np.sqrt(mean @ mean)), 1e-9)
        return unit

    @property
    def mean(self) -> NDArray[np.float32]:
        """The same, of some length: each part by the crops that show it."""
        return self.looks if self.shown is None else self.looks / self.spread(np.maximum(self.shown[0], 1e-9))

    @property
    def visibility(self) -> Visibility:
        """How far each part of it is to be trusted: all of the one that there is, where the embedder does not say."""
        return np.ones(1, np.float32) if self.shown is None else self.shown[1]

    @property
    def shows(self) -> float:
        """How much of it shows, 0 to 1."""
        return 1.0 if self.shown is None else round(float(self.shown[1].mean()), 5)

    def spread(self, parts: NDArray[np.float32]) -> NDArray[np.float32]:
        """What is said of each part (parts,), for each number of its looks (d,)."""
        return np.repeat(parts, len(self.looks) // len(parts))

    def unlooked(self) -> Sighting:
        """The same, of whose looks nothing is known."""
        return replace(self, looks=np.empty(0, np.float32), votes=0, shown=None)

    def overwrite(self) -> None:
        """Leave nothing in memory of what it looked like: for whoever holds the only reference, and drops it."""
        for array in (self.looks, self.shown):
            if array is not None:
                ctypes.memset(array.ctypes.data, 0, array.nbytes)  # one that was restored is read-only


def are_hidden(sightings: Sequence[Sighting]) -> list[bool]:
    """Which of somebody's sightings say little of what they look like beside another that shows far more of them."""
    best = dict[str, float]()
    for one in sightings:
        if one.votes:
            best[one.kind] = max(best.get(one.kind, 0.0), one.shows)
    return [bool(one.votes) and one.shows < HIDDEN * best[one.kind] for one in sightings]


@dataclass(frozen=True, slots=True, eq=False)
class Identity:
    """Somebody in the gallery."""

    identity_id: str
    appeared_ns: int
    sightings: tuple[Sighting, ...]  # in the order of their tracklets
    is_confirmed: bool = False
    said_ns: int = 0  # of the last event about them, or UNSAID
    seen_ns: int = 0  # the last time they were
    is_lost: bool = False
    previous_ids: tuple[str, ...] = ()
    apart: tuple[str, ...] = ()  # names of those who an operator has said are somebody else

    @property
    def ids(self) -> tuple[str, ...]:
        """All that it has been known by."""
        return (self.identity_id, *self.previous_ids)

    @property
    def last(self) -> Sighting:
        """The one that was seen last."""
        return max(self.sightings, key=lambda one: one.tracklet.seen_ns)

    def is_apart(self, other: Identity) -> bool:
        """Whether an operator has said that they are two."""
        return not {*self.ids}.isdisjoint(other.apart) or not {*other.ids}.isdisjoint(self.apart)

    def forgetting(self, other: Identity) -> Identity:
        """The same, of whom nobody has said anything about that other one."""
        return replace(self, apart=tuple(id for id in self.apart if id not in other.ids))

    def settled(self) -> Identity:
        """The same, all of whose sightings an operator has said to be theirs."""
        return replace(self, sightings=tuple(replace(one, is_settled=True) for one in self.sightings))

    def joined(self, later: Identity) -> Identity:
        """Both as one."""
        previous = (*self.previous_ids, later.identity_id, *later.previous_ids)
        both = sorted((*self.sightings, *later.sightings), key=lambda one: one.place)
        return replace(
            self,
            sightings=tuple(both),
            is_confirmed=self.is_confirmed or later.is_confirmed,
            seen_ns=max(self.seen_ns, later.seen_ns),
            is_lost=self.is_lost and later.is_lost,
            previous_ids=previous,
            apart=tuple(id for id in (*self.apart, *later.apart) if id not in (self.identity_id, *previous)),
        )

    def without(self, one: Sighting, at_ns: int) -> tuple[Identity, Identity]:
        """Who stays, and somebody new whose that sighting is, as an operator has said."""
        seen = one.tracklet
        new_id = derived_id("P-", at_ns, seen.tracklet_id)
        rest = tuple(other for other in self.sightings if other is not one)
        stays = replace(
            self,
            sightings=rest,
            seen_ns=max(other.tracklet.seen_ns for other in rest),
            apart=(*self.apart, new_id),
        )
        kept = replace(one, is_settled=True)
        lost = self.is_lost or not one.is_open and any(other.is_open for other in rest)
        return stays, Identity(
            new_id, seen.opened_ns, (kept,), self.is_confirmed, at_ns, seen.seen_ns, lost, apart=self.ids
        )

    def anew(self, at_ns: int) -> Identity | None:
        """Somebody new, of whose looks nothing is known, who goes on with the tracklets that are open; if any are."""
        kept = tuple(one.unlooked() for one in self.sightings if one.is_open)
        if not kept:
            return None
        id = derived_id("P-", at_ns, kept[0].tracklet.tracklet_id, "anew")
        return Identity(id, at_ns, kept, said_ns=UNSAID, seen_ns=max(one.tracklet.seen_ns for one in kept))

    def overwrite(self) -> None:
        """Leave nothing in memory of what it looked like."""
        for one in self.sightings:
            one.overwrite()


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """A picture of somebody that a site keeps."""

    tracklet_id: str
    captured_ns: int
    quality: float  # of the crop
    jpeg: NDArray[np.uint8]  # (n,), as a file has it

    def overwrite(self) -> None:
        """Leave nothing in memory of the picture: for whoever holds the only reference, and drops it."""
        ctypes.memset(self.jpeg.ctypes.data, 0, self.jpeg.nbytes)


@dataclass(frozen=True, slots=True, eq=False)
class Album:
    """The pictures that a site keeps of one identity, or of a tracklet that is nobody's yet; newest last."""

    identity_id: str  # empty where it is nobody's
    shots: tuple[Shot, ...]


@dataclass(frozen=True, slots=True)
class Command:
    """Somebody asks for something: told to stages that remember the site and take it, at a cut."""

    camera_id: ClassVar[str] = ""  # of no one camera
    number: int
    kind: Literal["erase", "merge", "split"]
    subject: str  # an identity
    captured_ns: int = 0  # the time of the cut
    other: str = ""  # merge: another identity; split: a tracklet that is somebody else's

    @property
    def evidence(self) -> str:
        """Why something is corrected."""
        return f"on request, command {self.number}"


@dataclass(frozen=True, slots=True)
class Floor:
    """A position on the floor as events say it, SI units."""

    frame_id: str
    x_m: float
    y_m: float
    covariance_m2: tuple[float, float, float, float]
    vx_m_s: float
    vy_m_s: float


Decision = Literal["new", "match", "rematch", "none"]
IdentityKind = Literal["appeared", "observed", "lost", "reappeared", "expired"]


@dataclass(frozen=True, slots=True)
class Match:
    """Why a tracklet got its identity."""

    model_id: str
    dimension: int
    decision: Decision
    votes: int
    gallery_size: int
    engine_sha256: str | None = None  # of a compiled engine; None where there is none
    score: float | None = None
    probability: float | None = None
    margin_to_second: float | None = None


@dataclass(frozen=True, slots=True)
class TrackletEvent:
    """Published: what one camera saw."""

    kind: Literal["opened", "updated", "closed"]
    tracklet_id: str
    camera_id: str
    modality: Modality
    frame_index: int
    captured_ns: int
    clock_domain: str
    box_px: tuple[float, float, float, float]
    box_normalized: tuple[float, float, float, float]
    image_size_px: tuple[int, int]
    opened_ns: int
    detection_score: float
    track_score: float
    visibility: float
    floor: Floor | None = None
    height_m: float | None = None
    previous_tracklet_id: str | None = None
    calibration_id: str | None = None  # part of its provenance


@dataclass(frozen=True, slots=True)
class IdentityEvent:
    """Published: a person across cameras."""

    kind: IdentityKind
    identity_id: str
    state: Literal["tentative", "confirmed", "contested", "lost"]
    tracklet_id: str
    camera_id: str
    modality: Modality
    frame_index: int
    captured_ns: int
    clock_domain: str
    box_px: tuple[float, float, float, float]
    box_normalized: tuple[float, float, float, float]
    image_size_px: tuple[int, int]
    visibility: float
    detection_score: float
    track_score: float
    match: Match
    previous_ids: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()
    floor: Floor | None = None
    height_m: float | None = None
    sync_offset_ms: float | None = None
    calibration_id: str | None = None  # part of its provenance


@dataclass(frozen=True, slots=True)
class CorrectionEvent:
    """Published: identities were found to be one, or one to be several. A fact, never undone by rewriting."""

    kind: Literal["merged", "split", "erased"]
    camera_id: str  # of the tracklet that brought it to light
    captured_ns: int
    from_ids: tuple[str, ...]
    to_ids: tuple[str, ...]
    effective_from_ns: int
    evidence: str
    tracklet_ids: tuple[str, ...] = ()  # a split: those that belong to to_ids[-1] from now on
    reverses: str | None = None

    @classmethod
    def of_erasure(cls, who: Identity, at_ns: int) -> Self:
        """Somebody was taken out, by all names that they have had."""
        last = who.last.tracklet
        return cls("erased", last.camera_id, at_ns, who.ids, (), who.appeared_ns, "on request")

    @classmethod
    def of_merge(cls, later: Identity, earlier: Identity, at_ns: int, evidence: str) -> Self:
        """Two were one person."""
        camera_id, ids = (
            later.sightings[-1].tracklet.camera_id,
            ((later.identity_id,), (earlier.identity_id,)),
        )
        return cls("merged", camera_id, at_ns, *ids, later.appeared_ns, evidence)

    @classmethod
    def of_split(cls, who: Identity, one: Sighting, home_id: str, at_ns: int, evidence: str) -> Self:  # noqa: PLR0913
        """A tracklet was not of the person to whom it was given."""
        seen, id = one.tracklet, who.identity_id
        return cls(
            "split",
            seen.camera_id,
            at_ns,
            (id,),
            (id, home_id),
            seen.opened_ns,
            evidence,
            (seen.tracklet_id,),
        )

    def whose(self, tracklet_id: str, identity_id: str) -> str:
        """Whose a tracklet is from now on that was `identity_id`'s."""
        if self.kind == "merged" and identity_id in self.from_ids:
            return self.to_ids[0]
        return self.to_ids[-1] if self.kind == "split" and tracklet_id in self.tracklet_ids else identity_id


@dataclass(frozen=True, slots=True, eq=False)
class Corrected:
    """What a command makes of the people whom it is about."""

    event: CorrectionEvent
    put: tuple[Identity, ...]
    gone: tuple[str, ...] = ()

    @classmethod
    def of(cls, command: Command, people: Iterable[Identity]) -> Self | None:
        """Nothing where they are not known, the two are one already, or a tracklet is not theirs or all there is of
        them. Sightings are settled, and who is somebody else stays apart, so that no review undoes it.
        """
        both = (command.subject, command.other) if command.kind == "merge" else (command.subject,)
        found = {who.identity_id: who for who in people if not {*both}.isdisjoint(who.ids)}
        known = sorted(found.values(), key=lambda who: (who.appeared_ns, who.identity_id))
        at_ns, why = command.captured_ns, command.evidence
        if command.kind == "merge" and len(known) > 1:
            earlier, later = known
            event = CorrectionEvent.of_merge(later, earlier, at_ns, why)
            return cls(event, (earlier.settled().joined(later.settled()),), (later.identity_id,))
        for who in known if command.kind == "split" else ():
            for one in who.sightings:
                if one.tracklet.tracklet_id == command.other and len(who.sightings) > 1:
                    stays, other = who.without(one, at_ns)
                    event = CorrectionEvent.of_split(who, one, other.identity_id, at_ns, why)
                    return cls(event, (stays, other))
        return None

    @property
    def whose(self) -> dict[str, str]:
        """The identity of each of their open tracklets from now on."""
        return {
            one.tracklet.tracklet_id: who.identity_id
            for who in self.put
            for one in who.sightings
            if one.is_open
        }


@dataclass(frozen=True, slots=True)
class SystemEvent:
    """Published apart: something happened to a camera or to the graph."""

    kind: Literal[
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
    ]
    camera_id: str
    captured_ns: int
    detail: str = ""
    dropped: int | None = None  # of a gap; None where it cannot be known
    counts: dict[str, int] = field(default_factory=dict)  # of a gap: frames by reason


@dataclass(frozen=True, slots=True, eq=False)
class Positions:
    """Published at full rate where asked for: every person that one camera sees in one frame."""

    camera_id: str
    frame_index: int
    captured_ns: int
    floor_frame: str
    tracklet_ids: tuple[str, ...]
    boxes: Boxes
    floor_m: FloorPoints
    scores: Scores


@dataclass(frozen=True, slots=True, eq=False)
class Portrait:
    """For the picture of a run, and only where one was asked for: how a tracklet looked. Never in a log."""

    camera_id: str
    tracklet_id: str
    captured_ns: int
    color: Picture


Event = TrackletEvent | IdentityEvent | CorrectionEvent | SystemEvent | Positions | Portrait
Message = FrameSet | Frame | Detections | Tracks | Tracklet | Embedding | Reset | Command | Event


def derived_id(prefix: str, at_ns: int, *parts: str) -> str:
    """A prefix and 26 characters in the layout of a ULID: sorted by time, and the same for the same parts."""
    digest = blake2b("\x1f".join((str(at_ns), *parts)).encode(), digest_size=10).digest()
    number = ((at_ns // 1_000_000) % (1 << 48)) << 80 | int.from_bytes(digest, "big")
    return prefix + "".join(CROCKFORD[(number >> shift) & 31] for shift in range(125, -1, -5))


def _require_shape(name: str, array: np.ndarray, shape: tuple[int, ...]) -> None:
    if array.shape != shape:
        raise ValueError(f"{name} must have shape {shape}, got {array.shape}")
