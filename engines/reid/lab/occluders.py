"""What hides people: things and second persons in front of them, rectangles, a neighbour in the same box. Each says
where it is, and what. Those of training and those of tests have different textures.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.reid.lab.drawing import Picture, Sighted

Mask = NDArray[np.bool_]
Split = Literal["train", "test"]
Kind = Literal["car", "plant", "bin", "pole", "pram", "person"]
KINDS: tuple[Kind, ...] = ("car", "plant", "bin", "pole", "pram", "person")
THINGS = KINDS[:-1]
TEXTURES: dict[Split, tuple[str, ...]] = {
    "train": ("plain", "bands", "speckles"),
    "test": ("checks", "waves", "blotches"),
}


class Hidden(NamedTuple):
    """A picture in which something hides part of somebody."""

    picture: Picture
    mask: Mask  # (h, w), where that something is
    kind: str
    texture: str


def behind_thing(picture: Picture, kind: Kind, split: Split, chance: np.random.Generator) -> Hidden:
    """With a thing before whoever is in the picture: as low down as such things stand."""
    if kind not in THINGS:
        raise ValueError(f"kind must be one of {', '.join(THINGS)}, got {kind!r}")
    mask = _SHAPES[kind](picture.shape[:2], chance)
    texture = str(chance.choice(TEXTURES[split]))
    return _laid(picture, mask, _surface(texture, picture.shape[:2], chance), kind, texture)


def behind_person(picture: Picture, other: Sighted, chance: np.random.Generator) -> Hidden:
    """With somebody else before them, to one side and a little lower."""
    tall, wide = picture.shape[:2]
    side = int(chance.choice((-1, 1))) * int(wide * chance.uniform(0.30, 0.60))
    down = int(tall * chance.uniform(0.05, 0.25))
    color, mask = _moved(other, side, down)
    return _laid(picture, mask, color, "person", "person")


def behind_neighbour(picture: Picture, person: Mask, other: Sighted, overlap: float) -> Hidden:
    """With somebody else who covers about this share of `person`, or as much as they can."""
    _check_share("overlap", overlap)
    wide = picture.shape[1]
    best, off = (np.zeros_like(other.color), np.zeros(person.shape, np.bool_)), 2.0
    for side in range(wide, -1, -2):
        color, mask = _moved(other, side, 0)
        wrong = abs(float((mask & person).sum()) / max(1, int(person.sum())) - overlap)
        if wrong < off:
            best, off = (color, mask), wrong
    return _laid(picture, best[1], best[0], "person", "person")


def behind_rectangle(picture: Picture, ratio: float, chance: np.random.Generator) -> Hidden:
    """With a rectangle of noise over this share of the picture."""
    _check_share("ratio", ratio)
    tall, wide = picture.shape[:2]
    low = max(ratio, 1e-9)
    high = int(np.clip(np.rint(tall * np.sqrt(ratio) * chance.uniform(0.8, 1.25)), np.ceil(low * tall), tall))
    across = min(wide, round(ratio * tall * wide / max(1, high))) if ratio else 0
    top, left = int(chance.integers(0, tall - high + 1)), int(chance.integers(0, wide - across + 1))
    mask = np.zeros((tall, wide), np.bool_)
    mask[top : top + high, left : left + across] = True
    return _laid(picture, mask, chance.integers(0, 256, picture.shape).astype(np.uint8), "rectangle", "noise")


def _check_share(name: str, share: float) -> None:
    if not 0.0 <= share <= 1.0:
        raise ValueError(f"{name} must be from 0 to 1, got {share}")


def _laid(picture: Picture, mask: Mask, over: Picture, kind: str, texture: str) -> Hidden:
    return Hidden(np.where(mask[..., None], over, picture).astype(np.uint8), mask, kind, texture)


def _moved(other: Sighted, side: int, down: int) -> tuple[Picture, Mask]:
    """Somebody moved to the right and down: their colours, and where they then are."""
    tall, wide = other.cover.shape
    shift = np.array([[1, 0, side], [0, 1, down]], np.float32)
    color = cv2.warpAffine(other.color, shift, (wide, tall))
    cover = cv2.warpAffine(other.cover, shift, (wide, tall))
    return np.asarray(color, np.uint8), np.asarray(cover > 0.5, np.bool_)


def _filled(size: tuple[int, int], *outlines: NDArray[np.float64]) -> Mask:
    """Outlines (n, 2) of columns and rows, as shares of the picture."""
    canvas = np.zeros(size, np.uint8)
    for outline in outlines:
        cv2.fillPoly(canvas, [np.rint(outline * (size[1], size[0])).astype(np.int32)], 1)
    return canvas.astype(np.bool_)


def _round(x: float, y: float, across: float, down: float) -> NDArray[np.float64]:
    angles = np.linspace(0.0, 2 * np.pi, 20)
    return np.stack([x + across * np.cos(angles), y + down * np.sin(angles)], axis=1)


def _car(size: tuple[int, int], chance: np.random.Generator) -> Mask:
    top, slope = chance.uniform(0.50, 0.72), chance.uniform(-0.12, 0.12)
    roof = chance.uniform(0.05, 0.15)
    body = [
        (-0.1, top + slope),
        (0.3, top),
        (0.45, top - roof),
        (1.1, top - roof - slope),
        (1.1, 1.1),
        (-0.1, 1.1),
    ]
    return _filled(size, np.array(body))


def _plant(size: tuple[int, int], chance: np.random.Generator) -> Mask:
    x, top = chance.uniform(0.2, 0.8), chance.uniform(0.45, 0.65)
    at = np.stack([x + chance.normal(0, 0.16, 14), top + np.abs(chance.normal(0, 0.14, 14))], axis=1)
    halves = chance.uniform((0.06, 0.03), (0.20, 0.09), (14, 2))
    leaves = [_round(*map(float, (*where, *half))) for where, half in zip(at, halves, strict=True)]
    pot = np.array([(x - 0.2, 0.84), (x + 0.2, 0.84), (x + 0.15, 1.1), (x - 0.15, 1.1)])
    return _filled(size, *leaves, pot)


def _bin(size: tuple[int, int], chance: np.random.Generator) -> Mask:
    x, half, top = chance.uniform(0.2, 0.8), chance.uniform(0.18, 0.32), chance.uniform(0.52, 0.7)
    return _filled(
        size, np.array([(x - half, top), (x + half, top), (x + 0.85 * half, 1.1), (x - 0.85 * half, 1.1)])
    )


def _pole(size: tuple[int, int], chance: np.random.Generator) -> Mask:
    x, half, lean = chance.uniform(0.15, 0.85), chance.uniform(0.04, 0.11), chance.normal(0, 0.04)
    return _filled(
        size, np.array([(x - half + lean, -0.1), (x + half + lean, -0.1), (x + half, 1.1), (x - half, 1.1)])
    )


def _pram(size: tuple[int, int], chance: np.random.Generator) -> Mask:
    x, y, wide = chance.uniform(0.3, 0.7), chance.uniform(0.70, 0.80), chance.uniform(0.26, 0.4)
    hood = _round(x, y, wide, 0.14)
    wheels = [_round(x + side * 0.7 * wide, 0.95, 0.13, 0.06) for side in (-1, 1)]
    return _filled(size, hood, *wheels)


_SHAPES: dict[str, Callable[[tuple[int, int], np.random.Generator], Mask]] = {
    **{"car": _car, "plant": _plant, "bin": _bin, "pole": _pole, "pram": _pram}
}


def _surface(texture: str, size: tuple[int, int], chance: np.random.Generator) -> Picture:
    """A texture in a colour of its own (h, w, 3)."""
    tall, wide = size
    rows, columns = np.mgrid[0:tall, 0:wide].astype(np.float32) / (tall / 128)
    period = float(chance.uniform(6, 14))
    noise = chance.standard_normal(size, np.float32)
    if texture == "bands":
        pattern = np.where(rows % period < period / 2, 0.25, -0.25)
    elif texture == "speckles":
        pattern = 0.25 * noise
    elif texture == "checks":
        pattern = np.where((rows % period < period / 2) != (columns % period < period / 2), 0.25, -0.25)
    elif texture == "waves":
        pattern = 0.3 * np.sin((rows + 3 * np.sin(columns / 5)) * 6.28 / period)
    elif texture == "blotches":
        pattern = 1.6 * cv2.GaussianBlur(noise, (0, 0), 4.0)
    else:
        pattern = 0.15 * (1.0 - rows / 64)
    color = chance.uniform(30, 210, 3)
    return np.clip((1.0 + np.asarray(pattern)[..., None]) * color, 0, 255).astype(np.uint8)
