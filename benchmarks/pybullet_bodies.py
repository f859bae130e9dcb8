"""People that are not ours: PyBullet's `humanoid.urdf`, its links stretched and coloured, dressed in its primitives."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import cos, pi, sin
from pathlib import Path
from random import Random
from typing import Any
from xml.etree import ElementTree

import pybullet
import pybullet_data

DATA = Path(pybullet_data.getDataPath())
UNIT = 4.0  # of the file's lengths in a metre
END = "</robot>"
HEAD = ("neck", "hair", "hat")  # links that are seen as the head
THIGH, SHIN, FOOT = 0.421546, 0.409870, 0.050  # metres, from joint to joint, and down to the sole
TRUNK, NECK, SKULL, SKULL_RADIUS = 0.236151, 0.223894, 0.175, 0.1025
PALETTE = {  # red, green, blue as PyBullet shows them
    "skin": ("f0c8a8", "dca27c", "b07848", "80502c", "50301c"),
    "hair": ("181410", "3c281c", "78502c", "c0a060", "909090", "803018"),
    "cloth": (
        *("202428", "283c68", "c8c0b4", "70787c", "405030", "902030", "307048", "d8a040", "4088b0"),
        *("b85c38", "604070", "d0a0b8", "e4e0d8", "504840", "28647c"),
    ),
    "shoe": ("181818", "302018", "e4e4e0", "604030", "202c48"),
}
TRUNK_LINKS = ("chest", "right_shoulder", "left_shoulder")
FOREARMS, SHINS = ("right_elbow", "left_elbow"), ("right_knee", "left_knee")
BAGS = ("none", "none", "backpack", "shoulder", "parcel")
Color = tuple[float, float, float, float]


@dataclass(frozen=True)
class Person:
    """Somebody, with all that stays the same about them. Scales are shares of the humanoid's own lengths."""

    number: int  # from 1
    legs: float
    trunk: float
    arms: float
    girth: float
    head: float
    shoulders: float
    colors: tuple[tuple[str, str], ...]  # of skin, hair, top, bottom, shoe, bag, hat; hexadecimal
    is_sleeveless: bool
    bottom: str  # trousers, shorts, skirt, coat
    hair: str  # none, short, long
    hat: bool
    bag: str
    speed_m_s: float
    stride_rad: float
    look_alike_of: int = 0

    @property
    def height_m(self) -> float:
        """Of a person who stands upright, to the top of the skull."""
        legs = (THIGH + SHIN) * self.legs + FOOT
        return legs + (TRUNK + NECK) * self.trunk + (SKULL + SKULL_RADIUS) * self.head

    @property
    def radius_m(self) -> float:
        """Of the skull."""
        return SKULL_RADIUS * self.head


