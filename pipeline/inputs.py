"""Puts other sources in the place of a graph's cameras: a folder of recordings, or simulated people."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

from configs.build import ConfigError

RECORDING, VIDEO = "source/recording", "source/video"
READERS = {"db3": RECORDING, "bag": RECORDING, "mp4": VIDEO, "mkv": VIDEO}

Cameras = dict[str, dict[str, Any]]


def simulated(cameras: Mapping[str, Any], settings: Mapping[str, Any]) -> Cameras:
    """Every camera shows the same simulated people."""
    return {id: {"stage": "source/simulated", **settings} for id in cameras}


def replayed(cameras: Mapping[str, Any], folder: Path) -> Cameras:
    """Every camera's own recording in `folder`; raises ConfigError for one that has none, or several. A camera that is
    a file already keeps what the graph says of how that is read; of a network camera, what its pictures show.
    """
    try:
        if not folder.is_dir():
            raise ConfigError(
                f"{folder}: there is no such folder; --replay takes one with a recording per camera"
            )
        return {id: _recording(id, folder, entry) for id, entry in cameras.items()}
    except PermissionError as error:
        raise ConfigError(f"{folder}: may not be read by this user; ask its owner, or copy it") from error


def fingerprint(cameras: Mapping[str, Mapping[str, Any]]) -> str:
    """A hash of the recordings that tells them apart without reading them whole: names, sizes, first bytes."""
    digest = blake2b(digest_size=16)
    for id, entry in sorted(cameras.items()):
        path = Path(entry["path"])
        with path.open("rb") as file:
            digest.update(f"{id}|{path.name}|{path.stat().st_size}|".encode() + file.read(1 << 16))
    return digest.hexdigest()


def _recording(camera_id: str, folder: Path, entry: Mapping[str, Any]) -> dict[str, Any]:
    names = [f"{camera_id}.{ending}" for ending in READERS]
    found = [folder / name for name in names if (folder / name).is_file()]
    if not found:
        raise ConfigError(
            f"{folder}: holds no recording of camera {camera_id!r}; looked for {', '.join(names)}"
        )
    if len(found) > 1:
        several = ", ".join(path.name for path in found)
        raise ConfigError(f"{folder}: holds {several} for camera {camera_id!r}; keep one of them")
    reader = READERS[found[0].suffix[1:]]
    if entry.get("stage") == reader:
        kept = dict(entry)
    else:  # what a network camera says of its pictures is true of a video of them
        kept = {"shows": entry["shows"]} if "shows" in entry and reader == VIDEO else {}
    return {**kept, "stage": reader, "path": str(found[0])}
