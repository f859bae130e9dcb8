"""A simulated TVRID: passages in and out under its four cameras, one person at a time, as it lays them out.

How hard it is was set by the challenge's own baseline, which should do on it about as on the real one. It was much too
hard by colour while two thirds of the people were dressed like another, as on the main simulator's site, and a lamp of
its own hung over each passage. Here nobody is dressed like another on purpose, and each camera has its floor and lamp.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import cv2
import numpy as np
from numpy.typing import NDArray

from configs.build import InputError
from engines.people.anybody import any_light
from engines.people.crowd import Person
from engines.people.passages import Place, Shot
from engines.people.setting import Camera, Setting
from engines.reid.overhead_people import (
    GROUP,
    SHOT_PX,
    SITE,
    Errors,
    crowd,
    exposed_as,
    layers_of,
    seen_wrong,
    upright_of,
    way_of,
)
from engines.reid.upright import Upright

NAMES = ("IN", "OUT")
TRAINED, TESTED, FRAMES = 62, 26, 10  # people, people, frames of a passage
EXPOSURE = 0.05  # deviation of the logarithm of a passage's exposure
HEADER = ("gallery_id", "person_id", "cam_name", "cam_id", "passage_name", "passage_id", "path")
DIGITS = "abcdefghijklmnopqrstuvwxyz0123456789"


@dataclass(frozen=True, slots=True, eq=False)
class Passage:
    """Somebody under one camera, in or out."""

    person: int
    camera_name: str
    name: str
    shots: tuple[Shot, ...]
    taken: Camera  # as a pipeline takes the camera to hang
    key: str

    def layers(self, index: int, has_color: bool = True) -> NDArray[np.float32]:
        """The maps of one of its shots."""
        return layers_of(self.shots[index], self.taken, f"{self.key}/{index}", Errors(), has_color)

    def upright(self, index: int) -> Upright:
        """The colour picture of one of its shots, turned upright."""
        return upright_of(self.shots[index], self.taken, f"{self.key}/{index}/upright", Errors())


def passages(
    people: Sequence[Person], seed: int, frames: int = FRAMES, site: int | None = None
) -> Iterator[Passage]:
    """All passages of people, camera by camera, a group of people at a time. Floors and lamps are those of a `site`, of
    the same seed if it is not said.
    """
    site = seed if site is None else site
    for number, (camera_name, hung) in enumerate(SITE.items()):
        camera, light = hung.camera(), _light(f"{site}/tvrid/{camera_name}")
        for first in range(0, len(people), GROUP):
            group = people[first : first + GROUP]
            for name in NAMES:
                key = f"{seed}/tvrid/{camera_name}/{first}/{name}"
                place = Place(camera, light, group, seed * 977 + 31 * number + len(name) + first)
                for one in range(len(group)):
                    own = f"{key}/{one}"
                    shots = place.passage(one, way_of(own, name == "OUT"), frames, 1, SHOT_PX)
                    lit = tuple(replace(shot, color=exposed_as(shot.color, own, EXPOSURE)) for shot in shots)
                    taken = seen_wrong(hung, f"{seed}/{camera_name}", Errors())
                    yield Passage(first + one, camera_name, name, lit, taken, own)


def people_of(seed: int) -> tuple[list[Person], list[Person]]:
    """Those to learn from, and those to be tested on: nobody is both."""
    everybody = [one for one in crowd(4 * (TRAINED + TESTED), seed) if not one.look_alike_of]
    return everybody[:TRAINED], everybody[TRAINED : TRAINED + TESTED]


def write(folder: Path, seed: int, frames: int = FRAMES) -> None:
    """The set in a new folder, in TVRID's layout, with `view.json` beside the frames: how the camera hangs, which
    TVRID does not say.
    """
    if folder.exists():
        raise InputError(f"{folder}: is there already; name a new folder")
    trained, tested = people_of(seed)
    for table, inside, people, first in (
        ("train_labels.csv", "train", trained, 1),
        ("public_test_labels.csv", "test_public", tested, TRAINED + 1),
    ):
        _write_part(
            folder / table, folder / inside, passages(people, seed + first, frames, seed), (first, seed)
        )


def _write_part(table: Path, inside: Path, some: Iterator[Passage], numbers: tuple[int, int]) -> None:
    first, seed = numbers
    inside.mkdir(parents=True)
    chance, rows = Random(f"{seed}/{first}/ids"), []
    for passage in some:
        id = "".join(chance.choice(DIGITS) for _ in range(6))
        camera = passage.camera_name, list(SITE).index(passage.camera_name)
        rows.append((id, first + passage.person, *camera, passage.name, NAMES.index(passage.name), id))
        (inside / id).mkdir()
        for index, shot in enumerate(passage.shots):
            cv2.imwrite(str(inside / id / f"{index:03d}_RGB.png"), shot.color[..., ::-1])
            cv2.imwrite(str(inside / id / f"{index:03d}_depth.png"), shot.depth)
        (inside / id / "view.json").write_text(json.dumps(_view(passage)))
    with table.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([HEADER, *rows])


def _view(passage: Passage) -> dict[str, object]:
    eye = passage.taken.eye
    return {
        "focal_px": eye.fx,
        "middle_px": [eye.cx, eye.cy],
        "camera_from_world": eye.camera_from_world.tolist(),
        "shift_m": eye.shift_m.tolist(),
        "frames": [
            {"corner_px": list(shot.corner_px), "head_m": shot.head_m.tolist(), "height_m": shot.height_m}
            for shot in passage.shots
        ],
    }


def _light(key: str) -> Setting:
    """A floor and the lamp over it; what cameras make of colours, exposures alone are for."""
    return replace(any_light(key), gain=(1.0, 1.0, 1.0))
