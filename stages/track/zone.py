"""Follows people on the floor before several calibrated cameras together: what all of them see at one moment becomes
one set of tracks, in metres and seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from pipeline.keyed import Keyed
from pipeline.messages import Detections, Tracks
from pipeline.stage import InputError, Memory, Stage
from stages._feet import moving_feet
from stages.track._fusion import Measured
from stages.track._zone_people import Manners, ZonePeople

CAMERAS = "cameras"  # of the last moment


@dataclass
class Zones(Stage[Detections, Tracks]):
    """Puts where cameras have people at one moment together: by where they are expected, with nobody in one picture
    twice, each measurement as sure as the camera's geometry makes it. The tracks of one person have one id in all
    cameras of a zone. Cameras that are in no zone make one of their own each.

    Usable alone: `update(moment)` gives the tracks of one moment after another, for the detections of each camera.
    """

    memory: ClassVar[Memory] = Memory.SITE
    zones: dict[str, list[str]] = field(
        default_factory=dict
    )  # cameras by zone; none: all that are placed are one
    window_ms: float = 20.0  # after a first frame: what comes in it shows the same moment
    max_missed_s: float = 1.5  # an unseen person is expected for so long
    noise_px: float = 8.0  # of the lower edge of a box
    noise_m: float = 0.30  # of any place that a box gives: feet are hidden, and boxes end where they like
    depth_noise_m: float = 0.10  # of any that depth gives: heads are not feet, and no calibration is perfect
    acceleration: float = 0.6  # how much a speed changes in a second, in metres a second
    max_speed_m_s: float = 3.0
    min_new_score: float = 0.6  # weaker detections go on with a track, but begin none
    near_m: float = 2.0  # who is further apart is not one person
    alone_s: float = 0.6  # seen by one camera alone, somebody is believed in after so long
    _held: Keyed[Detections] = field(default_factory=Keyed, init=False, repr=False)  # by camera
    _people: Keyed[dict[str, Any]] = field(default_factory=Keyed, init=False, repr=False)  # packed, by zone
    _latest: Keyed[tuple[str, ...]] = field(default_factory=Keyed, init=False, repr=False)

    def __post_init__(self) -> None:
        positive = (
            "window_ms",
            "max_missed_s",
            "noise_px",
            "noise_m",
            "depth_noise_m",
            "acceleration",
            "max_speed_m_s",
            "near_m",
        )
        for name in (*positive, "alone_s"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")
        if not 0 <= self.min_new_score <= 1:
            raise ValueError(f"min_new_score must be 0 to 1, got {self.min_new_score}")
        named = [camera for cameras in self.zones.values() for camera in cameras]
        twice = sorted({camera for camera in named if named.count(camera) > 1})
        if twice:
            raise ValueError(f"zones: camera {twice[0]!r} is in two of them; leave it in one")

    def advance(self, to_ns: int) -> Iterator[Tracks]:
        held = self._held.values()
        if held and to_ns - held[0].frame.captured_ns > self.window_ms * 1e6:
            yield from self._moment()

    def process(self, detections: Detections) -> Iterable[Tracks]:
        self._held.put(detections.camera_id, detections)
        latest = self._latest.get(CAMERAS)
        if latest and {*latest} <= {one.camera_id for one in self._held.values()}:
            yield from self._moment()

    def finish(self) -> Iterator[Tracks]:
        yield from self._moment()

    def update(self, moment: Sequence[Detections]) -> list[Tracks]:
        """The tracks of each camera at one moment, in the order in which its detections are given."""
        zones: dict[str, list[int]] = {}
        for number, one in enumerate(moment):
            zones.setdefault(self._zone(one), []).append(number)
        tracks: dict[int, Tracks] = {}
        for zone, numbers in zones.items():
            made = self._of_zone(zone, [moment[number] for number in numbers])
            tracks |= dict(zip(numbers, made, strict=True))
        return [tracks[number] for number in range(len(moment))]

    def _moment(self) -> Iterator[Tracks]:
        held = sorted(self._held.values(), key=lambda one: one.camera_id)
        self._held.clear()
        self._latest.put(CAMERAS, tuple(one.camera_id for one in held))
        yield from self.update(held)

    def _zone(self, detections: Detections) -> str:
        camera, view = detections.camera_id, detections.frame.view
        for zone, cameras in self.zones.items():
            if camera in cameras:
                if not view.mount.is_placed:
                    what = f"camera {camera!r} of zone {zone!r} is not placed"
                    raise InputError(f"{what}; give its x_m, y_m and yaw_deg in the site file")
                return zone
        return view.frame_id(camera) if not self.zones else camera

    def _of_zone(self, zone: str, moment: Sequence[Detections]) -> list[Tracks]:
        known_people = self._people.get(zone)
        people = ZonePeople.unpacked(known_people) if known_people else ZonePeople()
        now_ns = max(one.frame.captured_ns for one in moment)
        measured, known = _measured(moment, self.noise_px, self.noise_m, self.depth_noise_m)
        scores = np.concatenate([one.scores for one in moment]).astype(float)[known]
        whose = np.full(len(known), -1, np.intp)
        whose[known] = people.see(now_ns, measured, scores, self._manners)
        self._people.put(zone, people.packed())
        ends = np.cumsum([len(one) for one in moment])
        return [
            _tracks(zone, one, people, part)
            for one, part in zip(moment, np.split(whose, ends[:-1]), strict=True)
        ]

    @property
    def _manners(self) -> Manners:
        return Manners(
            self.max_missed_s,
            self.acceleration**2,
            self.max_speed_m_s,
            self.min_new_score,
            self.near_m,
            self.alone_s,
        )


def _measured(
    moment: Sequence[Detections], noise_px: float, noise_m: float, depth_noise_m: float
) -> tuple[Measured, NDArray[np.bool_]]:
    """The places of all detections that have one, and which of them those are."""
    places, covariances, cameras = [np.empty((0, 2))], [np.empty((0, 2, 2))], [np.empty(0, np.intp)]
    for number, one in enumerate(moment):
        n = len(one)
        variance_px2 = np.full((n, 2), noise_px**2)
        feet = moving_feet(one.frame, one.boxes.astype(float), one.boxes, variance_px2, np.zeros((n, 2)))
        by_depth = ~np.isnan(one.heights_m)[:, None, None]  # its detector says where they are, not their box
        by_box = feet.covariance_m2.astype(float) + noise_m**2 * np.eye(2)
        places.append(one.floor_m.astype(float))
        covariances.append(np.where(by_depth, depth_noise_m**2 * np.eye(2), by_box))
        cameras.append(np.full(n, number, np.intp))
    place, covariance = np.concatenate(places), np.concatenate(covariances)
    unknown = np.isnan(np.hstack([place, covariance.reshape(-1, 4)]))
    known: NDArray[np.bool_] = np.asarray(~unknown.any(axis=1))
    return Measured(np.concatenate(cameras)[known], place[known], covariance[known]), known


def _tracks(zone: str, seen: Detections, people: ZonePeople, whose: NDArray[np.intp]) -> Tracks:
    """What one camera shows of those who are followed."""
    found = np.flatnonzero(whose >= 0)
    found = found[people.is_sure[whose[found]]]
    rows, motion = whose[found], people.motion
    return Tracks(
        frame=replace(seen.frame, zone=zone),
        boxes=seen.boxes[found],
        scores=seen.scores[found],
        track_scores=people.score[rows].astype(np.float32),
        track_ids=people.ids[rows],
        floor_m=motion.places_m[rows].astype(np.float32),
        velocity_m_s=motion.state[rows, 2:].astype(np.float32),
        covariance_m2=motion.covariance_m2[rows].astype(np.float32),
        heights_m=seen.heights_m[found],
        box_error_px=np.full(len(rows), np.nan, np.float32),
    )
