"""A contact sheet: a card for each person that was found, with the pictures that are kept of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from configs.build import InputError

Picture = NDArray[np.uint8]  # (height, width, 3), RGB
Color = tuple[int, int, int]

# twice the width at which a page shows it
COLUMNS, CARD_PX, SHOT_PX, PAD_PX, HEAD_PX, TEXT_PX = 4, (400, 216), (128, 208), 32, 84, 116
SHOTS, GAP_PX = 3, 8
LARGE, MEDIUM, SMALL = 34, 25, 20
INK, FAINT, GREY, PAPER = (32, 44, 57), (92, 106, 120), (229, 234, 239), (252, 252, 250)


@dataclass(frozen=True)
class Card:
    """Somebody that was found: a name, what is said of them, and pictures."""

    name: str
    details: Sequence[str]
    shots: Sequence[Picture]


def sheet_of(title: str, cards: Sequence[Card]) -> Picture:
    """All cards, best first, row by row."""
    columns = max(1, min(COLUMNS, len(cards)))
    rows = -(-len(cards) // columns)
    height = HEAD_PX + rows * (CARD_PX[1] + TEXT_PX) + PAD_PX
    width = max(2, columns) * (CARD_PX[0] + PAD_PX) + PAD_PX
    page = np.full((height, width, 3), PAPER, np.uint8)
    _write(page, _shortened(title, width - 2 * PAD_PX, LARGE), (PAD_PX, 54), INK, LARGE)
    for number, card in enumerate(cards):
        row, column = divmod(number, columns)
        corner = PAD_PX + column * (CARD_PX[0] + PAD_PX), HEAD_PX + row * (CARD_PX[1] + TEXT_PX)
        _draw(page, number + 1, card, corner)
    return page


def write_sheet(path: Path, page: Picture) -> None:
    """As a PNG, whole or not at all. Raises InputError."""
    _, encoded = cv2.imencode(".png", page[:, :, ::-1])
    new = path.with_name(f"{path.name}.new")
    try:
        new.write_bytes(encoded.tobytes())
        new.replace(path)
    except OSError as error:
        new.unlink(missing_ok=True)
        raise InputError(
            f"{path}: cannot be written, {error.strerror}; make room, or name another file"
        ) from error


def _draw(page: Picture, number: int, card: Card, corner: tuple[int, int]) -> None:
    left, top = corner
    for place in range(max(1, min(SHOTS, len(card.shots)))):
        x = left + place * (SHOT_PX[0] + GAP_PX)
        frame = page[top : top + SHOT_PX[1], x : x + SHOT_PX[0]]
        frame[:] = GREY
        if place < len(card.shots):
            _lay(frame, card.shots[place])
        else:
            _write(frame, "no picture", (16, SHOT_PX[1] // 2), FAINT, SMALL)
    y = top + SHOT_PX[1] + MEDIUM + 4
    _write(page, f"{number}  {card.name}", (left, y), INK, MEDIUM)
    for line, detail in enumerate(card.details):
        _write(page, _shortened(detail, CARD_PX[0], SMALL), (left, y + 26 * (line + 1)), FAINT, SMALL)


def _lay(frame: Picture, shot: Picture) -> None:
    """The whole picture in the middle of its frame."""
    ratio = min(frame.shape[0] / shot.shape[0], frame.shape[1] / shot.shape[1])
    size = [max(1, round(side * ratio)) for side in shot.shape[1::-1]]
    how = cv2.INTER_AREA if ratio < 1 else cv2.INTER_CUBIC
    scaled = cv2.resize(shot, size, interpolation=how)
    y, x = (frame.shape[0] - size[1]) // 2, (frame.shape[1] - size[0]) // 2
    frame[y : y + size[1], x : x + size[0]] = scaled


def _shortened(text: str, most_px: int, size: int) -> str:
    while _width(text, size) > most_px:
        text = text[:-2] + "\u2026"
    return text


def _width(text: str, size: int) -> int:
    box = cv2.getTextSize((0, 0), text, (0, 0), cv2.FontFace("sans"), size, _weight(size))
    return int(box[2])


def _weight(size: int) -> int:
    return 600 if size > SMALL else 400


def _write(page: Picture, text: str, at: tuple[int, int], color: Color, size: int) -> None:
    cv2.putText(page, text, at, color, cv2.FontFace("sans"), size, _weight(size))
