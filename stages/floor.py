"""Finds the floor that each camera sees, and so its height and tilt, and what always stands on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from hashlib import blake2b
from typing import Any, ClassVar

import numpy as np

from calibration.camera import View, pose_from_plane
from calibration.floor import SAMPLES, FloorPlane, Samples, find_floor, found_again, points_of, samples_of
from calibration.standing import Standing, nothing_around
from pipeline.keyed import Keyed
from pipeline.messages import Frame, SystemEvent, decoded
from pipeline.stage import Memory, Stage

LOOK_S = 0.2
POOLED = 6  # looks: people walk on, the floor stays
SURE = 0.2  # of a whole picture: with so much floor in it, one look is enough
AGREE = 3.0  # times as far apart as a floor that has moved
QUIET = 0.008  # 1/m: with more noise than this, looks have to agree
MOVED_M, MOVED_DEG = 0.03, 1.0


@dataclass
class Floor(Stage[Frame, Frame | SystemEvent]):
    """Gives each frame with depth the pose of its camera, from the first one that shows enough floor. Frames
    before that go on without one, and nobody can be found in them.
    """

    memory: ClassVar[Memory] = Memory.CAMERA
    max_tilt_deg: float = 50.0
    again_s: float = 5.0  # how often it makes sure that the floor is where it was
    is_live: bool = False  # no later run sees these frames again; given by the runtime
    _pictures: Keyed[Samples] = field(default_factory=Keyed, init=False)  # by time
    _looked_ns: int = field(default=-(10**18), init=False)
    _written_ns: int = field(default=-(10**18), init=False)  # all that was known then is in a snapshot
    _fitted_ns: int = field(default=-(10**18), init=False)
    _plane: FloorPlane | None = field(default=None, init=False)
    _standing: Standing | None = field(default=None, init=False)
    _is_lost: bool = field(default=False, init=False)
    _views: tuple[View, View] | None = field(default=None, init=False)  # as it came, and with its pose

    def __post_init__(self) -> None:
        if not 0 < self.max_tilt_deg < 90:
            raise ValueError(f"max_tilt_deg must be between 0 and 90, got {self.max_tilt_deg}")
        if self.again_s <= 0:
            raise ValueError(f"again_s must be above 0, got {self.again_s}")

    def process(self, frame: Frame) -> Iterator[Frame | SystemEvent]:
        if frame.view.world_from_camera is not None or frame.depth is None:
            yield frame
            return
        if frame.captured_ns - self._looked_ns >= LOOK_S * 1e9:
            depth = decoded(frame.depth)
            frame = replace(frame, depth=depth)
            yield from self._look(frame, samples_of(depth, frame.depth_scale_m, frame.view.intrinsics))
        yield frame if self._plane is None else replace(frame, view=self._placed(frame.view, self._plane))

    def snapshot(self) -> dict[str, Any]:
        if self._looked_ns == self._written_ns:
            return {}
        if self.is_live and self._fitted_ns <= self._written_ns:
            return {}  # nobody counts on the last looks: a map that is some seconds old will do
        self._written_ns, plane = self._looked_ns, self._plane
        return {
            "pictures": self._pictures.changes(),
            "times_ns": (self._looked_ns, self._fitted_ns),
            "plane": None if plane is None else [getattr(plane, f.name) for f in fields(plane)],
            "standing": None if self._standing is None else self._standing.packed(),
            "lost": self._is_lost,
        }

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        self._pictures.apply(snapshot["pictures"])
        self._looked_ns, self._fitted_ns = snapshot["times_ns"]
        self._plane = FloorPlane(*snapshot["plane"]) if snapshot["plane"] else None
        self._standing = Standing.unpacked(*snapshot["standing"]) if snapshot["standing"] else None
        self._is_lost, self._written_ns = snapshot["lost"], self._looked_ns

    def _look(self, frame: Frame, picture: Samples) -> Iterator[SystemEvent]:
        settled = self._plane is not None and len(self._pictures) == POOLED
        if not settled or frame.captured_ns - self._fitted_ns >= self.again_s * 1e9:
            self._pictures.put(frame.captured_ns, picture)
            for oldest, _ in list(self._pictures.items())[:-POOLED]:
                self._pictures.delete(oldest)
            if self._plane is None or len(self._pictures) == POOLED:  # a fit costs more than all else here
                self._fitted_ns = frame.captured_ns
                yield from self._fit(frame, settled)
        if self._plane is not None:
            pose = self._placed(frame.view, self._plane).pose
            known = self._standing or nothing_around(*pose.translation_m[:2])
            self._standing = known.after(pose.apply(points_of(picture)))
        self._looked_ns, self._views = frame.captured_ns, None

    def _fit(self, frame: Frame, settled: bool) -> Iterator[SystemEvent]:
        if self._plane is not None and settled:
            again = found_again(self._plane, self._pictures.values())
            if again is not None and not _moved(self._plane, again):
                return
        try:
            plane = find_floor(self._pictures.values(), self.max_tilt_deg)
        except ValueError as error:
            yield from self._missed(frame, error)
            return
        if self._plane is None:
            is_sure = plane.on >= SURE * SAMPLES * len(self._pictures) and plane.noise < QUIET
            if not is_sure and not self._agreed():
                return
            yield self._said("floor_found", frame, plane)
        elif _moved(self._plane, plane):
            self._standing = None
            yield self._said("floor_moved", frame, plane)
        elif settled:
            return
        self._plane, self._is_lost = plane, False

    def _agreed(self) -> bool:
        """Whether what little floor there was is the same in every other look as in the rest."""
        if len(self._pictures) < POOLED:
            return False
        try:
            some, others = (find_floor(self._pictures.values()[i::2], self.max_tilt_deg) for i in (0, 1))
        except ValueError:
            return False
        return not _moved(some, others, AGREE)

    def _missed(self, frame: Frame, error: ValueError) -> Iterator[SystemEvent]:
        if not self._is_lost:
            self._is_lost = True
            yield SystemEvent("floor_lost", frame.camera_id, frame.captured_ns, str(error))

    def _said(self, kind: Any, frame: Frame, plane: FloorPlane) -> SystemEvent:
        detail = f"{plane.height_m:.3f} m below the camera, which is tilted by {plane.tilt_deg:.1f} degrees"
        return SystemEvent(kind, frame.camera_id, frame.captured_ns, detail)

    def _placed(self, view: View, plane: FloorPlane) -> View:
        """The view with its pose: one object between two looks."""
        if self._views is None or self._views[0] is not view:
            pose = pose_from_plane(plane.normal, plane.height_m, view.mount)
            numbers = np.concatenate([pose.rotation.ravel(), pose.translation_m]).round(6)
            id = blake2b(repr((numbers.tolist(), view.intrinsics)).encode(), digest_size=8).hexdigest()
            placed = replace(view, world_from_camera=pose, calibration_id=id, standing=self._standing)
            self._views = view, placed
        return self._views[1]


def _moved(before: FloorPlane, now: FloorPlane, tolerance: float = 1.0) -> bool:
    turned = np.degrees(np.arccos(np.clip(before.normal @ now.normal, -1.0, 1.0)))
    away_m = abs(now.height_m - before.height_m)
    return bool(away_m > tolerance * MOVED_M or turned > tolerance * MOVED_DEG)
