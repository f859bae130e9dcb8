"""Who there is: attributes of a person, drawn by their number, and the simulator's body that has them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from math import erf, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engines.people.body import Bottom, Outfit, Top, surface_of
from engines.people.carried import Bag
from engines.people.clothes import CHECKS, HOOPS, PATCH, PLAIN, Color, Material, linear, rows_of
from engines.people.head import Hair, Hat
from engines.people.measures import Sex, measures_of
from engines.people.shapes import Shape
from engines.people.skeleton import CARRY, SWING, Skeleton, Style, skeleton_of
from engines.reid.lab.chance import drawn

CLOTH = {  # in linear light; the more to the left, the more people wear it at the first site
    **{"black": "1b1c20", "blue": "2f5fa8", "grey": "7d8288", "white": "e8e6e0", "navy": "1f2b4d"},
    **{"beige": "c3ab84", "green": "3c7246", "brown": "6a4429", "red": "b3262e", "purple": "6c3f86"},
    **{"yellow": "dcb23a", "orange": "d3692a"},
}
SHOE = ("black", "white", "brown", "grey", "navy", "beige", "red", "green")
HAIR = {"black": "18130f", "brown": "4a301f", "blond": "b9924f", "red": "7d3417", "grey": "9c9b98"}
SKIN = {"pale": "f1cfb8", "light": "e3b494", "tan": "bd8760", "brown": "855637", "dark": "50301f"}
BAG_OF: dict[str, Bag] = {
    **{"none": "none", "backpack": "backpack", "shoulder bag": "shoulder"},
    **{"briefcase": "hand", "shopping bag": "shopping"},
}
HAT_OF: dict[str, Hat] = {
    **{"none": "none", "cap": "cap", "hat": "brim", "beanie": "beanie", "headscarf": "scarf"}
}
LENGTH_OF: dict[str, tuple[Hair, ...]] = {
    "short": ("short", "full"),
    "long": ("long", "tail"),
    "no": ("bald",),
}
PATTERN_OF = {
    "plain": (PLAIN, 0.1, 0.5),
    "striped": (HOOPS, 0.08, 0.5),
    "checked": (CHECKS, 0.10, 0.5),
    "logo": (PATCH, 0.11, 0.24),
}
ZIPF = 1.0  # the second colour has 2^-ZIPF as many wearers as the first


class Attributes(NamedTuple):
    """What can be said of somebody, in words, and what cannot."""

    hair: str  # a colour
    length: str
    skin: str
    hat: str
    hat_color: str
    top: str
    pattern: str
    other: str  # the second colour of a pattern
    sleeves: str  # short, long
    coat: bool
    legs: str  # trousers, skirt, shorts
    bottom: str
    shoes: str
    bag: str
    bag_color: str
    height_m: float
    weight: float  # -1 to 1, and with it the width of the shoulders
    stride: float
    swing: float
    sex: Sex
    head: float  # the latent numbers that hair and hat, and legs and shoes hang on, standard normal
    below: float


@dataclass(frozen=True)
class Crowd:
    """Everybody, by number. `correlation` is between what heads and what legs look like; of `look_alikes` a share is
    dressed like the one before. Another `site`, another order of favourite colours, and more coats.
    """

    seed: int = 1
    correlation: float = 0.0
    look_alikes: float = 0.2
    site: int = 0

    def __post_init__(self) -> None:
        if not -1.0 <= self.correlation <= 1.0:
            raise ValueError(f"correlation must be from -1 to 1, got {self.correlation}")
        if not 0.0 <= self.look_alikes <= 1.0:
            raise ValueError(f"look_alikes must be from 0 to 1, got {self.look_alikes}")

    def attributes(self, person: int) -> Attributes:
        """Those of a person."""
        own = self._own(person)
        if person % 2 == 0 or not self.is_look_alike(person):
            return own
        other = self._own(person - 1)
        clothes = ("top", "pattern", "other", "sleeves", "coat", "legs", "bottom", "shoes", "sex", "hair")
        return own._replace(**{name: getattr(other, name) for name in clothes})

    def is_look_alike(self, person: int) -> bool:
        """Whether somebody is dressed like the one before: odd numbers alone can be."""
        chance = drawn(self.seed, "look-alike", person).random()
        return bool(person % 2 and chance < min(1.0, 2 * self.look_alikes))

    def _own(self, person: int) -> Attributes:
        chance = drawn(self.seed, "person", person)
        head, noise = chance.standard_normal(2)
        rho = self.correlation
        below = rho * head + sqrt(1.0 - rho * rho) * noise
        favourites = list(drawn(self.seed, "favourites", self.site).permutation(list(CLOTH)))
        cloth = favourites if self.site else list(CLOTH)
        pick = chance.choice
        sex: Sex = "man" if chance.random() < 0.5 else "woman"
        hat = str(pick(list(HAT_OF), p=[0.7, 0.1, 0.06, 0.08, 0.06]))
        length = str(pick(list(LENGTH_OF), p=[0.75, 0.1, 0.15] if sex == "man" else [0.3, 0.7, 0.0]))
        return Attributes(
            hair=_ranked(list(HAIR), head),
            length=length,
            skin=str(pick(list(SKIN))),
            hat=hat,
            hat_color=_ranked(cloth, head),
            top=_ranked(cloth, chance.standard_normal()),
            pattern=str(pick(list(PATTERN_OF), p=[0.55, 0.15, 0.15, 0.15])),
            other=str(pick(["white", "black", "yellow"])),
            sleeves=str(pick(["long", "short"], p=[0.65, 0.35])),
            coat=bool(chance.random() < 0.12 + 0.25 * (self.site % 2)),
            legs=str(pick(["trousers", "shorts"] if sex == "man" else ["trousers", "skirt"], p=[0.7, 0.3])),
            bottom=_ranked(cloth, below),
            shoes=_ranked(list(SHOE), below),
            bag=str(pick(list(BAG_OF), p=[0.4, 0.2, 0.16, 0.12, 0.12])),
            bag_color=_ranked(cloth, chance.standard_normal()),
            height_m=float(np.clip(chance.normal(1.756 if sex == "man" else 1.635, 0.065), 1.5, 1.95)),
            weight=float(chance.uniform(-0.9, 1.0)),
            stride=float(chance.uniform(0.9, 1.1)),
            swing=float(chance.uniform(12.0, 30.0)),
            sex=sex,
            head=float(head),
            below=float(below),
        )


class Figure(NamedTuple):
    """A body that can be drawn."""

    shape: Shape
    skeleton: Skeleton
    style: Style
    table: NDArray[np.float32]  # of materials, see clothes.rows_of


def without_bag(attributes: Attributes) -> Attributes:
    """The same person on a day without it."""
    return attributes._replace(bag="none")


@lru_cache(maxsize=512)
def figure_of(attributes: Attributes) -> Figure:
    """The body of somebody, dressed."""
    body = measures_of(round(attributes.height_m, 3), attributes.sex, round(attributes.weight, 2))
    hairs = LENGTH_OF[attributes.length]
    top: Top = "coat" if attributes.coat else "shirt" if attributes.sleeves == "short" else "jumper"
    bottom: Bottom = {"trousers": "trousers", "skirt": "skirt", "shorts": "shorts"}[attributes.legs]  # type: ignore[assignment]
    outfit = Outfit(
        top,
        bottom,
        attributes.sleeves == "short" and not attributes.coat,
        hairs[int(attributes.height_m * 1000) % len(hairs)],
        HAT_OF[attributes.hat],
        BAG_OF[attributes.bag],
    )
    carries = CARRY if BAG_OF[attributes.bag] in ("hand", "shopping") else SWING
    style = Style(
        stride=attributes.stride,
        swing=attributes.swing,
        lean=3.0,
        nod=6.0,
        gaze=15.0,
        sway=3.0,
        elbow=20.0,
        toes_out=6.0,
        left=SWING,
        right=carries,
        seat_m=0.0,
        seed=int(attributes.height_m * 1e6) % 1000,
    )
    return Figure(surface_of(body, outfit), skeleton_of(body), style, rows_of(_materials(attributes)))


def _materials(attributes: Attributes) -> list[Material]:
    """SKIN to HAT, see engines.people.body."""
    pattern, period_m, part = PATTERN_OF[attributes.pattern]
    other = attributes.other if attributes.other != attributes.top else "grey"
    return [
        Material(linear(SKIN[attributes.skin]), grain=0.03),
        Material(linear(HAIR[attributes.hair]), grain=0.22),
        Material(cloth(attributes.top), cloth(other), pattern, period_m, part, grain=0.06),
        Material(cloth(attributes.bottom), grain=0.07),
        Material(cloth(attributes.shoes)),
        Material(cloth(attributes.bag_color), grain=0.05),
        Material(cloth(attributes.hat_color), grain=0.05),
    ]


def cloth(name: str) -> Color:
    """A colour by its name, linear."""
    return linear(CLOTH[name])


def _ranked(names: list[str], latent: float) -> str:
    """The name at a standard normal number, the first ones of which are the most frequent (Zipf)."""
    weights = [1.0 / (rank**ZIPF) for rank in range(1, len(names) + 1)]
    share = 0.5 * (1.0 + erf(latent / sqrt(2.0))) * sum(weights)
    return next(
        (name for name, upto in zip(names, accumulate(weights), strict=True) if share < upto), names[-1]
    )


def alike(one: Attributes, other: Attributes) -> bool:
    """Whether both wear the same clothes."""
    same = ("top", "pattern", "legs", "bottom", "shoes", "sleeves", "coat")
    return all(getattr(one, name) == getattr(other, name) for name in same)
