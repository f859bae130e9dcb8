"""Films what is seen, with who is followed drawn into it. Not part of a graph unless --video asks for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np

from pipeline.messages import (
    CorrectionEvent,
    IdentityEvent,
    Positions,
    SystemEvent,
    Tracklet,
    TrackletEvent,
    Tracks,
)
from pipeline.stage import InputError, Memory, Stage
from stages._annotated import Followed, Way, draw, shown
from stages._folders import check_can_be_made
from stages._reel import ENDINGS, Reel

WAY_S = 3.0  # so much of somebody's way is shown
MOST_TRACKLETS = 10_000  # whose identities are remembered


@dataclass
class Film(
    Stage[Tracks | Tracklet | TrackletEvent | Positions | IdentityEvent | CorrectionEvent, SystemEvent]
):
    """Writes a video of each camera that shows tracks: `out`, or `<out>-<camera>` where there are several `cameras`. A
    frame shows what was known when it was taken: until it is decided who somebody is, the number of their track. Give
    it identities first, then positions, then tracks: a frame is drawn when its tracks come.
    """

    memory: ClassVar[Memory] = Memory.SITE  # an identity found at one camera is drawn at all of them
    out: str = "film.mp4"
    cameras: tuple[str, ...] = ()
    _reels: dict[str, Reel] = field(default_factory=dict, init=False, repr=False)
    _ways: dict[tuple[str, int], tuple[list[int], Way]] = field(default_factory=dict, init=False, repr=False)
    _identity_of: dict[str, str] = field(default_factory=dict, init=False, repr=False)  # by tracklet
    _tracklets: dict[str, Positions] = field(default_factory=dict, init=False, repr=False)  # by camera

    def __post_init__(self) -> None:
        if Path(self.out).suffix not in ENDINGS:
            raise ValueError(
                f"{self.out}: must end in {' or '.join(ENDINGS)}; name another file for the video"
            )

    def open(self) -> None:
        """Nothing is made before the first frame: a run that cannot begin leaves nothing behind."""
        super().open()
        for path in self.paths:
            check_can_be_made(path.parent)
            if path.exists():
                raise InputError(f"{path}: is there already; choose another name for the video")

    def process(
        self, message: Tracks | Tracklet | TrackletEvent | Positions | IdentityEvent | CorrectionEvent
    ) -> Iterator[SystemEvent]:
        match message:
            case Tracks():
                self._film(message)
            case Positions():
                self._tracklets[message.camera_id] = message
            case IdentityEvent() if message.kind in ("appeared", "observed", "reappeared"):
                self._know(message)
            case CorrectionEvent():
                self._correct(message)
        return iter(())

    def finish(self) -> Iterator[SystemEvent]:
        for reel in self._reels.values():
            reel.finish()
        self._reels.clear()
        return iter(())

    def close(self) -> None:
        """What has not been finished is no video."""
        for reel in self._reels.values():
            reel.abandon()
        self._reels.clear()
        super().close()

    @property
    def paths(self) -> list[Path]:
        """Where the videos go."""
        return [self._path(camera_id) for camera_id in self.cameras] or [Path(self.out)]

    def _path(self, camera_id: str) -> Path:
        out = Path(self.out)
        return out.with_name(f"{out.stem}-{camera_id}{out.suffix}") if len(self.cameras) > 1 else out

    def _film(self, tracks: Tracks) -> None:
        frame = tracks.frame
        picture = shown(frame)
        if frame.camera_id not in self._reels:
            size_px = picture.shape[1], picture.shape[0]
            self._reels[frame.camera_id] = Reel(self._path(frame.camera_id), size_px)
        self._walk(tracks)
        draw(picture, self._people(tracks))
        self._reels[frame.camera_id].add(picture, frame.captured_ns)

    def _walk(self, tracks: Tracks) -> None:
        """Everybody's way goes on, and what of it is old is forgotten."""
        frame, since_ns = tracks.frame, tracks.frame.captured_ns - int(WAY_S * 1e9)
        down = 0.5 if frame.depth is not None else 1.0  # seen from above, people stand where the middle is
        middles = (tracks.boxes[:, 0] + tracks.boxes[:, 2]) / 2
        lower = tracks.boxes[:, 1] + down * (tracks.boxes[:, 3] - tracks.boxes[:, 1])
        for id, place in zip(tracks.track_ids.tolist(), np.column_stack([middles, lower]), strict=True):
            times_ns, way = self._ways.get((frame.camera_id, id), ([], np.empty((0, 2), np.float32)))
            self._ways[frame.camera_id, id] = [*times_ns, frame.captured_ns], np.vstack([way, place])
        for key, (times_ns, way) in list(self._ways.items()):
            if key[0] == frame.camera_id and times_ns[0] < since_ns:
                late = sum(time_ns < since_ns for time_ns in times_ns)
                self._ways[key] = times_ns[late:], way[late:]
                if not times_ns[late:]:
                    del self._ways[key]

    def _people(self, tracks: Tracks) -> list[Followed]:
        camera_id, ids = tracks.camera_id, tracks.track_ids.tolist()
        told = self._tracklets.get(camera_id)
        is_of_it = told and told.frame_index == tracks.frame.index and len(told.tracklet_ids) == len(ids)
        tracklets = told.tracklet_ids if told and is_of_it else ("",) * len(ids)
        people = []
        for box, id, tracklet in zip(tracks.boxes, ids, tracklets, strict=True):
            identity = self._identity_of.get(tracklet, "")
            name = (
                f"{identity[:2]}{identity[-6:]}" if identity else f"track {id}"
            )  # as the table of identities has it
            people.append(Followed(box, self._ways[camera_id, id][1], name, bool(identity)))
        return people

    def _know(self, event: IdentityEvent) -> None:
        self._identity_of[event.tracklet_id] = event.identity_id
        if len(self._identity_of) > MOST_TRACKLETS:
            del self._identity_of[next(iter(self._identity_of))]

    def _correct(self, event: CorrectionEvent) -> None:
        if event.kind == "erased":
            kept = {t: id for t, id in self._identity_of.items() if id not in event.from_ids}
            self._identity_of = kept
        for tracklet, identity in self._identity_of.items():
            self._identity_of[tracklet] = event.whose(tracklet, identity)
