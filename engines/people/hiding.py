"""What stands before a camera and hides people from it: a counter, pillars. It stands so near that nobody walks there,
so that people walk the same whatever there is. One bone each; materials count from 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from random import Random

import numpy as np

from engines.people.clothes import CHECKS, STRIPES, Material, linear, rows_of
from engines.people.scene import Scene, Surface
from engines.people.setting import Camera
from engines.people.shapes import box, moved
from engines.people.things import Thing

LEVELS = range(3)  # nothing; a counter before half of the view; one before all of it, and pillars
FAR_M, DEEP_M = 0.60, 0.06  # from the camera, and from front to back
FALLS = 0.60  # what a camera sees over a counter begins so much lower with each metre
ENDS_M = {1: (-0.75, 0.02), 2: (-0.75, 0.75)}  # of the counter, to the right of the middle of the view
PILLARS_M = -0.27, 0.22
PILLAR_M = 0.06, 2.60  # wide, tall
FRONTS, STONES, LINES = ("8d6a48", "5d6a74", "9a3f35", "3f6b52"), ("b9b5ab", "8d9299", "a5593f"), "4a4742"


def with_hiding(scene: Scene, level: int, seed: int) -> Scene:
    """The same scene with what each level has more than the one before; 0 is the scene as it is."""
    if level not in LEVELS:
        raise ValueError(f"level must be from 0 to {LEVELS[-1]}, got {level}")
    surfaces, materials = list(scene.surfaces), list(scene.materials)
    for number, camera in enumerate(scene.cameras):
        for name, (shape, own) in _standing(camera, level, Random(f"{seed}/{number}/hiding")):
            placed = shape._replace(materials=shape.materials + np.int32(len(materials)))
            surfaces.append(Surface(name, 0, placed))
            materials += list(rows_of(own))
    return replace(scene, surfaces=tuple(surfaces), materials=np.array(materials))


def _standing(camera: Camera, level: int, chance: Random) -> Iterator[tuple[str, Thing]]:
    """Things before a camera, where they stand."""
    turn = camera.eye.camera_from_world
    x, y, high = (float(one) for one in -turn.T @ camera.eye.shift_m)
    angle = float(np.arctan2(turn[2, 1], turn[2, 0]))
    middle = (x + FAR_M * float(np.cos(angle)), y + FAR_M * float(np.sin(angle)), 0.0)
    front, stone = (linear(chance.choice(codes)) for codes in (FRONTS, STONES))
    things = []
    if level:
        panels = Material(front, linear(LINES), STRIPES, 0.12, 0.06)
        things.append(("counter", ENDS_M[level], 0.0, high - FALLS * FAR_M, panels))
    for aside in PILLARS_M if level > 1 else ():
        blocks = Material(stone, linear(LINES), CHECKS, 0.15, 0.08)
        ends = aside - PILLAR_M[0] / 2, aside + PILLAR_M[0] / 2
        things.append(("pillar", ends, -DEEP_M, PILLAR_M[1], blocks))
    for name, (left, right), back, tall, material in things:
        shape = box((left, back - DEEP_M / 2, 0.0), (right, back + DEEP_M / 2, tall), 0)
        yield name, (moved(shape, middle, float(np.degrees(angle)) - 90.0), (material,))
