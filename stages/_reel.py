"""One video file that is being written: pictures at their own times, whole at the end or not there at all."""

from __future__ import annotations

import os
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from av.error import FFmpegError

from pipeline.messages import Picture
from pipeline.stage import InputError

ENDINGS = (".mp4", ".mkv")
TICKS = 60_000  # a second: whole numbers at every usual rate, and as many as MPEG-4 can have
CODECS = ("libx264", "mpeg4")  # the first that there is
OPTIONS = {"libx264": {"crf": "23", "preset": "veryfast", "bf": "0"}, "mpeg4": {"qscale": "4"}}


class Reel:
    """Written beside its place under another name, and put there by `finish`. The first picture is at 0."""

    def __init__(self, path: Path, size_px: tuple[int, int]) -> None:
        self.path, self._unfinished = path, path.with_name(f".{os.getpid()}.{path.name}")
        self._size = size_px[0] + size_px[0] % 2, size_px[1] + size_px[1] % 2  # these codecs want even ones
        self._first_ns: int | None = None
        self._last = -1
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file: Any = self._unfinished.open("xb", buffering=0)
            self._container: Any = av.open(
                self._file, "w", format={".mp4": "mp4"}.get(path.suffix, "matroska")
            )
            self._stream = self._added()
        except (OSError, FFmpegError) as error:
            self.abandon()
            raise self._unwritten(error) from error

    def add(self, picture: Picture, captured_ns: int) -> None:
        """One more picture, RGB; of another size than the first it is stretched to that."""
        self._first_ns = captured_ns if self._first_ns is None else self._first_ns
        ticks = round((captured_ns - self._first_ns) * TICKS / 1_000_000_000)
        self._last = max(ticks, self._last + 1)
        shown = av.VideoFrame.from_ndarray(self._fitted(picture), format="rgb24")
        shown.pts, shown.time_base = self._last, Fraction(1, TICKS)
        try:
            self._container.mux(self._stream.encode(shown))
        except (OSError, FFmpegError) as error:
            raise self._unwritten(error) from error

    def finish(self) -> None:
        """Write what is held, and put the file in its place."""
        try:
            self._container.mux(self._stream.encode())
            self._container.close()
            os.fsync(self._file.fileno())
            self._file.close()
            if self.path.exists():
                raise FileExistsError(17, "somebody else has put a file there")
            self._unfinished.replace(self.path)
        except (OSError, FFmpegError) as error:
            raise self._unwritten(error) from error

    def abandon(self) -> None:
        """Leave nothing behind of a file that is not finished."""
        with suppress(OSError, FFmpegError, AttributeError):
            self._container.close()
        with suppress(OSError, AttributeError):
            self._file.close()
        self._unfinished.unlink(missing_ok=True)

    def _added(self) -> Any:
        codec = next(name for name in CODECS if name in av.codecs_available)
        stream: Any = self._container.add_stream(codec, rate=30, options=OPTIONS[codec])
        stream.width, stream.height = self._size
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, TICKS)
        return stream

    def _fitted(self, picture: Picture) -> Picture:
        height, width = picture.shape[:2]
        if (width + width % 2, height + height % 2) != self._size:
            return np.asarray(cv2.resize(picture, self._size), np.uint8)
        return np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")

    def _unwritten(self, error: Exception) -> InputError:
        why = str(getattr(error, "strerror", None) or error).lower()
        return InputError(f"{self.path}: cannot be written, {why}; make room, or choose another place")