def crowd_of(count: int, seed: int, twins: int) -> list[Person]:
    """So many people; as many of the last as `twins` says are dressed like one of the first."""
    chance = Random(f"{seed}/pybullet")
    crowd = [_person(number, chance) for number in range(1, count + 1)]
    for pair in range(min(twins, count // 2)):
        one, other = crowd[pair], crowd[count - 1 - pair]
        crowd[count - 1 - pair] = replace(
            other,
            **{
                name: getattr(one, name)
                for name in ("colors", "is_sleeveless", "bottom", "hair", "hat", "bag")
            },
            look_alike_of=one.number,
        )
    return crowd


def _person(number: int, chance: Random) -> Person:
    stature = min(1.16, max(0.88, chance.gauss(1.04, 0.05)))

    def about(share: float) -> float:
        return chance.uniform(1.0 - share, 1.0 + share)

    def color(kind: str) -> str:
        return chance.choice(PALETTE[kind])

    kinds = {"skin": "skin", "hair": "hair", "shoe": "shoe"}
    names = ("skin", "hair", "top", "bottom", "shoe", "bag", "hat")
    return Person(
        number,
        legs=stature * about(0.04),
        trunk=stature * about(0.05),
        arms=stature * about(0.05),
        girth=about(0.20),
        head=about(0.07),
        shoulders=about(0.10),
        colors=tuple((name, color(kinds.get(name, "cloth"))) for name in names),
        is_sleeveless=chance.random() < 0.35,
        bottom=chance.choice(("trousers", "trousers", "shorts", "skirt", "coat")),
        hair=chance.choice(("none", "short", "short", "long", "long")),
        hat=chance.random() < 0.15,
        bag=chance.choice(BAGS),
        speed_m_s=chance.uniform(0.9, 1.5),
        stride_rad=chance.uniform(0.34, 0.52),
    )


class Body:
    """A person in a PyBullet world (`client`), whose links are found by name."""

    def __init__(self, person: Person, client: int) -> None:
        self.person, self._client = person, client
        self.id = _loaded(_urdf_of(person), client)
        count = pybullet.getNumJoints(self.id, physicsClientId=client)
        names = [pybullet.getJointInfo(self.id, n, physicsClientId=client)[12].decode() for n in range(count)]
        self._number = {name: number for number, name in enumerate(names)}
        self.head_links = [self._number[name] for name in HEAD if name in self._number]
        colors = {name: _rgba(code) for name, code in person.colors}
        for name, number in self._number.items():
            color = colors[_worn(name, person)]
            pybullet.changeVisualShape(self.id, number, rgbaColor=color, physicsClientId=client)

    def pose(self, x_m: float, y_m: float, heading: float, strides: float) -> None:
        """Stand in the middle of a stride: `strides` counts them, from any beginning."""
        person, phase, carries = self.person, 2 * pi * strides, self.person.bag == "parcel"
        legs = []
        for side, turn in (("right", phase), ("left", phase + pi)):
            hip = person.stride_rad * sin(turn)
            knee = -0.10 - 0.75 * max(0.0, cos(turn))
            shoulder = 0.25 if carries else -0.85 * person.stride_rad * sin(turn)
            legs.append(THIGH * cos(hip) + SHIN * cos(hip + knee))
            self._bend(f"{side}_hip", hip)
            self._bend(f"{side}_ankle", -0.6 * (hip + knee))
            self._bend(f"{side}_shoulder", shoulder)
            self._turn(f"{side}_knee", knee)
            self._turn(f"{side}_elbow", 1.3 if carries else 0.25 + 0.2 * max(0.0, -sin(turn)))
        up = max(legs) * person.legs + FOOT
        turned = pybullet.multiplyTransforms(
            (0, 0, 0), _about((0, 0, 1), heading), (0, 0, 0), _about((1, 0, 0), pi / 2)
        )[1]
        pybullet.resetBasePositionAndOrientation(
            self.id, (x_m, y_m, up), turned, physicsClientId=self._client
        )

    def head(self) -> tuple[float, float, float]:
        """The middle of the skull."""
        state = pybullet.getLinkState(
            self.id, self._number["neck"], computeForwardKinematics=True, physicsClientId=self._client
        )
        x, y, z = state[0]  # its centre of mass, which the file puts there
        return x, y, z

    def _bend(self, joint: str, angle: float) -> None:
        pybullet.resetJointStateMultiDof(
            self.id, self._number[joint], _about((0, 0, 1), angle), physicsClientId=self._client
        )

    def _turn(self, joint: str, angle: float) -> None:
        pybullet.resetJointState(self.id, self._number[joint], angle, physicsClientId=self._client)


def _about(axis: Sequence[float], angle: float) -> tuple[float, float, float, float]:
    x, y, z = (sin(angle / 2) * part for part in axis)
    return x, y, z, cos(angle / 2)


def _rgba(code: str) -> Color:
    red, green, blue = (int(code[i : i + 2], 16) / 255 for i in (0, 2, 4))
    return red, green, blue, 1.0


def _worn(link: str, person: Person) -> str:
    """Which of a person's colours a link has."""
    if link in ("hair", "hat", "bag"):
        return link
    if link == "flap":
        return "top" if person.bottom == "coat" else "bottom"
    if link in TRUNK_LINKS or link == "bar" or (link in FOREARMS and not person.is_sleeveless):
        return "top"
    if link in ("root", "right_hip", "left_hip"):
        return "bottom"
    if link.endswith("ankle"):
        return "shoe"
    is_bare = person.bottom in ("shorts", "skirt") or link not in SHINS
    return "skin" if is_bare else "bottom"


def _urdf_of(person: Person) -> str:
    text = (DATA / "humanoid" / "humanoid.urdf").read_text("utf-8")
    root = ElementTree.fromstring(text[: text.index(END) + len(END)])  # what comes after is no XML
    for part in [*root.iter("link"), *root.iter("joint")]:
        _stretch(part, part.get("name", ""), person)
    for name, (parent, place, kind, sizes) in _worn_over(person).items():
        _add(root, (name, parent), place, (kind, sizes))
    return ElementTree.tostring(root, encoding="unicode")


def _stretch(part: ElementTree.Element, name: str, person: Person) -> None:
    """Lengths of a link, or how far a joint is from the one before."""
    limb = name.split("_")[-1]
    of_link = {"hip": person.legs, "knee": person.legs, "shoulder": person.arms, "elbow": person.arms}
    of_joint = {"knee": person.legs, "ankle": person.legs, "elbow": person.arms, "wrist": person.arms}
    long = (of_link if part.tag == "link" else of_joint).get(limb, person.trunk)
    if part.tag == "link" and name == "neck":
        long = person.head
    wide = person.girth if limb in ("root", "chest", "hip", "knee", "shoulder", "elbow") else 1.0
    for origin in part.iter("origin"):
        x, y, z = (float(value) for value in origin.get("xyz", "0 0 0").split())
        across = person.shoulders if name.endswith("shoulder") and part.tag == "joint" else 1.0
        origin.set("xyz", f"{x} {y * long} {z * across}")
    for shape in part.iter():
        if shape.tag == "sphere":
            size = person.head if name == "neck" else wide
            shape.set("radius", str(float(shape.get("radius", "0")) * size))
        if shape.tag == "capsule":
            shape.set("radius", str(float(shape.get("radius", "0")) * wide))
            shape.set("length", str(float(shape.get("length", "0")) * long))


def _worn_over(person: Person) -> dict[str, tuple[str, tuple[float, float, float], str, tuple[float, ...]]]:
    """Links beside the humanoid's own: parent, place, kind and sizes, in metres; x is ahead and y up."""
    wide, trunk, skull, up = person.girth, person.trunk, person.radius_m, SKULL * person.head
    parts: dict[str, tuple[str, tuple[float, float, float], str, tuple[float, ...]]] = {
        "bar": ("chest", (-0.01, 0.20 * trunk, 0.0), "across", (0.055 * wide, 0.26 * person.shoulders)),
    }
    if person.hat:
        parts["hat"] = ("neck", (0.0, up + 0.62 * skull, 0.0), "upright", (1.25 * skull, 0.05))
    if person.hair != "none":
        parts["hair"] = ("neck", (-0.12 * skull, up + 0.10 * skull, 0.0), "ball", (1.02 * skull,))
    if person.hair == "long":
        parts["hair"] = ("neck", (-0.30 * skull, up - 0.35 * skull, 0.0), "capsule", (0.98 * skull, 0.10))
    if person.bottom == "skirt":
        parts["flap"] = (
            "root",
            (0.0, -0.20 * person.legs, 0.0),
            "upright",
            (0.17 * wide, 0.45 * person.legs),
        )
    if person.bottom == "coat":
        parts["flap"] = ("root", (0.0, -0.02, 0.0), "upright", (0.165 * wide, 0.75 * person.legs))
    places: dict[str, tuple[tuple[float, float, float], tuple[float, ...]]] = {
        "backpack": ((-0.17 * wide, 0.08 * trunk, 0.0), (0.13, 0.42, 0.29)),
        "shoulder": ((0.0, -0.22 * trunk, 0.21 * wide), (0.30, 0.26, 0.10)),
        "parcel": ((0.30, 0.0, 0.0), (0.26, 0.22, 0.38)),
    }
    if person.bag != "none":
        parts["bag"] = ("chest", places[person.bag][0], "box", places[person.bag][1])
    return parts


def _add(
    root: ElementTree.Element,
    names: tuple[str, str],
    place: tuple[float, float, float],
    shape: tuple[str, tuple[float, ...]],
) -> None:
    (name, parent), kind, sizes = names, shape[0], [UNIT * size for size in shape[1]]
    turn = {"across": "0 0 0", "ball": "0 0 0", "box": "0 0 0"}.get(kind, "1.570796 0 0")
    link = ElementTree.SubElement(root, "link", name=name)
    inertial = ElementTree.SubElement(link, "inertial")
    ElementTree.SubElement(inertial, "mass", value="0.1")
    ElementTree.SubElement(inertial, "inertia", ixx="1", ixy="0", ixz="0", iyy="1", iyz="0", izz="1")
    visual = ElementTree.SubElement(link, "visual")
    ElementTree.SubElement(visual, "origin", rpy=turn, xyz="0 0 0")
    geometry = ElementTree.SubElement(visual, "geometry")
    if kind == "box":
        ElementTree.SubElement(geometry, "box", size=" ".join(map(str, sizes)))
    elif kind == "ball":
        ElementTree.SubElement(geometry, "sphere", radius=str(sizes[0]))
    else:
        tag = "cylinder" if kind == "upright" else "capsule"
        ElementTree.SubElement(geometry, tag, radius=str(sizes[0]), length=str(sizes[1]))
    joint = ElementTree.SubElement(root, "joint", name=name, type="fixed")
    ElementTree.SubElement(joint, "parent", link=parent)
    ElementTree.SubElement(joint, "child", link=name)
    ElementTree.SubElement(joint, "origin", rpy="0 0 0", xyz=" ".join(str(UNIT * part) for part in place))


def _loaded(urdf: str, client: int) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "person.urdf"
        path.write_text(urdf, "utf-8")
        return pybullet.loadURDF(str(path), globalScaling=1 / UNIT, useFixedBase=True, physicsClientId=client)
