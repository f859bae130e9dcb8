"""One camera's pictures of a scene: what never moves is drawn once, what moves is drawn over it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from engines.people.raster import Seen, Window, before_lamp, draw, move, see, shadow_window, window_of
from engines.people.setting import LAMP_PX, Camera, Setting, floor_pictures, lit_of
from engines.people.shading import (
    Drawn,
    Floor,
    Lit,
    Picture,
    block,
    darken,
    illuminate,
    paint,
    samples_of,
)
from engines.people.shapes import Floats, Shape, merged

Array = NDArray[np.float64]
Actor = tuple[int, Array]  # the number of a surface, and its bones (b, 3, 4)

AT_REST = np.eye(4)[None, :3]


class Renderer:
    """Draws `surfaces` with the materials in `table`; those in `still` (numbers) always stand where they are.

    Not for several threads at once: pictures are drawn into the same memory.
    """

    def __init__(
        self, surfaces: Sequence[Shape], table: Floats, still: Sequence[int], camera: Camera, setting: Setting
    ) -> None:
        self.camera = camera
        self._surfaces = surfaces
        whole = merged(surfaces)
        looks = np.zeros((len(whole.points), 7), np.float32)
        looks[:, 5:] = whole.uv_m
        self._drawn = Drawn(np.empty_like(whole.points), looks, whole.triangles, whole.materials, table)
        self._points, self._normals = np.empty_like(whole.points), np.empty_like(whole.normals)
        self._lamp_screen = np.empty_like(whole.points)
        self._rows = _slices([len(shape.points) for shape in surfaces])
        self._faces = _slices([len(shape.triangles) for shape in surfaces])
        self.owners = np.repeat(np.arange(len(surfaces)), [len(shape.triangles) for shape in surfaces])
        self._whole = Window(0, 0, camera.width, camera.height)
        self._lit = lit_of(setting)
        self._lamp_ids = np.empty((LAMP_PX, LAMP_PX), np.int32)
        self.still_ids, self._floor = self._stand(still, setting)
        self._shadows = self._lit.shadows.copy()
        self._empty = self._floor.bright.copy()
        self.seen = Seen(self._floor.nearness.copy(), np.full_like(self.still_ids, -1))
        darken(self._floor, self._shadows, self.seen.ids, self._whole, self._empty)

    @property
    def still_nearness(self) -> Floats:
        """Of what never moves (h, w)."""
        return self._floor.nearness

    @property
    def hole_shares(self) -> Floats:
        """Of each triangle: how much of it a depth sensor does not see (m,)."""
        shares: Floats = self._drawn.table[self._drawn.materials, -1]
        return shares

    def window(self, actors: Sequence[Actor], left_px: int = 0) -> Window:
        """The part of the picture that holds what `draw` drew last, and so much more to the left."""
        around = Window(self._whole.right, self._whole.bottom, 0, 0)
        for number, _ in actors:
            own = self._window(number)
            if own.left < own.right:
                around = _around(
                    around, Window(own.left - left_px, own.top - 3, own.right + 3, own.bottom + 3)
                )
        return _inside(around, self._whole)

    def draw(self, actors: Sequence[Actor]) -> Seen:
        """The nearest surface of each pixel, with the number of its triangle where it moves."""
        self.seen.nearness[:], self.seen.ids[:] = self._floor.nearness, -1
        for number, bones in actors:
            self._draw(number, bones, self.seen)
        return self.seen

    def drawn(self, number: int) -> tuple[Floats, Floats]:
        """The points of a surface as `draw` drew it: in the world, and on the screen, (n, 3) each."""
        return self._points[self._rows[number]], self._drawn.screen[self._rows[number]]

    def showing(self, number: int) -> tuple[Window, NDArray[np.int32]]:
        """The window that a surface was drawn in, and which of its triangles each pixel there shows, -1 for none."""
        window, faces = self._window(number), self._faces[number]
        ids = self.seen.ids[window.top : window.bottom, window.left : window.right]
        return window, np.where((ids >= faces.start) & (ids < faces.stop), ids - np.int32(faces.start), -1)

    def shadowed_px(self, actors: Sequence[Actor]) -> int:
        """How many pixels of what never moves lie in a shadow of what `draw` drew last."""
        color = self.picture(actors)
        return int(((color != self._empty).any(axis=2) & (self.seen.ids < 0)).sum())

    def picture(self, actors: Sequence[Actor]) -> Picture:
        """The colours (h, w, 3) of what `draw` drew last, without the sensor's noise."""
        color = self._empty.copy()
        self._lit.shadows[:] = self._shadows
        for number, _ in actors:
            self._before_lamp(number)
        windows = [self._window(number) for number, _ in actors]
        eye, place = self.camera.eye, self._lit.light.place_m
        shadowed = Window(self._whole.right, self._whole.bottom, 0, 0)
        for (number, _), window in zip(actors, windows, strict=True):
            around = shadow_window(self._points[self._rows[number]], place, eye, window)
            shadowed = _around(shadowed, around)
        darken(self._floor, self._lit.shadows, self.seen.ids, _inside(shadowed, self._whole), color)
        self._shade(self.seen, self._lit, _inside(shadowed, self._whole), color)
        return color

    def _shade(self, seen: Seen, lit: Lit, window: Window, color: Picture) -> None:
        pixels, samples = samples_of(self._drawn, seen, window)
        block(samples, lit.shadows, lit.light.eye)
        paint(pixels, samples, self._drawn, lit, color)

    def _draw(self, number: int, bones: Array, seen: Seen) -> None:
        rows, faces = self._rows[number], self._faces[number]
        move(self._surfaces[number], bones, self._points[rows], self._normals[rows])
        see(self._points[rows], self.camera.eye, self._drawn.screen[rows])
        draw(self._drawn.screen, self._drawn.triangles[faces], faces.start, seen)

    def _window(self, number: int) -> Window:
        return window_of(self._drawn.screen[self._rows[number]], 1, self._whole)

    def _before_lamp(self, number: int) -> None:
        """Light a surface, and let it cast its shadow."""
        rows, faces = self._rows[number], self._faces[number]
        illuminate(self._points[rows], self._normals[rows], self._lit.light, self._drawn.looks[rows])
        see(self._points[rows], self._lit.light.eye, self._lamp_screen[rows])
        seen = Seen(self._lit.shadows, self._lamp_ids)
        draw(self._lamp_screen, self._drawn.triangles[faces], faces.start, seen)

    def _stand(self, still: Sequence[int], setting: Setting) -> tuple[NDArray[np.int32], Floor]:
        """Draw what never moves, as if the lamp reached all of it, and as if it reached nothing."""
        nearness, bright, dark = floor_pictures(self.camera, setting, self._lit)
        seen = Seen(nearness, np.full(nearness.shape, -1, np.int32))
        unlit = self._lit._replace(light=self._lit.light._replace(lamp=np.zeros(3, np.float32)))
        open_sky = self._lit._replace(shadows=np.zeros_like(self._lit.shadows))
        for number in still:
            self._draw(number, AT_REST, seen)
            self._before_lamp(number)
        self._shade(seen, open_sky, self._whole, bright)
        self._shade(seen, unlit, self._whole, dark)
        places = before_lamp(nearness, self.camera.eye, self._lit.light.eye)
        return seen.ids, Floor(nearness, bright, dark, places)


def _slices(lengths: Sequence[int]) -> list[slice]:
    ends = list(accumulate(lengths))
    return [slice(end - length, end) for end, length in zip(ends, lengths, strict=True)]


def _inside(window: Window, picture: Window) -> Window:
    left, top = max(window.left, picture.left), max(window.top, picture.top)
    return Window(left, top, min(window.right, picture.right), min(window.bottom, picture.bottom))


def _around(a: Window, b: Window) -> Window:
    return Window(min(a.left, b.left), min(a.top, b.top), max(a.right, b.right), max(a.bottom, b.bottom))
