"""Keeps a few pictures of everybody whom the matcher knows, for whoever searches them; only where a graph names it. In
the store they are sealed, and go, as what people look like is and does.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import cv2
import numpy as np

from pipeline.keyed import Keyed
from pipeline.messages import (
    Album,
    CorrectionEvent,
    Crop,
    IdentityEvent,
    Shot,
    SystemEvent,
    Tracklet,
)
from pipeline.stage import Memory, Stage

REVIEWED = "reviewed"
REVIEW_S = 5.0
SETTLED_S = 10.0  # behind its end a tracklet is somebody's, or never will be
QUALITY = 85  # of JPEG


@dataclass
class Keep(Stage[Tracklet | IdentityEvent | CorrectionEvent, SystemEvent]):
    """Of each sighting the best `each` crops, as JPEG of `max_px` at most; of one identity `of_one`, the newest, and in
    all `max_mb`: then all go of whom nothing new came for longest. Give it tracklets first, then identities.
    """

    memory: ClassVar[Memory] = Memory.SITE
    each: int = 1
    of_one: int = 6
    max_px: int = 192  # of the longer side
    max_mb: float = 1000.0
    crops_s: float = math.inf  # for how long a picture may be kept; given by the runtime
    vectors_s: float = math.inf  # for how long it may be kept what somebody looks like; given by the runtime
    _waiting: Keyed[Album] = field(default_factory=Keyed, init=False, repr=False)  # by tracklet
    _albums: Keyed[Album] = field(default_factory=Keyed, init=False, repr=False)  # by identity
    _whose: Keyed[str] = field(default_factory=Keyed, init=False, repr=False)  # identity by tracklet
    _ended_ns: Keyed[int] = field(default_factory=Keyed, init=False, repr=False)  # by tracklet
    _times_ns: Keyed[int] = field(default_factory=Keyed, init=False, repr=False)
    _size: int = field(default=0, init=False, repr=False)  # of all albums, in bytes

    def __post_init__(self) -> None:
        for name in ("each", "of_one", "max_mb"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")
        if not 16 <= self.max_px <= 4096:
            raise ValueError(f"max_px must be from 16 to 4096, got {self.max_px}")

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        super().restore(snapshot)
        self._size = sum(_size(album.shots) for album in self._albums.values())

    def advance(self, to_ns: int) -> Iterator[SystemEvent]:
        if to_ns - (self._times_ns.get(REVIEWED) or 0) > REVIEW_S * 1e9:
            self._times_ns.put(REVIEWED, to_ns)
            self._settle(to_ns - SETTLED_S * 1e9)
            if (life_s := min(self.crops_s, self.vectors_s)) < math.inf:
                self._outlive(to_ns - life_s * 1e9)
        return iter(())

    def finish(self) -> Iterator[SystemEvent]:
        self._settle(math.inf)
        for album in self._waiting.values():
            _overwrite(album.shots)
        self._waiting.clear()
        return iter(())

    def process(self, message: Tracklet | IdentityEvent | CorrectionEvent) -> Iterator[SystemEvent]:
        match message:
            case Tracklet():
                self._look(message)
            case IdentityEvent(kind="expired"):
                self._put(message.identity_id, ())
            case IdentityEvent(kind="appeared" | "observed" | "reappeared"):
                self._know(message.tracklet_id, message.identity_id)
            case CorrectionEvent():
                self._correct(message)
        return iter(())

    def _look(self, tracklet: Tracklet) -> None:
        id = tracklet.tracklet_id
        if tracklet.phase == "closed":
            self._ended_ns.put(id, tracklet.seen_ns)
        whose = self._whose.get(id)
        for crop in tracklet.crops:
            shots = self._shots(whose) if whose else self._waiting_shots(id)
            own = [shot.quality for shot in shots if shot.tracklet_id == id]
            if (
                len(own) >= self.each
                and crop.quality <= min(own)
                or (shot := _shot(id, crop, self.max_px)) is None
            ):
                continue
            if whose:
                self._put(whose, (*shots, shot))
            else:
                kept = self._chosen((*shots, shot))
                self._waiting.put(id, Album("", kept))
                _overwrite(one for one in shots if one not in kept)

    def _know(self, tracklet_id: str, identity_id: str) -> None:
        """A tracklet is somebody's, and so are the pictures of it."""
        if self._whose.get(tracklet_id) != identity_id:
            self._whose.put(tracklet_id, identity_id)
        if waiting := self._waiting_shots(tracklet_id):
            self._waiting.delete(tracklet_id)
            self._put(identity_id, (*self._shots(identity_id), *waiting))

    def _correct(self, event: CorrectionEvent) -> None:
        for id in event.from_ids:
            shots = self._shots(id)
            moved = [shot for shot in shots if event.to_ids and event.whose(shot.tracklet_id, id) != id]
            self._put(id, [shot for shot in shots if shot not in moved], moved)
            if event.kind == "erased":
                self._put(id, ())
            elif moved:
                self._put(event.to_ids[-1], (*self._shots(event.to_ids[-1]), *moved))
        for tracklet_id, id in list(self._whose.items()):
            if id in event.from_ids:
                self._whose.delete(tracklet_id)
                if event.kind != "erased":
                    self._whose.put(tracklet_id, event.whose(str(tracklet_id), id))

    def _put(self, id: str, shots: Iterable[Shot], moved: Iterable[Shot] = ()) -> None:
        """These are somebody's pictures, as far as so many are kept. What else they had is overwritten, not `moved`."""
        before, kept = self._shots(id), self._chosen(shots)
        if kept:
            self._albums.put(id, Album(id, kept))
        else:
            self._albums.delete(id)
        self._size += _size(kept) - _size(before)
        stays = [*kept, *moved]
        _overwrite(shot for shot in before if shot not in stays)
        while self._size > self.max_mb * 1e6:
            longest, _ = next(iter(self._albums.items()))
            self._put(str(longest), ())

    def _shots(self, id: str) -> tuple[Shot, ...]:
        album = self._albums.get(id)
        return album.shots if album else ()

    def _waiting_shots(self, tracklet_id: str) -> tuple[Shot, ...]:
        album = self._waiting.get(tracklet_id)
        return album.shots if album else ()

    def _chosen(self, shots: Iterable[Shot]) -> tuple[Shot, ...]:
        """The best of each tracklet, and of those the newest, in the order in which they were taken."""
        by_tracklet: dict[str, list[Shot]] = {}
        for shot in sorted(shots, key=lambda shot: (-shot.quality, shot.captured_ns)):
            by_tracklet.setdefault(shot.tracklet_id, []).append(shot)
        best = [shot for own in by_tracklet.values() for shot in own[: self.each]]
        return tuple(sorted(best, key=lambda shot: (shot.captured_ns, shot.tracklet_id))[-self.of_one :])

    def _settle(self, before_ns: float) -> None:
        """Of tracklets that ended so long ago nothing more comes; those that are nobody's by now never will be."""
        for id, ended_ns in list(self._ended_ns.items()):
            if ended_ns < before_ns:
                _overwrite(self._waiting_shots(str(id)))
                for kept in (self._waiting, self._whose, self._ended_ns):
                    kept.delete(id)

    def _outlive(self, since_ns: float) -> None:
        """Pictures go whose time is over."""
        for id, album in list(self._albums.items()):
            if album.shots[0].captured_ns < since_ns:
                self._put(str(id), [shot for shot in album.shots if shot.captured_ns >= since_ns])
        for id, album in list(self._waiting.items()):
            if album.shots[0].captured_ns < since_ns:
                self._waiting.delete(id)
                _overwrite(album.shots)


def _shot(tracklet_id: str, crop: Crop, max_px: int) -> Shot | None:
    """The picture of a crop, if it has one, as JPEG."""
    picture: Any = crop.picture
    if picture is None or not picture.size:
        return None
    if picture.dtype == np.uint16:
        picture = (picture / max(int(picture.max()), 1) * 255).astype(np.uint8)
    ratio = min(1.0, max_px / max(picture.shape[:2]))
    if ratio < 1:
        size = [max(1, round(side * ratio)) for side in picture.shape[1::-1]]
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    shown = picture if picture.ndim == 2 else cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    _, jpeg = cv2.imencode(".jpg", shown, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return Shot(tracklet_id, crop.captured_ns, crop.quality, jpeg)


def _size(shots: Iterable[Shot]) -> int:
    return sum(shot.jpeg.nbytes for shot in shots)


def _overwrite(shots: Iterable[Shot]) -> None:
    for shot in shots:
        shot.overwrite()
