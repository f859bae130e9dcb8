"""SynthPed: people who do not exist, drawn when they are asked for (`engines/reid/lab`). It lies in no folder.

Its records' paths are names: 00012_c3s1_0004 is person 12 by camera 3 in session 1, frame 4, drawn by this set alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from configs.build import InputError
from engines.evaluate.retrieval import everybody
from engines.reid.data._records import ALL, DataSet, Record, Trial, relabelled, single_query
from engines.reid.lab.captions import caption_of
from engines.reid.lab.chance import drawn
from engines.reid.lab.drawing import NOTHING
from engines.reid.lab.laboratory import Key, Laboratory, Seen
from engines.reid.lab.occluders import KINDS, behind_person, behind_thing
from engines.reid.lab.people import Crowd

NAME = re.compile(r"(?P<person>\d{5})_c(?P<camera>\d+)s(?P<session>\d+)_(?P<frame>\d{4})")


@dataclass
class SynthPed(DataSet):
    """People of three parts, none of whom is in two. Protocols: among cameras on the ground, from the air to the
    ground, from infrared to colour, and captions among pictures.
    """

    seed: int = 1
    site: int = 0
    correlation: float = 0.0  # between what heads and what legs look like
    look_alikes: float = 0.2
    train_people: int = 200
    val_people: int = 50
    test_people: int = 100
    sessions: int = 2  # pictures of a person by a camera
    train_cameras: tuple[int, ...] = (
        0,
        1,
        2,
        3,
    )  # 0 to 3 on the ground, 4 and 5 in the air, 6 and 7 in infrared
    size: tuple[int, int] = (128, 64)  # height, width in px
    captioned: bool = False  # whether pictures of training come with a caption
    sites: int = 1  # from `site` on, over which people are spread; each has its own cameras
    hidden: float = 0.0  # the share of pictures of training in which something hides part of somebody
    protocols: ClassVar = ("ground", "aerial_to_ground", "infrared_to_color", "text_to_image")
    needs_folder: ClassVar = False
    _drawn: dict[Key, Seen] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        for name in ("train_people", "val_people", "test_people", "sessions", "sites"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be 1 or more, got {getattr(self, name)}")
        if self.seed < 0 or self.site < 0:
            raise ValueError(f"seed and site must be 0 or more, got {self.seed} and {self.site}")
        if not 0.0 <= self.hidden <= 1.0:
            raise ValueError(f"hidden must be from 0 to 1, got {self.hidden}")
        for camera in self.train_cameras:
            self.laboratory.view(camera)

    @cached_property
    def laboratory(self) -> Laboratory:
        """Who draws the pictures of the first site."""
        return self._laboratories[0]

    @cached_property
    def _laboratories(self) -> list[Laboratory]:
        crowds = (
            Crowd(self.seed, self.correlation, self.look_alikes, self.site + number)
            for number in range(self.sites)
        )
        return [Laboratory(crowd, self.size) for crowd in crowds]

    def train(self) -> tuple[Record, ...]:
        made = relabelled(self.records(range(self.train_people), self.train_cameras), self._place)
        return tuple(map(self._with_caption, made)) if self.captioned else made

    def validation(self, protocol: str) -> Trial:
        """As a trial, of people who are in no trial."""
        first = self.train_people
        return self._trial(protocol, range(first, first + self.val_people))

    def trial(self, protocol: str) -> Trial:
        first = self.train_people + self.val_people
        return self._trial(protocol, range(first, first + self.test_people))

    def picture(self, path: Path) -> NDArray[np.uint8]:
        return self.seen(_key(path)).picture

    def seen(self, key: Key) -> Seen:
        """What a key stands for. Pictures of training are drawn once; look-alikes are at one site."""
        site = self._laboratories[key.person // 2 % self.sites]
        if key.person >= self.train_people:
            return site.seen(key)
        if key not in self._drawn:
            self._drawn[key] = self._behind(site, key, site.seen(key))
        return self._drawn[key]

    def _behind(self, site: Laboratory, key: Key, seen: Seen) -> Seen:
        """Somebody behind what may stand before them in training."""
        if not self.hidden or (chance := drawn(self.seed, "behind", *key)).random() >= self.hidden:
            return seen
        kind = KINDS[int(chance.integers(len(KINDS)))]
        if kind == "person":
            other = site.person(key._replace(person=key.person + 2 * self.sites, frame=1))
            made = behind_person(seen.picture, other, chance)
        else:
            made = behind_thing(seen.picture, kind, "train", chance)
        parts = np.where(made.mask, np.int8(NOTHING), seen.parts)
        return seen._replace(picture=made.picture, mask=seen.mask & ~made.mask, parts=parts)

    def shown(self, record: Record) -> tuple[NDArray[np.uint8], ...]:
        return (self.picture(record.path),)

    def records(self, people: range, cameras: tuple[int, ...]) -> Iterator[Record]:
        """Of each person, camera and session one picture."""
        for person in people:
            for camera in cameras:
                for session in range(self.sessions):
                    name = f"{person:05d}_c{camera}s{session}_0000"
                    yield Record(name, self._place / name, person, camera, view=self.laboratory.view(camera))

    @cached_property
    def _place(self) -> Path:
        """Another one for other settings: what has been trained on one is not gone on with on another."""
        told = (
            self.laboratory,
            self.train_people,
            self.sessions,
            self.train_cameras,
            self.sites,
            self.hidden,
        )
        return Path(f"synthped-{crc32(repr(told).encode()):08x}")

    def _trial(self, protocol: str, people: range) -> Trial:
        of = {
            view: tuple(n for n in self.laboratory.cameras if self.laboratory.view(n) == view)
            for view in _VIEWS
        }
        ground = tuple(self.records(people, of["ground"]))
        if protocol == "text_to_image":
            asked = tuple(map(self._caption, ground))
            return Trial(asked, ground, {ALL: everybody(ground)})
        if protocol == "ground":
            return single_query([one for one in ground if one.name.endswith("s0_0000")], ground)
        view = {"aerial_to_ground": "aerial", "infrared_to_color": "infrared"}[protocol]
        return single_query(tuple(self.records(people, of[view])), ground)

    def _caption(self, record: Record) -> Record:
        return replace(self._with_caption(record), name=f"{record.name}#0", reads="text")

    def _with_caption(self, record: Record) -> Record:
        seen = self.seen(key := _key(record.path))
        said = caption_of(seen.attributes, seen.parts, drawn(self.seed, "caption", *key))
        return replace(record, caption=said.text)


_VIEWS: tuple[Any, ...] = ("ground", "aerial", "infrared")


def _key(path: Path) -> Key:
    said = NAME.fullmatch(path.name)
    if said is None:
        raise InputError(f"{path}: is no picture of SynthPed, whose names are like 00012_c3s1_0004")
    return Key(*map(int, said.groups()))
