"""Pictures of people who do not exist, made when they are asked for: the same key, the same picture, nothing stored."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engines.people.body import BAG, BOTTOM, HAIR, HAT, SHOE, TOP
from engines.people.skeleton import Moment
from engines.reid.lab import cameras
from engines.reid.lab.cameras import Camera, View, camera_of
from engines.reid.lab.chance import drawn
from engines.reid.lab.drawing import NOTHING, Aim, Parts, Picture, Shot, Sighted, sighted
from engines.reid.lab.people import Attributes, Crowd, figure_of, without_bag

LEFT_AT_HOME = 0.25  # of bags, by session
STRIDES_A_FRAME = 0.09


class Key(NamedTuple):
    """What everything random of a picture hangs on."""

    person: int
    camera: int
    session: int
    frame: int


class Seen(NamedTuple):
    """A picture as a camera gives it, and what is true of it."""

    picture: Picture  # RGB (h, w, 3)
    mask: NDArray[np.bool_]  # (h, w), where the person is
    parts: Parts  # (h, w), what of them, see engines.people.body
    attributes: Attributes  # of that day


@dataclass(frozen=True)
class Laboratory:
    """A crowd before cameras: from the ground, from the air, and infrared ones, in this order by number."""

    crowd: Crowd = field(default_factory=Crowd)
    size: tuple[int, int] = (128, 64)
    ground: int = 4
    aerial: int = 2
    infrared: int = 2

    def __post_init__(self) -> None:
        if min(self.size) < 16:
            raise ValueError(f"size must be 16 px at least each way, got {self.size}")

    @property
    def cameras(self) -> range:
        """The numbers of all of them."""
        return range(self.ground + self.aerial + self.infrared)

    def view(self, camera: int) -> View:
        """How a camera sees."""
        if camera not in self.cameras:
            raise ValueError(f"camera must be from 0 to {len(self.cameras) - 1}, got {camera}")
        if camera < self.ground:
            return "ground"
        return "aerial" if camera < self.ground + self.aerial else "infrared"

    def camera(self, number: int) -> Camera:
        """A camera by its number."""
        return camera_of(self.crowd.seed, self.crowd.site, number, self.view(number))

    def attributes(self, person: int, session: int) -> Attributes:
        """Somebody as they are that day: now and then without their bag."""
        own = self.crowd.attributes(person)
        left = drawn(self.crowd.seed, "bag", person, session).random() < LEFT_AT_HOME
        return without_bag(own) if left else own

    def seen(self, key: Key, shift: NDArray[np.float64] | None = None) -> Seen:
        """The picture of a key; `shift` (3,) says how far a detector is off, which else is drawn."""
        chance = drawn(self.crowd.seed, "picture", *key)
        camera, attributes = self.camera(key.camera), self.attributes(key.person, key.session)
        there = self.person(key, shift)
        behind = cameras.background(camera, self.size, chance)
        whole = blended(behind, there)
        picture = cameras.rendered(whole, camera, chance)
        return Seen(picture, there.cover > 0.5, _known(there), attributes)

    def person(self, key: Key, shift: NDArray[np.float64] | None = None) -> Sighted:
        """Somebody with nothing around them and before the sensor: what a second person in a picture is made of."""
        seed, camera = self.crowd.seed, self.camera(key.camera)
        chance, pose = drawn(seed, "pose", *key), drawn(seed, "passage", *key[:3])
        figure = figure_of(attributes := self.attributes(key.person, key.session))
        if camera.view == "infrared":
            figure = figure._replace(table=cameras.in_infrared(figure.table, _colors(attributes)))
        aim = cameras.aimed(camera, pose)
        turn = aim.turn + float(chance.normal(0.0, 8.0))
        strides = float(pose.uniform(0, 1)) + STRIDES_A_FRAME * key.frame
        now = Moment(0.0, 0.0, 0.0, float(pose.uniform(0.0, 1.6)), strides, 0.0, 0.1 * key.frame)
        aim = Aim(aim.pitch, turn, aim.far_m)
        shot = Shot(now, aim, cameras.cut(chance, shift), cameras.light(camera, pose))
        return sighted(figure, shot, self.size)


def blended(behind: Picture, there: Sighted) -> Picture:
    """Somebody before what is behind them."""
    share = there.cover[..., None]
    mixed = share * there.color.astype(np.float32) + (1.0 - share) * behind.astype(np.float32)
    return np.asarray(mixed, np.uint8)


def _known(there: Sighted) -> Parts:
    return np.where(there.cover > 0.5, there.parts, np.int8(NOTHING)).astype(np.int8)


def _colors(attributes: Attributes) -> dict[int, str]:
    return {
        HAIR: attributes.hair,
        TOP: attributes.top,
        BOTTOM: attributes.bottom,
        SHOE: attributes.shoes,
        BAG: attributes.bag_color,
        HAT: attributes.hat_color,
    }
