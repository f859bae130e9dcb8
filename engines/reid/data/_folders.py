"""Looks whether a folder is laid out as its data set is, and reads its pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from configs.build import InputError

PNG, PNG_END = b"\x89PNG", b"IEND"


def checked(folder: Path, wanted: Sequence[str], layout: str) -> Path:
    """The folder, which holds all that is wanted; raises InputError that says what a set's layout is."""
    if _holds(folder, wanted):
        return folder
    if not folder.is_dir():
        raise InputError(f"{folder}: is no folder; expected {layout}")
    missing = next(name for name in wanted if not (folder / name).exists())
    inside = next((one for one in sorted(folder.iterdir()) if _holds(one, wanted)), None)
    hint = f"; did you mean {inside}?" if inside else ""
    raise InputError(f"{folder}: has no {missing}; expected {layout}{hint}")


def color(path: Path) -> NDArray[np.uint8]:
    """A picture in RGB, (h, w, 3); raises InputError where it cannot be read whole."""
    pixels = _decoded(path, cv2.IMREAD_COLOR)
    return np.ascontiguousarray(pixels[..., ::-1]).astype(np.uint8, copy=False)


def depth(path: Path) -> NDArray[np.uint16]:
    """Depth (h, w) in the unit of its file, 0 where unknown; raises InputError where it cannot be read whole."""
    pixels = _decoded(path, cv2.IMREAD_UNCHANGED)
    if pixels.ndim != 2 or pixels.dtype != np.uint16:
        raise InputError(
            f"{path}: must be depth in 16 bits, (h, w), is {pixels.dtype} {pixels.shape}; fetch it again"
        )
    return pixels


def _holds(folder: Path, wanted: Sequence[str]) -> bool:
    return all((folder / name).exists() for name in wanted)


def _decoded(path: Path, how: int) -> NDArray[Any]:
    try:
        written = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read, {error.strerror}; fetch the data set again") from error
    # of a PNG that breaks off OpenCV would have words of its own; of a JPEG, read by itself from a file, it would
    # take the rest for grey
    is_whole = PNG_END in written if written.startswith(PNG) else bool(written)
    pixels = cv2.imdecode(np.frombuffer(written, np.uint8), how) if is_whole else None
    if pixels is None:
        raise InputError(f"{path}: is no picture, or not all of one; fetch the data set again")
    return pixels
