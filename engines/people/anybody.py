"""People and light of every kind: far wider than a site's own, so that what learns from them holds on others too."""

from __future__ import annotations

from colorsys import hsv_to_rgb
from dataclasses import fields, replace
from random import Random

from engines.people.body import Bottom, Outfit, Top
from engines.people.carried import Bag
from engines.people.clothes import (
    CHECKS,
    DOTS,
    HAIRS,
    HOOPS,
    PATCH,
    PLAIN,
    SKINS,
    STRIPES,
    TWO_TONE,
    Color,
    Material,
)
from engines.people.crowd import Person
from engines.people.ground import GROUNDS
from engines.people.head import Hair, Hat
from engines.people.measures import Measures, Sex, measures_of
from engines.people.passages import Hung
from engines.people.setting import Setting
from engines.people.skeleton import CARRY, FOLDED, PHONE, POCKET, SWING, Style

TOPS: tuple[Top, ...] = ("shirt", "shirt", "jumper", "jacket", "coat")
BOTTOMS: tuple[Bottom, ...] = ("trousers", "trousers", "shorts", "skirt")
HAIR: tuple[Hair, ...] = ("bald", "short", "short", "full", "long", "long", "bun", "tail")
HATS: tuple[Hat, ...] = ("cap", "brim", "beanie", "scarf")
BAG: tuple[Bag, ...] = (
    "none",
    "none",
    "none",
    "backpack",
    "backpack",
    "shoulder",
    "hand",
    "shopping",
    "phone",
)
PATTERNS = (PLAIN, PLAIN, PLAIN, HOOPS, STRIPES, CHECKS, TWO_TONE, PATCH, DOTS)
HANDS = {"hand": CARRY, "shopping": CARRY, "phone": PHONE}
OWN = 0.06  # how much each measure of a body is its own, as a share of it


def anybody(number: int, key: str) -> Person:
    """Somebody, the same for the same key."""
    chance = Random(key)
    sex: Sex = chance.choice(("man", "woman", "man", "woman", "child"))
    low, high = (1.02, 1.55) if sex == "child" else (1.46, 1.80) if sex == "woman" else (1.56, 1.98)
    body = _own(measures_of(chance.triangular(low, high), sex, chance.uniform(-1.2, 1.3)), chance)
    hat: Hat = chance.choice(HATS) if chance.random() < 0.2 else "none"
    outfit = Outfit(
        chance.choice(TOPS),
        chance.choice(BOTTOMS),
        chance.random() < 0.35,
        chance.choice(HAIR),
        hat,
        chance.choice(BAG),
    )
    return Person(
        number,
        sex,
        body,
        outfit,
        _materials(chance),
        _style(number, outfit.bag, chance),
        round(chance.uniform(0.75, 1.55), 3),
    )


def dressed_like(person: Person, other: Person, key: str) -> Person:
    """The one in nearly the other's clothes, and with their hair and bag as often as not."""
    chance = Random(key)
    own, kept = person.materials, other.materials
    shift = chance.uniform(0.92, 1.08)
    materials = (*own[:2], *(_washed(one, shift) for one in kept[2:5]), *kept[5:])
    outfit = replace(
        other.outfit,
        hair=chance.choice((person.outfit.hair, other.outfit.hair)),
        bag=chance.choice((person.outfit.bag, other.outfit.bag)),
        hat=chance.choice((person.outfit.hat, other.outfit.hat)),
    )
    style = person.style._replace(right=HANDS.get(outfit.bag, SWING), left=SWING)
    return replace(person, outfit=outfit, materials=materials, style=style)


def any_light(key: str) -> Setting:
    """A floor, a lamp and a camera's colours of any kind; the camera hangs over the origin."""
    chance = Random(key)
    far, high = chance.uniform(1.0, 7.5), chance.uniform(3.6, 7.0)
    x, y = chance.uniform(-1.0, 1.0) * far, chance.choice((-1.0, 1.0)) * far
    strong, around = chance.uniform(0.15, 1.0), chance.uniform(0.25, 0.8)
    warm, sky = chance.uniform(0.75, 1.25), chance.uniform(0.85, 1.15)
    exposure = chance.uniform(0.65, 1.35)
    return Setting(
        ground=chance.choice(GROUNDS),
        ground_color=_color(chance, 0.5),
        lamp_m=(x, y, high),
        lit_m=(0.0, 0.0, 0.5),
        lamp=(strong * warm, strong, strong / warm),
        above=(around * sky, around, around / sky),
        below=(0.4 * around, 0.38 * around, 0.36 * around),
        gain=(exposure * chance.uniform(0.75, 1.3), exposure, exposure * chance.uniform(0.75, 1.3)),
        seed=key,
    )


