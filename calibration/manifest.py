"""What lies beside the files of a recording: its cameras, where they hung, how their clocks stood, what was lost."""

from __future__ import annotations

import difflib
import json
import math
import os
from dataclasses import asdict, dataclass, fields, replace
from hashlib import file_digest
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from calibration.camera import Intrinsics, Mount
from configs.known import known

MANIFEST = "manifest.json"
VERSION = 1

T = TypeVar("T")
Count = Annotated[int, msgspec.Meta(ge=0)]


class ManifestError(Exception):
    """A manifest that cannot be used, or written: `file: place: what is wrong; what to do`."""


@dataclass(frozen=True, slots=True)
class RecordedCamera:
    """One camera of a recording. What is None is not known."""

    file: str  # beside the manifest
    frames: Count | None = None  # in the file
    lost: Count | None = None  # while it was recorded
    sha256: str | None = None  # of the file, hex
    clock_offset_ms: float | None = None  # what to add to its stamps to get site time
    mount: Mount | None = None
    serial: str | None = None
    start_ns: Count | None = None  # of a video: when its first picture was taken
    intrinsics: Intrinsics | None = None  # of a video, which bears none itself


@dataclass(frozen=True, slots=True)
class Manifest:
    """A recording. `kind` keeps what was simulated from passing for what was seen."""

    made_by: str
    kind: Literal["recorded", "simulated"]
    site: str
    cameras: dict[str, RecordedCamera]
    version: int = VERSION


def read(folder: Path) -> Manifest:
    """The manifest of a recording, all its files being there; raises ManifestError."""
    path = folder / MANIFEST
    try:
        told = json.loads(
            path.read_bytes(), object_pairs_hook=_once, parse_float=_finite, parse_constant=_finite
        )
    except OSError as error:
        raise ManifestError(
            f"{path}: cannot be read, {str(error.strerror).lower()}; check the folder"
        ) from error
    except ValueError as error:
        raise ManifestError(f"{path}: is not such a file as this program writes, {error}; mend it") from error
    try:
        manifest = _manifest(told)
        _check_files(folder, manifest)
    except ValueError as error:
        raise ManifestError(f"{path}: {error}") from error
    return manifest


def recorded(
    folder: Path, camera_id: str, mount: Mount, frames: int, lost: int = 0
) -> dict[str, RecordedCamera]:
    """The entry of a camera whose `.db3` lies in the folder, with stamps in site time; none if it is not there."""
    path = folder / f"{camera_id}.db3"
    if not path.is_file():
        return {}
    return {camera_id: RecordedCamera(path.name, frames, lost, sha256_of(path), 0.0, mount)}


def write(folder: Path, manifest: Manifest) -> Path:
    """Write it whole or not at all; raises ManifestError."""
    path, unfinished = folder / MANIFEST, folder / f".{MANIFEST}.{os.getpid()}"
    text = json.dumps(_known(asdict(manifest)), indent=2, allow_nan=False) + "\n"
    try:
        with unfinished.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise ManifestError(
            f"{path}: cannot be written, {str(error.strerror).lower()}; make room, or choose another folder"
        ) from error
    return path


def sha256_of(path: Path) -> str:
    """The hash of a file, hex; a gigabyte takes a second or two."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def verify(folder: Path, manifest: Manifest) -> None:
    """Read every file whole; raises ManifestError for one that is not what was recorded."""
    for id, camera in manifest.cameras.items():
        if camera.sha256 is not None and sha256_of(folder / camera.file) != camera.sha256:
            where = f"{folder / MANIFEST}: cameras.{id}.sha256"
            raise ManifestError(f"{where}: {camera.file} has changed since it was recorded; copy it again")


def _manifest(told: Any) -> Manifest:
    _check_keys(told, Manifest, "")
    if told.get("version") != VERSION:
        by = f" ({told['made_by']})" if "made_by" in told else ""
        raise ValueError(
            f"version: must be {VERSION}, got {told.get('version')!r}; use the program that wrote it{by}"
        )
    cameras = told.get("cameras", {})
    if not isinstance(cameras, dict):
        raise ValueError(f"cameras: must be a map of cameras, got {cameras!r}")
    made = {id: _camera(camera, f"cameras.{id}") for id, camera in cameras.items()}
    shell = told | {"cameras": {}} if "cameras" in told else told
    return replace(_converted(shell, Manifest, ""), cameras=made)


def _camera(told: Any, place: str) -> RecordedCamera:
    _check_keys(told, RecordedCamera, place)
    for name, part in (("mount", Mount), ("intrinsics", Intrinsics)):
        if told.get(name) is not None:
            _check_keys(told[name], part, f"{place}.{name}")
    return _converted(told, RecordedCamera, place)


def _check_keys(told: Any, part: type[Any], place: str) -> None:
    if not isinstance(told, dict):
        raise ValueError(f"{place or 'the file'}: must be a map of settings, got {told!r}")
    names = [known.name for known in fields(part)]
    for key in told:
        if key not in names:
            near = difflib.get_close_matches(key, names, n=1)
            advice = f"did you mean {near[0]!r}?" if near else f"choose from {', '.join(names)}"
            raise ValueError(f"{place}.{key}: is not known; {advice}".lstrip("."))


def _converted(told: Any, part: type[T], place: str) -> T:
    try:
        return msgspec.convert(told, known(part))
    except msgspec.ValidationError as error:
        problem, _, inside = str(error).partition(" - at `$")
        where = (place + inside.rstrip("`")).lstrip(".") or "the file"
        raise ValueError(f"{where}: {problem[0].lower()}{problem[1:]}; mend it, or record again") from error


def _check_files(folder: Path, manifest: Manifest) -> None:
    owners: dict[str, str] = {}
    for id, camera in manifest.cameras.items():
        where = f"cameras.{id}.file"
        if Path(camera.file).name != camera.file:
            raise ValueError(
                f"{where}: must be a name without a folder, got {camera.file!r}; put it beside the manifest"
            )
        if other := owners.get(camera.file):
            raise ValueError(f"{where}: {camera.file} is that of camera {other!r} too; give each its own")
        if not (folder / camera.file).is_file():
            raise ValueError(f"{where}: {camera.file} is not there; copy it too, or take the camera out")
        owners[camera.file] = id


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A map whose keys come once each."""
    made = dict(pairs)
    if len(made) < len(pairs):
        twice = next(key for n, (key, _) in enumerate(pairs) if key in dict(pairs[:n]))
        raise ValueError(f"{twice!r} is in it twice")
    return made


def _finite(number: str) -> float:
    if not math.isfinite(float(number)):
        raise ValueError(f"{number} is not a number")
    return float(number)


def _known(value: Any) -> Any:
    """Without what is None."""
    if isinstance(value, dict):
        return {key: _known(inner) for key, inner in value.items() if inner is not None}
    return value
