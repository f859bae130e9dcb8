"""Collects each track into a tracklet: one person's path through one camera, with the crops worth embedding."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from pipeline.keyed import Keyed
from pipeline.messages import (
    Crop,
    Frame,
    Modality,
    Positions,
    Tracklet,
    TrackletEvent,
    Tracks,
    decoded,
    derived_id,
)
from pipeline.stage import Memory, Stage
from stages._crops import covered, crops_of
from stages._leaving import Way, inside_m
from stages._tracklets import Times, Track, seen, tracklet_event

Given = Tracklet | TrackletEvent | Positions
LOOKED = "looked"
MIN_SIGHTINGS = 3
MIN_SHARE = 0.5  # of the frames since the first
MET_M, PARTED_M, MET_S = 0.6, 0.8, 5.0  # a track can go over to whom it was so near, so short a while ago
KNOWN_S = 1.5  # a height is known after so long; from a meeting on it stays what it was
BESIDE = 0.2  # of a box is covered by another's
OTHER_S = 0.7  # a height that is another for so long is somebody else's


@dataclass
class Collect(Stage[Tracks, Given]):
    """Opens a tracklet once a track has been seen for `min_seen_s`, and closes it `max_gap_s` after it was last
    seen. Between, it gives at most one crop every `crop_every_s`, the best of those taken since the last.
    """

    memory: ClassVar[Memory] = Memory.CAMERA
    min_seen_s: float = 0.2  # in three frames, and in half of them: what flickers is nobody
    max_gap_s: float = 1.0
    look_every_s: float = 0.35  # how often crops are taken: only then is a frame's colour decoded
    crop_every_s: float = 1.0
    max_crops: int = 12  # of one tracklet: then it is known well enough
    event_every_s: float = 2.0
    other_height_m: float = 0.07  # who is so much taller or smaller, having met somebody, is somebody else
    hidden_s: float = 0.5  # in pictures alone: unseen for so long beside somebody, it may be another
    color: bool = True  # false: depth alone, colour is never looked at
    crops_s: float = math.inf  # for how long a picture may be kept; given by the runtime
    is_live: bool = False  # no later run sees these frames again; given by the runtime
    _open: Keyed[tuple[Any, ...]] = field(default_factory=Keyed, init=False)  # a Track, by its id
    _crop: Keyed[Crop] = field(default_factory=Keyed, init=False)  # by tracklet, the one to be given next
    _times_ns: Keyed[int] = field(default_factory=Keyed, init=False)

    def __post_init__(self) -> None:
        for name in (
            "max_gap_s",
            "look_every_s",
            "crop_every_s",
            "event_every_s",
            "other_height_m",
            "hidden_s",
        ):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")

    def advance(self, to_ns: int) -> Iterator[Given]:
        for id, crop in list(self._crop.items()):  # after a restart
            if to_ns - crop.captured_ns > self.crops_s * 1e9:
                self._crop.delete(id)
        for id, track in self._tracks():
            if to_ns - track.tracklet.seen_ns > self.max_gap_s * 1e9:
                yield from self._closed(id, track)

    def process(self, tracks: Tracks) -> Iterator[Given]:
        crops = self._crops(tracks)
        hidden, nearest_m, inside = covered(tracks.boxes), _nearest_m(tracks), inside_m(tracks)
        for row, id in enumerate(tracks.track_ids.tolist()):
            if not tracks.scores[row]:
                continue  # hidden: nothing of them is seen
            track = self._track(id) or Track(self._begun(tracks, row), 0, tracks.frame.index)
            track, is_another = self._measured(track, tracks, row, float(nearest_m[row]))
            is_another |= self._was_hidden(track.tracklet, tracks.frame, float(hidden[row]))
            track, is_back = _gone_on(track, float(inside[row]), float(tracks.heights_m[row]))
            is_another |= is_back
            if is_another and track.given:
                before, track = track, track._replace(tracklet=self._begun(tracks, row))
                yield from self._follows(before, track.tracklet)
                now_ns = track.tracklet.seen_ns
                track = track._replace(given=(0, now_ns, now_ns), height=None, met=None, way=None)
            tracklet = seen(tracks, row, 1.0 - float(hidden[row]), track.tracklet)
            self._keep(tracklet, crops.get(id))
            yield from self._looked_at(id, track._replace(tracklet=tracklet, seen=track.seen + 1))
        yield self._positions(tracks)

    def finish(self) -> Iterator[Given]:
        for id, track in self._tracks():
            yield from self._closed(id, track)

    def snapshot(self) -> Mapping[str, Any]:
        """Without the pictures where nobody could go on with them: who was in view is somebody new by then."""
        kept = dict(super().snapshot())
        if self.is_live and "_crop" in kept:
            crops = kept["_crop"]
            kept["_crop"] = replace(crops, put={}, deleted=(*crops.deleted, *crops.put))
        return kept

    def _track(self, id: int) -> Track | None:
        kept = self._open.get(id)
        return Track._make(kept) if kept else None

    def _tracks(self) -> list[tuple[int, Track]]:
        return [(int(id), Track._make(kept)) for id, kept in self._open.items()]

    def _begun(self, tracks: Tracks, row: int) -> Tracklet:
        frame, lens = tracks.frame, tracks.frame.view.intrinsics
        return Tracklet(
            camera_id=frame.camera_id,
            tracklet_id=derived_id("T-", frame.captured_ns, frame.camera_id, str(int(tracks.track_ids[row]))),
            phase="opened",
            opened_ns=frame.captured_ns,
            seen_ns=frame.captured_ns,
            entered_floor_m=tracks.floor_m[row],
            floor_m=tracks.floor_m[row],
            velocity_m_s=tracks.velocity_m_s[row],
            covariance_m2=tracks.covariance_m2[row],
            floor_frame=frame.view.frame_id(frame.camera_id),
            height_m=float(tracks.heights_m[row]),
            visibility=1.0,
            detection_score=float(tracks.scores[row]),
            track_score=float(tracks.track_scores[row]),
            frame_index=frame.index,
            clock=frame.clock,
            box=tracks.boxes[row],
            image_size_px=(lens.width_px, lens.height_px),
            modality=self._modality(frame),
            calibration_id=frame.view.calibration_id,
            crops=(),
            zone_track=f"{frame.zone}/{tracks.track_ids[row]}" if frame.zone else "",
        )

    def _modality(self, frame: Frame) -> Modality:
        if not frame.has_picture or self.color and frame.color is not None:
            return "rgb" if frame.depth is None else "rgbd"
        return "infrared" if frame.depth is None else "depth"

    def _crops(self, tracks: Tracks) -> dict[int, Crop]:
        """Crops by track, of those that still need some, if it is time to look."""
        frame, ids = tracks.frame, tracks.track_ids.tolist() if tracks.frame.has_picture else []
        # by boxes alone nobody's height is known
        whole = (~np.isnan(tracks.heights_m) | (frame.depth is None)) & (tracks.scores > 0)
        known = map(self._track, ids)
        crops_of_each = [track.given[0] if track and track.given else 0 for track in known]
        wanted = [n for n, count in enumerate(crops_of_each) if whole[n] and count < self.max_crops]
        looked_ns = self._times_ns.get(LOOKED)
        if not wanted or (looked_ns is not None and frame.captured_ns - looked_ns < self.look_every_s * 1e9):
            return {}
        self._times_ns.put(LOOKED, frame.captured_ns)
        color = decoded(frame.color) if self.color and frame.color is not None else None
        depth = None if frame.depth is None else decoded(frame.depth)
        infrared: Any = None
        if color is None and depth is None and frame.infrared is not None:
            infrared = decoded(frame.infrared)
        crops = crops_of(tracks, color, depth, np.array(wanted), infrared)
        return {ids[row]: crop for row, crop in zip(wanted, crops, strict=True)}

    def _keep(self, tracklet: Tracklet, crop: Crop | None) -> None:
        """The better one of two crops."""
        kept = self._crop.get(tracklet.tracklet_id)
        if crop is not None and (kept is None or crop.quality > kept.quality):
            self._crop.put(tracklet.tracklet_id, crop)

    def _with_crop(self, tracklet: Tracklet) -> Tracklet:
        """The tracklet as it is given, with the crop that was kept."""
        crop = self._crop.get(tracklet.tracklet_id)
        self._crop.delete(tracklet.tracklet_id)
        return tracklet if crop is None else replace(tracklet, crops=(crop,))

    def _looked_at(self, id: int, track: Track) -> Iterator[Given]:
        """What is to be said of a track now, and kept of it."""
        given, said = self._due(track) if track.given else self._opened(track)
        self._open.put(id, track._replace(given=given))
        yield from said

    def _opened(self, track: Track) -> tuple[Times | None, list[Given]]:
        """It is opened, if it has been seen for long enough."""
        tracklet = track.tracklet
        seen_s = (tracklet.seen_ns - tracklet.opened_ns) / 1e9
        least = max(MIN_SIGHTINGS, MIN_SHARE * (tracklet.frame_index - track.first + 1))
        if seen_s < self.min_seen_s or track.seen < least:
            return None, []
        times = (0, tracklet.opened_ns, tracklet.seen_ns)
        return times, [replace(tracklet, phase="opened"), tracklet_event("opened", tracklet)]

    def _measured(self, track: Track, tracks: Tracks, row: int, nearest_m: float) -> tuple[Track, bool]:
        """With its height; and whether it has gone over to somebody of another height, whom the one it followed had
        met: `met` holds when it was near somebody, and since when the height has been another.
        """
        now_ns, height_m = tracks.frame.captured_ns, float(tracks.heights_m[row])
        if np.isnan(height_m):
            return track, False
        known_m, since_ns = track.height or (height_m, now_ns)
        met_ns, other_ns = track.met or (now_ns - int(MET_S * 1e9), 0)
        met_ns = now_ns if nearest_m < MET_M else met_ns
        is_other = abs(height_m - known_m) > self.other_height_m
        has_met = now_ns - since_ns > KNOWN_S * 1e9 and now_ns - met_ns < MET_S * 1e9
        if not has_met:
            known_m = height_m
        may = has_met and is_other and nearest_m > PARTED_M
        other_ns = (other_ns or now_ns) if may else 0
        measured = track._replace(height=(known_m, since_ns), met=(met_ns, other_ns))
        return measured, may and now_ns - other_ns >= OTHER_S * 1e9

    def _was_hidden(self, before: Tracklet, frame: Frame, hidden: float) -> bool:
        """Whether a track may have come back on somebody else; by depth heights tell."""
        unseen_s = (frame.captured_ns - before.seen_ns) / 1e9
        return (
            frame.depth is None
            and unseen_s > self.hidden_s
            and max(hidden, 1.0 - before.visibility) >= BESIDE
        )

    def _follows(self, before: Track, begun: Tracklet) -> Iterator[Given]:
        """Closes what the track was, and opens what it is from here on."""
        known_m, _ = before.height or (before.tracklet.height_m, 0)
        was = replace(before.tracklet, height_m=known_m)
        self._crop.delete(was.tracklet_id)  # that may be the other's
        yield replace(was, phase="closed")
        yield tracklet_event("closed", was)
        yield replace(begun, phase="opened")
        yield replace(tracklet_event("opened", begun), previous_tracklet_id=was.tracklet_id)

    def _due(self, track: Track) -> tuple[Times, list[Given]]:
        """What is due of an open tracklet: a crop, an event, often nothing."""
        (count, crop_ns, event_ns), tracklet = track.given or (0, 0, 0), track.tracklet
        every_s = self.crop_every_s if count else self.look_every_s  # the first one soon
        has_crop = self._crop.get(tracklet.tracklet_id) is not None
        said: list[Given] = []
        if has_crop and tracklet.seen_ns - crop_ns >= every_s * 1e9:
            said.append(self._with_crop(tracklet))
            count, crop_ns = count + 1, tracklet.seen_ns
        if tracklet.seen_ns - event_ns >= self.event_every_s * 1e9:
            if not said:
                said.append(tracklet)  # without a crop: it is still there, and nobody else is who it is
            said.append(tracklet_event("updated", tracklet))
            event_ns = tracklet.seen_ns
        return (count, crop_ns, event_ns), said

    def _closed(self, id: int, track: Track) -> Iterator[Given]:
        self._open.delete(id)
        last = self._with_crop(track.tracklet)
        if track.given:
            yield replace(last, phase="closed")
            yield tracklet_event("closed", track.tracklet)

    def _positions(self, tracks: Tracks) -> Positions:
        frame = tracks.frame
        known = [self._track(id) for id in tracks.track_ids.tolist()]
        tracks = tracks[np.array([track is not None for track in known], np.bool_)]
        return Positions(
            camera_id=frame.camera_id,
            frame_index=frame.index,
            captured_ns=frame.captured_ns,
            floor_frame=frame.view.frame_id(frame.camera_id),
            tracklet_ids=tuple(track.tracklet.tracklet_id for track in known if track),
            boxes=tracks.boxes,
            floor_m=tracks.floor_m,
            scores=tracks.scores,
        )


def _gone_on(track: Track, inside_m: float, height_m: float) -> tuple[Track, bool]:
    """With its way across the picture; and whether it had gone out, as tall as it was there, and comes in again."""
    if np.isnan(inside_m):
        return track, False
    way = Way._make(track.way or (inside_m, inside_m, height_m)).on(inside_m, height_m)
    if way.leads_back(inside_m):
        return track._replace(way=way, height=(way.height_m, 0)), True
    return track._replace(way=way), False


def _nearest_m(tracks: Tracks) -> NDArray[np.float32]:
    """How near the nearest other is to each: (n,)."""
    apart_m = np.linalg.norm(tracks.floor_m[:, None] - tracks.floor_m[None], axis=2)
    np.fill_diagonal(apart_m, np.inf)
    nearest_m: NDArray[np.float32] = np.nan_to_num(apart_m, nan=np.inf).min(axis=1, initial=np.inf)
    return nearest_m
