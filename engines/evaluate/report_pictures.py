"""Strips of pictures of one person for a report: cut out of videos, or of folders of pictures, a camera each."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.evaluate.evaluation import Sheet
from engines.evaluate.moments import moments_of
from engines.evaluate.truth import CameraTruth

Picture = NDArray[np.uint8]  # (height, width, 3), BGR

VIDEOS, PICTURES = (".mp4", ".mkv", ".avi"), (".jpg", ".jpeg", ".png")
TALL_PX, AROUND = 150, 0.25  # of a cut-out, and of a box what is shown around it
MOST_CAMERAS = 3


class Album:
    """What a folder holds: `<camera>.mp4`, or pictures in `<camera>/` or `<camera>/img1/`, in the order of frames.
    Raises ValueError where it holds nothing of any camera.
    """

    def __init__(self, folder: Path, cameras: Sequence[str], size_px: tuple[int, int] | None) -> None:
        self._size_px = size_px
        self._videos = {c: file for c in cameras for s in VIDEOS if (file := folder / f"{c}{s}").is_file()}
        self._files = {c: found for c in cameras if (found := _pictures(folder / c))}
        self._open: dict[str, cv2.VideoCapture] = {}
        if not self._videos and not self._files:
            named = ", ".join(cameras)
            what = f"holds neither <camera>.mp4 nor <camera>/*.jpg of {named}"
            raise ValueError(f"{folder}: {what}; name the folder of their videos or pictures")

    def cut_out(self, camera: str, frame: int, box: NDArray[np.float64]) -> str:
        """Somebody in a frame, whose box (4,) is left, top, width, height, as an address that holds the picture; empty
        where there is none.
        """
        picture = self._picture(camera, frame)
        if picture is None:
            return ""
        shown = np.array(picture.shape[1::-1])
        scale = shown / self._size_px if self._size_px else np.ones(2)
        left, top, width, height = box * np.tile(scale, 2)
        x, y = max(0, int(left - AROUND * width)), max(0, int(top - AROUND * height / 2))
        right, bottom = int(left + (1 + AROUND) * width), int(top + (1 + AROUND / 2) * height)
        cut = picture[y : max(bottom, y + 1), x : max(right, x + 1)]
        if not cut.size:
            return ""
        ratio = TALL_PX / cut.shape[0]
        sized = cv2.resize(cut, (max(1, round(cut.shape[1] * ratio)), TALL_PX), interpolation=cv2.INTER_AREA)
        _, encoded = cv2.imencode(".jpg", sized, [cv2.IMWRITE_JPEG_QUALITY, 80])
        return f"data:image/jpeg;base64,{b64encode(encoded.tobytes()).decode()}"

    def close(self) -> None:
        """Give back the videos."""
        for video in self._open.values():
            video.release()

    def _picture(self, camera: str, frame: int) -> Picture | None:
        if camera in self._files:
            files = self._files[camera]
            return _read(files[frame]) if frame < len(files) else None
        if camera not in self._videos:
            return None
        video = self._open.setdefault(camera, cv2.VideoCapture(str(self._videos[camera])))
        video.set(cv2.CAP_PROP_POS_FRAMES, frame)
        is_read, picture = video.read()
        return np.asarray(picture, np.uint8) if is_read else None


class Shots:
    """Where a person of a sheet is to be seen: the camera, its frame, and the box."""

    def __init__(self, sheet: Sheet) -> None:
        self._sheet = sheet
        self._begins = moments_of(sheet.seen)

    def of(self, person: int, frame: int) -> list[tuple[str, int, NDArray[np.float64]]]:
        """In one frame of the sheet, the largest first."""
        found = []
        for camera in self._sheet.seen:
            rows = np.flatnonzero(
                (camera.people == person) & (self._frames(camera) == self._sheet.frames[frame])
            )
            found += [
                (camera.camera_id, int(camera.frame_indices[row]), camera.boxes[row]) for row in rows[:1]
            ]
        known = [shot for shot in found if not np.isnan(shot[2]).any()]
        return sorted(known, key=lambda shot: -float(shot[2][3]))[:MOST_CAMERAS]

    def _frames(self, camera: CameraTruth) -> NDArray[np.int64]:
        if self._sheet.said is None:
            return camera.frame_indices
        return np.asarray(np.searchsorted(self._begins, camera.captured_ns, "right") - 1, np.int64)


def _pictures(folder: Path) -> list[Path]:
    inner = folder / "img1" if (folder / "img1").is_dir() else folder
    return sorted(file for file in inner.glob("*") if file.suffix.lower() in PICTURES)


@lru_cache(maxsize=8)
def _read(file: Path) -> Picture | None:
    picture = cv2.imread(str(file))
    return None if picture is None else np.asarray(picture, np.uint8)
