"""The demonstration site's cameras, and small scenes before one of them."""

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from calibration.camera import Mount, pose_of
from calibration.site import SiteCamera
from configs.read import read
from engines.people.crowd import crowd_of
from engines.people.raster import Pinhole
from engines.people.setting import Camera
from engines.people.sight import Sight
from engines.people.staging import scene_of

SITE = Path(__file__).parents[1] / "configs" / "sites" / "topview_demo.yaml"


def camera_at(mount):
    back = pose_of(mount).inverse()
    return Camera(Pinhole(back.rotation, back.translation_m, 385.0, 385.0, 319.5, 239.5), 640, 480)


@lru_cache
def cameras():
    places = read(SITE)["cameras"]
    return tuple(camera_at(SiteCamera(**place).mount) for place in places.values())


@lru_cache
def demo(people=12, seconds=120.0, seed=1):
    return scene_of(cameras(), people, seconds, seed)


# people of the demonstration who push nothing, wear no hat and are grown up
PLAIN = [person.number for person in crowd_of(12, 1) if not person.roles]
ABOVE = camera_at(Mount(0.0, 0.0, 0.0, 3.2, 0.0, 0.0, True))


def sight_of(places, camera=ABOVE):
    """One camera before those of the twelve who stand at `places`: x, y and heading by number."""
    scene = scene_of((camera,), 12, 1.0, 1)
    paths = np.zeros((400, 12, 7))
    for number, place in places.items():
        paths[:, number - 1, :3] = place
        paths[:, number - 1, 6] = 1.0
    return Sight(replace(scene, paths=paths), 0, 1)
