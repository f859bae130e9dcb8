"""A camera that sees simulated people: colour and depth of bodies that walk about a site, never of real ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from math import isfinite
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.camera import Intrinsics, Mount, View, pose_of
from calibration.site import Site
from engines.people.hardness import Hardness, hardness
from engines.people.raster import Pinhole
from engines.people.scene import Scene
from engines.people.setting import Camera
from engines.people.sight import Sight
from engines.people.staging import scene_of
from engines.people.truth_files import camera_truth, things_seen
from engines.people.truth_files import write_truth as write_files
from pipeline.messages import Frame
from pipeline.stage import InputError, Source

EPOCH_NS = 1_767_225_600_000_000_000  # 2026-01-01 00:00:00 UTC, when every simulation begins
LENS = Intrinsics(640, 480, 385.0, 385.0, 319.5, 239.5)  # a D455's at this size
MOST_PEOPLE = 100
_building = Lock()  # cameras open at the same time, and share a scene


@dataclass
class Simulated(Source[Frame]):
    """`people` who walk about before all cameras of the site that have a height and a tilt, for so many `seconds`.
    All cameras are triggered together. The same settings and site give the same frames; any one alone, too.
    """

    people: int = 12
    seconds: float = 120.0
    fps: float = 10.0
    seed: int = 1
    _sight: Sight | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.people <= MOST_PEOPLE:
            raise ValueError(f"people must be from 0 to {MOST_PEOPLE}, got {self.people}")
        for name in ("seconds", "fps"):
            value = getattr(self, name)
            if not (isfinite(value) and value > 0):
                raise ValueError(f"{name} must be above 0, got {value}")
        if self.seed < 0:
            raise ValueError(f"seed must be 0 or more, got {self.seed}")

    def open(self) -> None:
        super().open()
        self._sight = self.sight()

    def close(self) -> None:
        self._sight = None
        super().close()

    def produce(self, from_ns: int) -> Iterator[Frame]:
        if self._sight is None:
            raise RuntimeError("produce() comes after open()")
        view, stamps = self._view, self.captured_ns
        for index in range(int(np.searchsorted(stamps, from_ns)), len(stamps)):
            color, depth = self._sight.frame(index, index / self.fps)
            yield Frame(self.camera_id, index, int(stamps[index]), view, color=color, depth=depth)

    @property
    def captured_ns(self) -> NDArray[np.int64]:
        """When each of its frames is taken (n,)."""
        frames = max(1, round(self.seconds * self.fps))
        return np.asarray(EPOCH_NS + np.rint(np.arange(frames) * 1e9 / self.fps).astype(np.int64))

    def scene(self) -> Scene:
        """Everybody and everything before the site's cameras; raises InputError where that cannot be."""
        where = f"{self.site.name}.yaml: cameras.{self.camera_id}"
        if self.camera_id not in self._mounts:
            needed = "height_m, pitch_deg and roll_deg, and x_m, y_m and yaw_deg"
            raise InputError(f"{where}: is not wholly placed, so it cannot be simulated; give it {needed}")
        try:
            with _building:
                return _scene(tuple(self._mounts.values()), self.people, self.seconds, self.seed)
        except ValueError as error:
            raise InputError(f"{where}: {error}") from error

    def sight(self) -> Sight:
        """What this camera sees of the scene."""
        return Sight(self.scene(), list(self._mounts).index(self.camera_id), self.seed)

    @property
    def _mounts(self) -> dict[str, Mount]:
        """The site's cameras that can be simulated."""
        mounts = {id: camera.mount for id, camera in self.site.cameras.items()}
        return {id: mount for id, mount in mounts.items() if mount.is_placed and mount.height_m is not None}

    @property
    def _view(self) -> View:
        """What the graph is told: not height and tilt, which it must find for itself."""
        mount = self.place.mount
        told = Mount(mount.x_m, mount.y_m, mount.yaw_deg, is_placed=mount.is_placed)
        digest = blake2b(f"{LENS}{told}".encode(), digest_size=6).hexdigest()
        return View(LENS, told, calibration_id=f"simulated-{digest}")


def write_truth(folder: Path, settings: Mapping[str, Any], site: Site, camera_ids: Sequence[str]) -> Hardness:
    """Write into `folder`/truth what is true of the frames that Simulated, with these settings, gives of cameras,
    and count how hard it is.
    """
    sources = [Simulated(camera_id=id, site=site, **settings) for id in camera_ids]
    with ThreadPoolExecutor() as pool:
        told = list(pool.map(_truth, sources))
    people = sources[0].scene().people
    truths, things = zip(*told, strict=True)
    write_files(folder, people, truths, dict(zip(camera_ids, things, strict=True)))
    return hardness(folder)


def _truth(source: Simulated) -> Any:
    stamps = source.captured_ns
    times = np.arange(len(stamps)) / source.fps
    sight = source.sight()
    return camera_truth(source.camera_id, sight, times, stamps), things_seen(sight, source.seconds)


@lru_cache(maxsize=4)
def _scene(mounts: tuple[Mount, ...], people: int, seconds: float, seed: int) -> Scene:
    cameras = []
    for pose in filter(None, map(pose_of, mounts)):
        back = pose.inverse()
        # rounded, so that it is the same on every machine
        turn, shift = np.round(back.rotation, 12), np.round(back.translation_m, 12)
        eye = Pinhole(turn, shift, LENS.fx_px, LENS.fy_px, LENS.cx_px, LENS.cy_px)
        cameras.append(Camera(eye, LENS.width_px, LENS.height_px))
    return scene_of(cameras, people, seconds, seed)
