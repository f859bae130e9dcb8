"""What one camera of a scene gives: colour and depth of any moment, alone and in any order."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engines.people.head import skull_of
from engines.people.raster import Seen
from engines.people.scene import Scene
from engines.people.sensor import DepthMap, depth_of, exposed, key_of, reach_px, stereo_of
from engines.people.shading import Picture
from engines.people.skeleton import HEAD
from engines.people.truth import Figure, Presence, presence_of

Array = NDArray[np.float64]

THING_PX = 200  # a thing with fewer visible pixels is not seen


class Sight:
    """One camera of a scene. Pictures depend on the seed, the camera, the frame and the time, and on nothing before.

    Not for several threads at once.
    """

    def __init__(self, scene: Scene, camera: int, seed: int) -> None:
        self._scene, self._camera, self._seed = scene, camera, seed % (1 << 62)  # what a kernel takes
        self._renderer = scene.renderer(camera)
        self._holes = self._renderer.hole_shares
        still = Seen(self._renderer.still_nearness, self._renderer.still_ids)
        self._stereo = stereo_of(scene.cameras[camera].eye.fx, still, self._holes, f"{seed}/{camera}")

    def frame(self, index: int, time_s: float) -> tuple[Picture, DepthMap]:
        """Colour (h, w, 3) and depth (h, w) in millimetres, both through the same pinhole."""
        actors = self._scene.actors(self._camera, time_s)
        key = key_of(self._seed, self._camera, index)
        seen = self._renderer.draw(actors)
        color = exposed(self._renderer.picture(actors), self._stereo.tiles.grains, key)
        window = self._renderer.window(actors, reach_px(self._stereo))
        return color, depth_of(self._stereo, seen, self._holes, window, key ^ 1)

    def presences(self, time_s: float) -> list[Presence]:
        """Who is in the picture of this moment, by number."""
        actors = self._scene.actors(self._camera, time_s)
        self._renderer.draw(actors)
        found = [
            self._presence(number, bones) for number, bones in actors if number < len(self._scene.people)
        ]
        return [presence for presence in found if presence is not None]

    def things(self, time_s: float) -> list[str]:
        """What else can be seen in this moment: names of surfaces, and "hard_shadow"."""
        actors = self._scene.actors(self._camera, time_s)
        seen = self._renderer.draw(actors)
        ids = np.where(seen.ids >= 0, seen.ids, self._renderer.still_ids)
        pixels = np.bincount(self._renderer.owners[ids[ids >= 0]], minlength=len(self._scene.surfaces))
        names = {part.name for part, px in zip(self._scene.surfaces, pixels, strict=True) if px >= THING_PX}
        if self._renderer.shadowed_px(actors) >= THING_PX:
            names.add("hard_shadow")
        return sorted(names - {"person"})

    def _presence(self, number: int, bones: Array) -> Presence | None:
        person = self._scene.people[number]
        x_m, height_m = skull_of(person.body)
        head = bones[HEAD, :, :3] @ np.array([x_m, 0.0, height_m]) + bones[HEAD, :, 3]
        points, screen = self._renderer.drawn(number)
        figure = Figure(person.number, self._scene.surfaces[number].shape, points, screen, head)
        return presence_of(figure, self._renderer.showing(number), self._scene.cameras[self._camera])
