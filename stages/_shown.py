"""The picture of a frame that an engine reads, or a line that says why there is none."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pipeline.messages import Frame, decoded
from pipeline.stage import InputError


def shown(frame: Frame, reads: str) -> Frame:
    """The frame, with the picture that an engine reads in pixels: who comes later need not decode it again."""
    require(frame, reads)
    try:
        pictures: dict[str, Any] = {reads: decoded(getattr(frame, reads))}
    except ValueError as error:  # of many that are looked at together, this one
        said = (
            f"{frame.camera_id}: frame {frame.index} has {_article(reads)} {reads} that is damaged, {error}"
        )
        raise InputError(f"{said}; record it again, or leave it out") from error
    return replace(frame, **pictures)


def require(frame: Frame, reads: str) -> None:
    """Raises InputError where the frame has no such picture."""
    if getattr(frame, reads) is None:
        said = f"{frame.camera_id}: frame {frame.index} has no {reads}"
        raise InputError(f"{said}; give this camera {_article(reads)} {reads} stream")


def _article(word: str) -> str:
    return "an" if word[0] in "aeiou" else "a"
