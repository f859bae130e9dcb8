"""What a run said: every person of every frame, and who its tracklets are in the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Self, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from configs.known import known
from engines.evaluate._lines import lines_of

EVENTS, POSITIONS = "events.jsonl", "positions.jsonl"
T = TypeVar("T")
SIGHTINGS = ("appeared", "observed", "reappeared", "lost", "expired")


@dataclass(frozen=True, slots=True, eq=False)
class CameraRun:
    """What one camera's part of a run said: its frames, and rows of people as parallel arrays by ascending frame."""

    camera_id: str
    frame_indices: NDArray[np.int64]  # (f,), ascending: every frame that was looked at
    captured_ns: NDArray[np.int64]  # (f,)
    row_frames: NDArray[np.int64]  # (n,), the frame index of each row
    tracklet_ids: tuple[str, ...]  # (n,), in one frame each at most once
    boxes: NDArray[np.float64]  # (n, 4), left, top, right, bottom in pixels
    floor_m: NDArray[np.float64]  # (n, 2), in the site's frame; NaN where unknown

    def __len__(self) -> int:
        return len(self.tracklet_ids)

    @classmethod
    def silent(cls, camera_id: str) -> Self:
        """That of a camera that said nothing."""
        none = np.empty(0, np.int64)
        return cls(camera_id, none, none, none, (), np.empty((0, 4)), np.empty((0, 2)))


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """The cameras of a run by name, and the identity of each tracklet that got one, corrections applied."""

    cameras: Mapping[str, CameraRun]
    identity_of: Mapping[str, str]
    sizes_px: Mapping[str, tuple[int, int]] = field(default_factory=dict)  # of pictures, by camera
    unplaced: str = ""  # what is wrong where floors are compared: a camera has one of its own


def read_run(place: Path) -> Run:
    """The run in a folder, or beside its event log. Raises ValueError with the file and the line."""
    folder = place if place.is_dir() else place.parent
    events = folder / EVENTS if place.is_dir() else place
    identity_of, sizes_px = _told(events)
    if not (folder / POSITIONS).exists():
        raise ValueError(f"{folder / POSITIONS}: is not there; run again with --positions")
    cameras, unplaced = _cameras(folder / POSITIONS)
    return Run(cameras, identity_of, sizes_px, unplaced)


class _Envelope(msgspec.Struct):
    type: str
    data: msgspec.Raw


class _Sighting(msgspec.Struct):
    identity_id: str
    tracklet_id: str


class _Correction(msgspec.Struct, rename={"from_ids": "from", "to_ids": "to"}):
    from_ids: list[str]
    to_ids: Annotated[list[str], msgspec.Meta(min_length=1)]
    tracklet_ids: list[str] = []


class _Line(msgspec.Struct):
    camera_id: str
    frame_index: int
    captured_ns: int
    floor_frame: str
    tracklet_ids: list[str]
    boxes_px: list[tuple[float, float, float, float]]
    floor_m: list[tuple[float | None, float | None]]


class _Place(msgspec.Struct):
    camera_id: str
    image_size_px: tuple[int, int]


def _told(path: Path) -> tuple[dict[str, str], dict[str, tuple[int, int]]]:
    """The identity of each tracklet after all events, in the order of the log, and the size of each camera's pictures.
    What was erased stays who it was.
    """
    identity_of: dict[str, str] = {}
    sizes_px: dict[str, tuple[int, int]] = {}
    for number, line in lines_of(path):
        where = f"{path}: line {number}"
        event = _decoded(line, _Envelope, where)
        match event.type.split("."):
            case ["sightline", "identity", "merged", _]:
                merged = _decoded(event.data, _Correction, where)
                identity_of |= {t: merged.to_ids[0] for t, i in identity_of.items() if i in merged.from_ids}
            case ["sightline", "identity", "split", _]:
                split = _decoded(event.data, _Correction, where)
                identity_of |= dict.fromkeys(split.tracklet_ids, split.to_ids[-1])
            case ["sightline", "identity", kind, _] if kind in SIGHTINGS:
                seen = _decoded(event.data, _Sighting, where)
                identity_of[seen.tracklet_id] = seen.identity_id
            case ["sightline", "tracklet", _, _]:
                place = _decoded(event.data, _Place, where)
                sizes_px[place.camera_id] = place.image_size_px
    return identity_of, sizes_px


def _cameras(path: Path) -> tuple[dict[str, CameraRun], str]:
    """The cameras, and what stands against comparing their floors, if anything."""
    frames: dict[str, dict[int, _Line]] = {}
    unplaced = ""
    for number, text in lines_of(path):
        where = f"{path}: line {number}"
        line = _decoded(text, _Line, where)
        if mistake := _mistake(line):
            raise ValueError(f"{where}: {mistake}")
        of_camera = frames.setdefault(line.camera_id, {})
        if line.frame_index in of_camera:
            what = f"frame {line.frame_index} of camera {line.camera_id!r} is there already"
            raise ValueError(f"{where}: {what}; give the positions of one run")
        of_camera[line.frame_index] = line
        if line.tracklet_ids and line.floor_frame == line.camera_id:
            what = f"camera {line.camera_id!r} has a floor of its own"
            unplaced = unplaced or f"{where}: {what}; give its x_m, y_m and yaw_deg in the site file"
    return {camera_id: _camera(camera_id, frames[camera_id]) for camera_id in sorted(frames)}, unplaced


def _mistake(line: _Line) -> str:
    """What is wrong with a line, if anything."""
    rows = len(line.tracklet_ids)
    if not rows == len(line.boxes_px) == len(line.floor_m):
        return "tracklet_ids, boxes_px and floor_m differ in length; give a log as a run wrote it"
    if len(set(line.tracklet_ids)) < rows:
        return "a tracklet is there twice; give a log as a run wrote it"
    return ""


def _camera(camera_id: str, frames: Mapping[int, _Line]) -> CameraRun:
    lines = [frames[index] for index in sorted(frames)]
    rows = [len(line.tracklet_ids) for line in lines]
    indices = np.array([line.frame_index for line in lines], np.int64)
    return CameraRun(
        camera_id=camera_id,
        frame_indices=indices,
        captured_ns=np.array([line.captured_ns for line in lines], np.int64),
        row_frames=np.repeat(indices, rows),
        tracklet_ids=tuple(id for line in lines for id in line.tracklet_ids),
        boxes=np.array([box for line in lines for box in line.boxes_px], float).reshape(-1, 4),
        floor_m=np.array([place for line in lines for place in line.floor_m], float).reshape(-1, 2),
    )


def _decoded(text: str | msgspec.Raw, kind: type[T], where: str) -> T:
    try:
        return msgspec.json.decode(text, type=known(kind))
    except msgspec.DecodeError as error:
        raise ValueError(f"{where}: {_lower(str(error))}; give a log as a run wrote it") from error


def _lower(text: str) -> str:
    return text[0].lower() + text[1:]
