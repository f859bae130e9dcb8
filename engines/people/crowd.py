"""Who is there: people of all kinds, some of whom are dressed like another."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

from engines.people.body import Bottom, Outfit, Top
from engines.people.carried import Bag
from engines.people.clothes import (
    BAGS,
    BOTTOMS,
    BRIGHT,
    CHECKS,
    DARK_HAIR,
    DOTS,
    HAIRS,
    HOOPS,
    MUTED,
    PATCH,
    PLAIN,
    SHOES,
    SKINS,
    STRIPES,
    TWO_TONE,
    Color,
    Material,
)
from engines.people.head import Hair, Hat
from engines.people.measures import Measures, Sex, measures_of
from engines.people.skeleton import CARRY, PHONE, POCKET, PUSH, SWING, WHEEL, Style

HIPS_IN_CHAIR_M = 0.57
STATURE_M: dict[Sex, tuple[float, float]] = {
    "man": (1.756, 0.065),
    "woman": (1.635, 0.060),
    "child": (1.24, 0.06),
}
HAIR_OF: dict[Sex, tuple[Hair, ...]] = {
    "man": ("short", "short", "full", "bald"),
    "woman": ("long", "long", "full", "bun", "tail"),
    "child": ("short", "full", "tail", "long"),
}
PATTERNS = {  # period or size in metres, and part
    PLAIN: (0.1, 0.5),
    HOOPS: (0.07, 0.5),
    STRIPES: (0.05, 0.45),
    CHECKS: (0.09, 0.5),
    TWO_TONE: (0.1, 0.36),
    PATCH: (0.11, 0.24),
    DOTS: (0.06, 0.30),
}
ROOM_M = {"trolley": 0.60, "wheelchair": 0.42}
PUSHED_M = 0.46
ROLES = ("child", "hat", "trolley", "wheelchair")
ONE_IN = {"child": 12, "hat": 8, "trolley": 16, "wheelchair": 24}  # people in a larger crowd


@dataclass(frozen=True)
class Person:
    """Somebody, with all that stays the same about them."""

    number: int  # from 1
    sex: Sex
    body: Measures
    outfit: Outfit
    materials: tuple[Material, ...]  # SKIN to HAT, see body
    style: Style
    speed_m_s: float
    roles: tuple[str, ...] = ()  # of ROLES
    look_alike_of: int = 0  # number of the other one; 0 for nobody
    friend: int = 0  # walks with; 0 for nobody

    @property
    def radius_m(self) -> float:
        """How near others come: half the width of the shoulders, a little turned, or of what one pushes."""
        return ROOM_M.get(self.roles[0] if self.roles else "", 0.475 * self.body.bideltoid)

    @property
    def ahead_m(self) -> float:
        """How far before the body the middle of that circle lies."""
        return PUSHED_M if "trolley" in self.roles else 0.0


def crowd_of(people: int, seed: int) -> list[Person]:
    """So many people. A third of them, and another third, are look-alikes of each other."""
    chance = Random(f"{seed}/crowd")
    roles = _roles(people, chance)
    made = [_person(number + 1, roles[number], chance) for number in range(people)]
    plain = [person.number for person in made if not {"child", "wheelchair"} & set(person.roles)]
    chance.shuffle(plain)
    for one, other in list(zip(plain[::2], plain[1::2], strict=False))[: people // 3]:
        made[one - 1] = replace(made[one - 1], look_alike_of=other)
        made[other - 1] = _dressed_like(made[other - 1], made[one - 1], chance)
    for one, other in _couples(made, chance):
        pace = min(made[one - 1].speed_m_s, made[other - 1].speed_m_s)
        made[one - 1] = replace(made[one - 1], friend=other, speed_m_s=pace)
        made[other - 1] = replace(made[other - 1], friend=one, speed_m_s=pace)
    return made


def _couples(crowd: list[Person], chance: Random) -> list[tuple[int, int]]:
    """Who walks with whom: children with a grown-up, and friends; a third of all."""
    able = [person for person in crowd if not set(ROOM_M) & set(person.roles)]
    children = [person.number for person in able if "child" in person.roles]
    others = [person.number for person in able if "child" not in person.roles]
    chance.shuffle(others)
    couples = list(zip(others, children, strict=False))
    others = others[len(couples) :]
    while len(couples) < len(crowd) // 6 and len(others) > 1:
        couples.append((others.pop(), others.pop()))
    return couples


def _roles(people: int, chance: Random) -> list[tuple[str, ...]]:
    wanted = list(ROLES)
    for role in ROLES:
        wanted += [role] * (people // ONE_IN[role] - 1)
    wanted = wanted[:people] + [""] * (people - len(wanted))
    chance.shuffle(wanted)
    return [(role,) if role else () for role in wanted]


def _person(number: int, roles: tuple[str, ...], chance: Random) -> Person:
    sex: Sex = "child" if "child" in roles else chance.choice(("man", "woman"))
    mean, deviation = STATURE_M[sex]
    stature = min(max(chance.gauss(mean, deviation), mean - 0.13), mean + 0.13)
    body = measures_of(round(stature, 3), sex, round(chance.uniform(-0.9, 1.0), 2))
    sits = "wheelchair" in roles
    hat: Hat = chance.choice(("cap", "brim", "beanie", "scarf")) if "hat" in roles else "none"
    outfit = Outfit(
        _top(sits, chance),
        _bottom(sex, sits, chance),
        False,
        chance.choice(HAIR_OF[sex]),
        hat,
        _bag(sex, roles, chance),
    )
    outfit = replace(outfit, short_sleeves=outfit.top == "shirt" and chance.random() < 0.6)
    speed = {"child": 1.05, "wheelchair": 0.85, "trolley": 0.95}.get(roles[0] if roles else "", 1.22)
    return Person(
        number,
        sex,
        body,
        outfit,
        _materials(chance),
        _style(number, outfit.bag, roles, chance),
        round(speed * chance.uniform(0.88, 1.14), 3),
        roles,
    )


def _dressed_like(person: Person, other: Person, chance: Random) -> Person:
    """In the clothes of another, but of another stature, and with other hair or another bag."""
    apart = chance.uniform(0.06, 0.13)
    tall = other.body.stature > STATURE_M[other.sex][0]
    stature = round(other.body.stature + (-apart if tall else apart), 3)
    body = measures_of(stature, other.sex, round(chance.uniform(-0.9, 1.0), 2))
    hair = chance.choice([hair for hair in HAIR_OF[other.sex] if hair != other.outfit.hair])
    bag = person.outfit.bag if person.outfit.bag != other.outfit.bag else "none"
    outfit = replace(other.outfit, hair=hair, hat=person.outfit.hat, bag=bag)
    kept = other.materials
    own = person.materials
    materials = (own[0], own[1], _near(kept[2], chance), _near(kept[3], chance), kept[4], own[5], own[6])
    style = _style(person.number, bag, person.roles, chance)
    return replace(
        person,
        sex=other.sex,
        body=body,
        outfit=outfit,
        materials=materials,
        style=style,
        look_alike_of=other.number,
    )


def _near(material: Material, chance: Random) -> Material:
    """The same cloth, washed more or less often."""
    shift = chance.uniform(0.95, 1.05)
    return material._replace(color=_times(material.color, shift), other=_times(material.other, shift))


def _times(color: Color, factor: float) -> Color:
    return color[0] * factor, color[1] * factor, color[2] * factor


def _top(sits: bool, chance: Random) -> Top:
    return chance.choice(("shirt", "shirt", "jumper", "jumper", "jacket", "jacket" if sits else "coat"))


def _bottom(sex: Sex, sits: bool, chance: Random) -> Bottom:
    if sex == "child":
        return chance.choice(("trousers", "shorts"))
    return chance.choice(("trousers", "trousers", "skirt")) if sex == "woman" and not sits else "trousers"


def _bag(sex: Sex, roles: tuple[str, ...], chance: Random) -> Bag:
    if {"trolley", "wheelchair"} & set(roles):
        return chance.choice(("none", "backpack")) if "trolley" in roles else "none"
    if sex == "child":
        return chance.choice(("none", "backpack"))
    return chance.choice(("none", "none", "backpack", "backpack", "shoulder", "hand", "shopping", "phone"))


def _materials(chance: Random) -> tuple[Material, ...]:
    hair = chance.randrange(len(HAIRS))
    pattern = chance.choice((PLAIN, PLAIN, PLAIN, HOOPS, STRIPES, CHECKS, TWO_TONE, PATCH, DOTS))
    top = chance.choice(MUTED if chance.random() < 0.65 else BRIGHT)
    other = chance.choice([color for color in MUTED + BRIGHT if color != top])
    bag = chance.choice(BAGS)
    return (
        Material(chance.choice(SKINS), grain=0.03),
        Material(HAIRS[hair], grain=0.22, hole=0.09 if hair < DARK_HAIR else 0.015),
        Material(top, other, pattern, *PATTERNS[pattern], grain=0.06),
        Material(chance.choice(BOTTOMS), grain=0.07),
        Material(chance.choice(SHOES), hole=0.03),
        Material(bag, grain=0.05, hole=0.02),
        Material(chance.choice(MUTED + BRIGHT), grain=0.05),
    )


def _style(number: int, bag: Bag, roles: tuple[str, ...], chance: Random) -> Style:
    arm = {"hand": CARRY, "shopping": CARRY, "phone": PHONE}.get(bag, SWING)
    left = POCKET if chance.random() < 0.15 else SWING
    right = POCKET if arm == SWING and left == POCKET else arm
    seat, lean = 0.0, chance.uniform(0.0, 7.0)
    if "trolley" in roles:
        left, right, lean = PUSH, PUSH, chance.uniform(4.0, 9.0)
    if "wheelchair" in roles:
        left, right, seat, lean = WHEEL, WHEEL, HIPS_IN_CHAIR_M, chance.uniform(0.0, 5.0)
    return Style(
        stride=chance.uniform(0.93, 1.07),
        swing=chance.uniform(14.0, 27.0),
        lean=lean,
        nod=24.0 if right == PHONE else chance.uniform(2.0, 12.0),
        gaze=chance.uniform(8.0, 28.0),
        sway=chance.uniform(2.0, 5.0),
        elbow=chance.uniform(12.0, 30.0),
        toes_out=chance.uniform(3.0, 10.0),
        left=left,
        right=right,
        seat_m=seat,
        seed=chance.randrange(1 << 20) + number,
    )
