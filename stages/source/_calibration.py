"""What the manifest of a recording says of a camera, over what the site file says; where they differ, it is said."""

from __future__ import annotations

import logging
from dataclasses import dataclass, fields
from pathlib import Path

from calibration.camera import Intrinsics, Mount
from calibration.manifest import MANIFEST, ManifestError, read
from calibration.site import SiteCamera
from pipeline.stage import InputError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Calibration:
    """Of one camera, when it was recorded."""

    mount: Mount
    clock_offset_ms: float
    start_ns: int = 0  # of a video: when its first picture was taken
    intrinsics: Intrinsics | None = None  # of a video, which bears none itself


def calibration_of(path: Path, camera_id: str, mount: Mount, place: SiteCamera) -> Calibration:
    """From the manifest beside the file `path`, if it names this camera; else the site's `mount` and `place`."""
    told = Calibration(mount, place.clock_offset_ms)
    manifest = path.parent / MANIFEST
    if not manifest.is_file():
        return told
    try:
        camera = read(path.parent).cameras.get(camera_id)
    except ManifestError as error:
        raise InputError(str(error)) from error
    if camera is None or camera.file != path.name:
        log.warning(
            "%s: says nothing of camera %r and %s; the site file is used", manifest, camera_id, path.name
        )
        return told
    found = Calibration(
        told.mount if camera.mount is None else camera.mount,
        told.clock_offset_ms if camera.clock_offset_ms is None else camera.clock_offset_ms,
        camera.start_ns or 0,
        camera.intrinsics,
    )
    if differences := _differences(told, found):
        log.warning("%s: is used for camera %r, the site file differs: %s", manifest, camera_id, differences)
    return found


def _differences(site: Calibration, manifest: Calibration) -> str:
    pairs = [
        (field.name, getattr(site.mount, field.name), getattr(manifest.mount, field.name))
        for field in fields(Mount)
    ]
    pairs.append(("clock_offset_ms", site.clock_offset_ms, manifest.clock_offset_ms))
    said = [(name, there, here) for name, there, here in pairs if here is not None]  # None: found from depth
    return ", ".join(f"{name} {there} there and {here} here" for name, there, here in said if there != here)
