"""The picture of a run: a floor map with the path of every identity, and a strip of crops of each."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]  # (height, width, 3), RGB
Color = tuple[int, int, int]

MAP_PX, ROW_PX, CROP_PX, PAD_PX = 980, 104, 92, 28
LABEL_PX, MOST_CROPS, MOST_ROWS = 250, 6, 24
INK, FAINT, GRID, PAPER = (32, 44, 57), (120, 134, 148), (228, 233, 238), (252, 252, 250)


@dataclass(frozen=True)
class Visit:
    """Somebody's way through one camera: floor points (n, 2) in metres."""

    camera: str
    points_m: NDArray[np.float64]


@dataclass(frozen=True)
class Person:
    """One row of the picture."""

    name: str
    detail: str
    visits: Sequence[Visit] = ()
    crops: Sequence[Picture] = field(default_factory=list)


def picture_of(people: Sequence[Person], title: str) -> Picture:
    """Floor map on the left, people on the right; the first `MOST_ROWS` of them have a strip."""
    shown = people[:MOST_ROWS]
    height = max(MAP_PX + 2 * PAD_PX + 40, len(shown) * ROW_PX + 2 * PAD_PX + 40)
    width = MAP_PX + 3 * PAD_PX + LABEL_PX + MOST_CROPS * (CROP_PX + 8)
    page = np.full((height, width, 3), PAPER, np.uint8)
    _text(page, title, (PAD_PX, PAD_PX + 14), INK, 22)
    colors = [_color(i, len(people)) for i in range(len(people))]
    _draw_map(page[PAD_PX + 40 : PAD_PX + 40 + MAP_PX, PAD_PX : PAD_PX + MAP_PX], people, colors)
    for row, (person, color) in enumerate(zip(shown, colors, strict=False)):
        _draw_row(page, person, color, (MAP_PX + 2 * PAD_PX, PAD_PX + 40 + row * ROW_PX))
    if len(people) > len(shown):
        _text(page, f"and {len(people) - len(shown)} more", (MAP_PX + 2 * PAD_PX, height - 10), FAINT, 14)
    return page


def _draw_map(page: Picture, people: Sequence[Person], colors: Sequence[Color]) -> None:
    visits = [visit for person in people for visit in person.visits if len(visit.points_m)]
    if not visits:
        _text(page, "nobody was seen", (20, 40), FAINT, 18)
        return
    everywhere = np.concatenate([visit.points_m for visit in visits])
    scale = _Scale.around(everywhere, page.shape[1], page.shape[0])
    scale.draw_grid(page)
    for camera in sorted({visit.camera for visit in visits}):
        _draw_view(page, camera, np.concatenate([v.points_m for v in visits if v.camera == camera]), scale)
    for person, color in zip(people, colors, strict=True):
        for visit in person.visits:
            _draw_path(page, scale.pixels(visit.points_m), color)


def _draw_view(page: Picture, camera: str, points_m: NDArray[np.float64], scale: _Scale) -> None:
    """Where a camera has seen people."""
    hull = cv2.convexHull(scale.pixels(points_m))
    layer = page.copy()
    cv2.fillConvexPoly(layer, hull, (236, 241, 246), cv2.LINE_AA)
    page[:] = layer
    cv2.polylines(page, [hull], True, (206, 216, 226), 1, cv2.LINE_AA)
    x, y = hull[:, 0].min(axis=0)
    _text(page, camera, (int(x), max(16, int(y) - 8)), FAINT, 16)


def _draw_path(page: Picture, pixels: NDArray[np.int32], color: Color) -> None:
    cv2.polylines(page, [pixels], False, color, 3, cv2.LINE_AA)
    cv2.circle(page, tuple(map(int, pixels[0])), 5, color, -1, cv2.LINE_AA)
    if len(pixels) > 3 and np.linalg.norm(pixels[-1] - pixels[-4]) > 2:
        tip, tail = pixels[-1].astype(float), pixels[-4].astype(float)
        along = (tip - tail) / np.linalg.norm(tip - tail)
        across = np.array([-along[1], along[0]])
        head = np.array([tip + 9 * along, tip + 6 * across, tip - 6 * across]).round().astype(np.int32)
        cv2.fillConvexPoly(page, head, color, cv2.LINE_AA)


