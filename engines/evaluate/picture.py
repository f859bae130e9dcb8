"""The picture of a run: a floor map with the path of every identity, and a card for each with a crop a visit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]  # (height, width, 3), RGB
Pixels = NDArray[np.int32]  # (n, 2), x and y
Color = tuple[int, int, int]

# Twice the width at which a page shows it: the smallest text is 10 px high there.
COLUMN_PX, CARD_PX, CROP_PX, PAD_PX, TITLE_PX = 830, 168, 134, 36, 64
LABEL_PX, GAP_PX, MOST_CROPS, MOST_CARDS, BESIDE_MAP = 234, 15, 4, 24, 6
LARGE, MEDIUM, SMALL = 34, 28, 21  # text
INK, FAINT, GRID, PAPER = (32, 44, 57), (92, 106, 120), (229, 234, 239), (252, 252, 250)
VIEW, VIEW_EDGE = (236, 242, 248), (196, 208, 220)
COLORS: Sequence[Color] = (
    (214, 39, 64), (31, 110, 214), (44, 150, 62), (240, 130, 20), (136, 44, 176), (0, 160, 176), (226, 60, 190),
    (140, 90, 40), (130, 142, 0), (24, 40, 120), (120, 128, 136), (128, 0, 20), (214, 168, 0), (0, 84, 60),
)  # fmt: skip


@dataclass(frozen=True)
class Visit:
    """Somebody's way through one camera: floor points (n, 2) in metres, none where the floor is unknown."""

    camera: str
    points_m: NDArray[np.float64]
    when: str
    crop: Picture | None = None


@dataclass(frozen=True)
class Person:
    """One card of the picture."""

    name: str
    details: Sequence[str] = ()
    visits: Sequence[Visit] = ()