def any_camera(key: str) -> Hung:
    """An overhead camera that hangs in any way."""
    chance = Random(key)
    pitch, roll = chance.choice(((0.0, 0.0), (1.0, 0.0), (-1.0, 0.0), (0.0, 1.0), (0.0, -1.0), (0.7, 0.7)))
    tilt = chance.uniform(8.0, 40.0)
    return Hung(
        chance.uniform(2.5, 4.2),
        tilt * pitch + chance.gauss(0.0, 3.0),
        tilt * roll + chance.gauss(0.0, 3.0),
        chance.uniform(330.0, 460.0),
    )


def _own(body: Measures, chance: Random) -> Measures:
    """A body whose proportions are its own; what must fit together changes together."""
    shares = {field.name: 1.0 for field in fields(Measures)}
    groups = (
        ("bideltoid", "biacromial"),
        ("chest_breadth", "chest_depth", "waist_breadth", "waist_depth"),
        ("hip_breadth", "hip_depth", "thigh_radius"),
        ("arm_radius",),
        ("head_length", "head_breadth"),
        ("upper_arm", "forearm"),
        ("hand", "foot"),
    )
    for group in groups:
        share = min(max(chance.gauss(1.0, OWN), 0.85), 1.15)
        shares.update(dict.fromkeys(group, share))
    return replace(body, **{name: getattr(body, name) * share for name, share in shares.items()})


def _materials(chance: Random) -> tuple[Material, ...]:
    hair = chance.choice(HAIRS) if chance.random() < 0.7 else _color(chance, 0.4)
    dark = max(hair) < 0.06
    return (
        Material(chance.choice(SKINS), grain=chance.uniform(0.0, 0.05)),
        Material(hair, grain=chance.uniform(0.0, 0.25), hole=chance.uniform(0.0, 0.2 if dark else 0.05)),
        _cloth(chance),
        _cloth(chance, chance.choice((PLAIN, PLAIN, PLAIN, CHECKS, STRIPES))),
        Material(_color(chance), hole=chance.uniform(0.0, 0.05)),
        Material(_color(chance), grain=chance.uniform(0.0, 0.08), hole=chance.uniform(0.0, 0.04)),
        Material(_color(chance), grain=chance.uniform(0.0, 0.08)),
    )


def _cloth(chance: Random, pattern: int | None = None) -> Material:
    pattern = chance.choice(PATTERNS) if pattern is None else pattern
    return Material(
        _color(chance),
        _color(chance),
        pattern,
        chance.uniform(0.03, 0.14),
        chance.uniform(0.25, 0.6),
        chance.uniform(0.0, 0.1),
        chance.uniform(0.0, 0.03),
    )


def _color(chance: Random, most: float = 1.0) -> Color:
    """Most clothes are dull, and dark or light; some are not. `most` is of the saturation."""
    saturation = chance.choice((chance.uniform(0.0, 0.25), chance.uniform(0.0, 0.9))) * most
    red, green, blue = hsv_to_rgb(chance.random(), saturation, chance.uniform(0.07, 0.95))
    return red**2.2, green**2.2, blue**2.2


def _washed(material: Material, shift: float) -> Material:
    color = tuple(min(one * shift, 1.0) for one in material.color)
    return material._replace(color=(color[0], color[1], color[2]))


def _style(number: int, bag: Bag, chance: Random) -> Style:
    right = HANDS.get(bag, SWING)
    left = chance.choice((SWING, SWING, SWING, SWING, POCKET, FOLDED))
    if right == SWING and left in (POCKET, FOLDED):
        right = left
    return Style(
        stride=chance.uniform(0.88, 1.12),
        swing=chance.uniform(5.0, 35.0),
        lean=chance.uniform(-2.0, 12.0),
        nod=24.0 if right == PHONE else chance.uniform(-4.0, 16.0),
        gaze=chance.uniform(4.0, 34.0),
        sway=chance.uniform(1.0, 6.0),
        elbow=chance.uniform(5.0, 40.0),
        toes_out=chance.uniform(0.0, 14.0),
        left=left,
        right=right,
        seat_m=0.0,
        seed=chance.randrange(1 << 20) + number,
    )
