"""What a camera gives in colour that looks across a place: pictures, who stands in them and how much of each shows, and
what somebody looks like with nothing before them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engines.people.sensor import exposed, key_of
from engines.people.shading import Picture
from engines.people.sight import Sight

Array = NDArray[np.float64]


class Body(NamedTuple):
    """Somebody in a picture: the box around all of them, left, top, right, bottom, also where they are hidden or the
    picture ends; and which share of them shows.
    """

    person: int
    box: Array  # (4,)
    shows: float


class SightAcross(Sight):
    """One camera of a scene, in colour alone."""

    def color(self, index: int, time_s: float, only: int = 0) -> Picture:
        """Colour (h, w, 3) of any moment; of nobody but `only`, a person's number, where that is given."""
        actors = self._scene.actors(self._camera, time_s)
        if only:
            actors = [(number, bones) for number, bones in actors if number == only - 1]
        self._renderer.draw(actors)
        grains = self._stereo.tiles.grains
        return exposed(self._renderer.picture(actors), grains, key_of(self._seed, self._camera, index))

    def bodies(self, time_s: float) -> list[Body]:
        """Who is before the camera in this moment, by number."""
        shows = {one.person: one.visibility for one in self.presences(time_s)}
        found = []
        for number, _ in self._scene.actors(self._camera, time_s):
            if number < len(self._scene.people):
                _, screen = self._renderer.drawn(number)
                places = screen[screen[:, 2] > 0, :2].astype(np.float64)
                if len(places):
                    person, box = (
                        self._scene.people[number].number,
                        (*places.min(axis=0), *places.max(axis=0)),
                    )
                    found.append(Body(person, np.array(box), shows.get(person, 0.0)))
        return found