def _draw_row(page: Picture, person: Person, color: Color, corner: tuple[int, int]) -> None:
    left, top = corner
    cv2.rectangle(page, (left, top + 8), (left + 8, top + ROW_PX - 12), color, -1)
    _text(page, person.name, (left + 20, top + 30), INK, 17)
    for number, line in enumerate(_lines(person.detail)):
        _text(page, line, (left + 20, top + 52 + 20 * number), FAINT, 14)
    for number, crop in enumerate(person.crops[:MOST_CROPS]):
        x = left + LABEL_PX + number * (CROP_PX + 8)
        page[top + 4 : top + 4 + CROP_PX, x : x + CROP_PX] = _fitted(crop)


def _fitted(crop: Picture) -> Picture:
    """The crop in the middle of a square."""
    square = np.full((CROP_PX, CROP_PX, 3), GRID, np.uint8)
    if not crop.size:
        return square
    ratio = CROP_PX / max(crop.shape[:2])
    size = [max(1, round(side * ratio)) for side in crop.shape[1::-1]]
    small = cv2.resize(crop, size, interpolation=cv2.INTER_AREA)
    y, x = (CROP_PX - small.shape[0]) // 2, (CROP_PX - small.shape[1]) // 2
    square[y : y + small.shape[0], x : x + small.shape[1]] = small
    return square


def _lines(text: str, most: int = 28) -> list[str]:
    lines = [""]
    for word in text.split(" "):
        if len(lines[-1]) + len(word) > most and lines[-1]:
            lines.append("")
        lines[-1] += (" " if lines[-1] else "") + word
    return lines[:3]


@dataclass(frozen=True)
class _Scale:
    """Metres on the floor to pixels of the map; y points up."""

    px_per_m: float
    left_m: float
    top_m: float

    @classmethod
    def around(cls, points_m: NDArray[np.float64], width: int, height: int) -> _Scale:
        low, high = points_m.min(axis=0) - 0.6, points_m.max(axis=0) + 0.6
        px_per_m = float(min(width / (high[0] - low[0]), height / (high[1] - low[1])))
        return cls(px_per_m, float(low[0]), float(high[1]))

    def pixels(self, points_m: NDArray[np.float64]) -> NDArray[np.int32]:
        x = (points_m[:, 0] - self.left_m) * self.px_per_m
        y = (self.top_m - points_m[:, 1]) * self.px_per_m
        return np.column_stack([x, y]).round().astype(np.int32)

    def draw_grid(self, page: Picture) -> None:
        """A line every metre, and how long one is."""
        height, width = page.shape[:2]
        for x_m in range(int(np.ceil(self.left_m)), int(self.left_m + width / self.px_per_m) + 1):
            x = round((x_m - self.left_m) * self.px_per_m)
            cv2.line(page, (x, 0), (x, height), GRID, 1)
        for y_m in range(int(np.ceil(self.top_m - height / self.px_per_m)), int(self.top_m) + 1):
            y = round((self.top_m - y_m) * self.px_per_m)
            cv2.line(page, (0, y), (width, y), GRID, 1)
        end = 12 + round(self.px_per_m)
        cv2.line(page, (12, height - 14), (end, height - 14), FAINT, 2)
        _text(page, "1 m", (14, height - 20), FAINT, 13)


def _color(number: int, count: int) -> Color:
    """Hues as far apart as there are people, alternately light and dark."""
    red, green, blue = colorsys.hls_to_rgb(number / max(count, 1), 0.40 + 0.14 * (number % 2), 0.72)
    return round(255 * red), round(255 * green), round(255 * blue)


def _text(page: Picture, text: str, at: tuple[int, int], color: Color, size: int) -> None:
    """Larger text is bolder."""
    cv2.putText(page, text, at, color, cv2.FontFace("sans"), size, 600 if size > 16 else 400)