def picture_of(people: Sequence[Person], title: str) -> Picture:
    """Floor map at the top left, people beside and below it; the first `MOST_CARDS` of them have a card."""
    shown = people[:MOST_CARDS]
    below = -(-max(0, len(shown) - BESIDE_MAP) // 2)
    height = PAD_PX + TITLE_PX + (BESIDE_MAP + below) * CARD_PX + PAD_PX
    page = np.full((height, 2 * COLUMN_PX + 3 * PAD_PX, 3), PAPER, np.uint8)
    more = f", {len(people) - len(shown)} of them not shown" if len(people) > len(shown) else ""
    _text(page, title + more, (PAD_PX, PAD_PX + LARGE - 4), INK, LARGE)
    top = PAD_PX + TITLE_PX
    _draw_map(page[top : top + BESIDE_MAP * CARD_PX - GAP_PX, PAD_PX : PAD_PX + COLUMN_PX], people)
    for number, person in enumerate(shown):
        row, column = (number, 1) if number < BESIDE_MAP else _place(number - BESIDE_MAP)
        corner = PAD_PX + column * (COLUMN_PX + PAD_PX), top + row * CARD_PX
        _draw_card(page, number, person, corner)
    return page


def _place(number: int) -> tuple[int, int]:
    """Row and column of a card below the map."""
    return BESIDE_MAP + number // 2, number % 2


def _draw_map(page: Picture, people: Sequence[Person]) -> None:
    visits = [visit for person in people for visit in person.visits if len(visit.points_m)]
    if not visits:
        _text(page, "nobody was seen on a floor", (20, 40), FAINT, MEDIUM)
        return
    everywhere = np.concatenate([visit.points_m for visit in visits])
    scale = _Scale.around(everywhere, page.shape[1], page.shape[0])
    hulls = {
        camera: cv2.convexHull(
            scale.pixels(np.concatenate([v.points_m for v in visits if v.camera == camera]))
        )
        for camera in sorted({visit.camera for visit in visits})
    }
    for hull in hulls.values():
        cv2.fillConvexPoly(page, hull, VIEW, cv2.LINE_AA)
        cv2.polylines(page, [hull], True, VIEW_EDGE, 2, cv2.LINE_AA)
    scale.draw_grid(page)
    ways = [[scale.pixels(v.points_m) for v in person.visits if len(v.points_m)] for person in people]
    for number, way in enumerate(ways):
        _draw_unseen(page, way, _color(number))
    for number, way in enumerate(ways):
        for path in way:
            _draw_path(page, path, _color(number))
    for number, way in enumerate(ways):
        if way:
            _draw_number(page, number, (int(way[0][0][0]), int(way[0][0][1])))
    for camera, hull in hulls.items():
        x, y = hull[:, 0].min(axis=0)
        _draw_label(page, camera, (int(x), int(y) - 14))
    scale.draw_legend(page)


def _draw_unseen(page: Picture, way: Sequence[Pixels], color: Color) -> None:
    """Dashes from where somebody left one camera's view to where another one saw them."""
    pale = tuple(round(0.35 * c + 0.65 * p) for c, p in zip(color, PAPER, strict=True))
    for before, after in pairwise(way):
        start, end = before[-1].astype(float), after[0].astype(float)
        dashes = int(np.linalg.norm(end - start) / 18)
        for dash in range(dashes):
            a, b = (start + (end - start) * (dash + part) / dashes for part in (0.0, 0.5))
            cv2.line(page, _point(a), _point(b), pale, 2, cv2.LINE_AA)


def _draw_path(page: Picture, pixels: Pixels, color: Color) -> None:
    cv2.polylines(page, [pixels], False, PAPER, 7, cv2.LINE_AA)  # so that crossings can be told apart
    cv2.polylines(page, [pixels], False, color, 4, cv2.LINE_AA)
    cv2.circle(page, _point(pixels[0]), 6, color, -1, cv2.LINE_AA)
    if len(pixels) > 3 and np.linalg.norm(pixels[-1] - pixels[-4]) > 2:
        tip, tail = pixels[-1].astype(float), pixels[-4].astype(float)
        along = (tip - tail) / np.linalg.norm(tip - tail)
        across = np.array([-along[1], along[0]])
        head = np.array([tip + 14 * along, tip + 9 * across, tip - 9 * across]).round().astype(np.int32)
        cv2.fillConvexPoly(page, head, color, cv2.LINE_AA)


def _draw_number(page: Picture, number: int, at: tuple[int, int]) -> None:
    """Which card a path belongs to, for those who cannot go by its colour."""
    cv2.circle(page, at, 17, PAPER, -1, cv2.LINE_AA)
    cv2.circle(page, at, 15, _color(number), -1, cv2.LINE_AA)
    text = str(number + 1)
    _text(page, text, (at[0] - 6 * len(text), at[1] + 7), (255, 255, 255), 20)


def _draw_label(page: Picture, text: str, at: tuple[int, int]) -> None:
    """Text on a slip of paper, inside the map."""
    width = _width(text, MEDIUM)
    x = min(max(8, at[0]), page.shape[1] - width - 8)
    y = max(MEDIUM + 4, at[1])
    cv2.rectangle(page, (x - 7, y - MEDIUM + 1), (x + width + 7, y + 8), PAPER, -1)
    _text(page, text, (x, y), INK, MEDIUM)


def _draw_card(page: Picture, number: int, person: Person, corner: tuple[int, int]) -> None:
    left, top = corner
    cv2.rectangle(page, (left, top), (left + 7, top + CROP_PX - 1), _color(number), -1)
    _draw_number(page, number, (left + 38, top + 17))
    _text(page, person.name, (left + 62, top + 27), INK, MEDIUM)
    further = len(person.visits) - MOST_CROPS
    details = [*person.details, *([f"+ {further} more"] if further > 0 else [])]
    for line, detail in enumerate(details):
        _text(page, detail, (left + 22, top + 58 + 27 * line), FAINT, SMALL)
    for place, visit in enumerate(person.visits[:MOST_CROPS]):
        x = left + LABEL_PX + place * (CROP_PX + GAP_PX)
        page[top : top + CROP_PX, x : x + CROP_PX] = _fitted(visit.crop)
        caption = _shortened(f"{visit.when} {visit.camera}", CROP_PX + GAP_PX - 5)
        _text(page, caption, (x, top + CROP_PX + SMALL), FAINT, SMALL)


def _fitted(crop: Picture | None) -> Picture:
    """The middle of the crop in a square, its shorter side on at least seven tenths of it."""
    square = np.full((CROP_PX, CROP_PX, 3), GRID, np.uint8)
    if crop is None or not crop.size:
        return square
    ratio = max(CROP_PX / max(crop.shape[:2]), 0.7 * CROP_PX / min(crop.shape[:2]))
    size = [max(1, round(side * ratio)) for side in crop.shape[1::-1]]
    scaled = cv2.resize(crop, size, interpolation=cv2.INTER_AREA if ratio < 1 else cv2.INTER_CUBIC)
    y, x = (max(0, (side - CROP_PX) // 2) for side in scaled.shape[:2])
    middle = scaled[y : y + CROP_PX, x : x + CROP_PX]
    y, x = ((CROP_PX - side) // 2 for side in middle.shape[:2])
    square[y : y + middle.shape[0], x : x + middle.shape[1]] = middle
    return square


@dataclass(frozen=True)
class _Scale:
    """Metres on the floor to pixels of the map; y points up."""

    px_per_m: float
    left_m: float
    top_m: float

    @classmethod
    def around(cls, points_m: NDArray[np.float64], width: int, height: int) -> _Scale:
        """Everything in the middle, with room for the labels above and the legend below."""
        low, high = points_m.min(axis=0) - 0.5, points_m.max(axis=0) + 0.5
        room = np.array([width, height - 100])
        px_per_m = float((room / (high - low)).min())
        left_m, top_m = (low + high) / 2 + np.array([-width, height - 20]) / 2 / px_per_m
        return cls(px_per_m, float(left_m), float(top_m))

    def pixels(self, points_m: NDArray[np.float64]) -> Pixels:
        x = (points_m[:, 0] - self.left_m) * self.px_per_m
        y = (self.top_m - points_m[:, 1]) * self.px_per_m
        return np.column_stack([x, y]).round().astype(np.int32)

    def draw_grid(self, page: Picture) -> None:
        """A line every metre."""
        height, width = page.shape[:2]
        for x_m in range(int(np.ceil(self.left_m)), int(self.left_m + width / self.px_per_m) + 1):
            x = round((x_m - self.left_m) * self.px_per_m)
            cv2.line(page, (x, 0), (x, height), GRID, 1)
        for y_m in range(int(np.ceil(self.top_m - height / self.px_per_m)), int(self.top_m) + 1):
            y = round((self.top_m - y_m) * self.px_per_m)
            cv2.line(page, (0, y), (width, y), GRID, 1)

    def draw_legend(self, page: Picture) -> None:
        """How long a metre, or ten, is, and what the marks mean."""
        metres = 1 if self.px_per_m >= 30 else 10
        y, end = page.shape[0] - 12, 12 + round(metres * self.px_per_m)
        page[y - 30 :] = PAPER
        cv2.line(page, (12, y - 7), (end, y - 7), INK, 4)
        text = f"{metres} m     dot: came, arrow: left, dashed: out of view"
        _text(page, text, (end + 12, y), FAINT, SMALL)


def _color(number: int) -> Color:
    return COLORS[number % len(COLORS)]


def _point(pixel: NDArray[np.generic]) -> tuple[int, int]:
    return round(float(pixel[0])), round(float(pixel[1]))


def _width(text: str, size: int) -> int:
    box = cv2.getTextSize((0, 0), text, (0, 0), cv2.FontFace("sans"), size, _weight(size))
    return int(box[2])


def _shortened(text: str, most_px: int) -> str:
    while _width(text, SMALL) > most_px:
        text = text[:-2] + "\u2026"
    return text


def _weight(size: int) -> int:
    """Larger text is bolder."""
    return 600 if size > SMALL else 400


def _text(page: Picture, text: str, at: tuple[int, int], color: Color, size: int) -> None:
    cv2.putText(page, text, at, color, cv2.FontFace("sans"), size, _weight(size))
