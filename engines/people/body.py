"""The surface of a person: a body of given measures, dressed. At rest it stands upright with its arms down."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from engines.people.carried import Bag, bag_of
from engines.people.head import Hair, Hat, hair_of, hat_of, head_of, neck_of
from engines.people.measures import Measures
from engines.people.shapes import Floats, Ring, Shape, merged, tube
from engines.people.skeleton import (
    ARM_L,
    ARM_R,
    CHEST,
    FOREARM_L,
    PELVIS,
    THIGH_L,
    THIGH_R,
    skeleton_of,
)

SKIN, HAIR, TOP, BOTTOM, SHOE, BAG, HAT = range(7)  # materials

Top = Literal["shirt", "jumper", "jacket", "coat"]
Bottom = Literal["trousers", "shorts", "skirt"]

THICK_M = {"shirt": 0.010, "jumper": 0.018, "jacket": 0.028, "coat": 0.030}


@dataclass(frozen=True)
class Outfit:
    """What somebody wears and carries."""

    top: Top = "jumper"
    bottom: Bottom = "trousers"
    short_sleeves: bool = False
    hair: Hair = "short"
    hat: Hat = "none"
    bag: Bag = "none"


def surface_of(body: Measures, outfit: Outfit) -> Shape:
    """The dressed body, with the materials SKIN to HAT."""
    return merged(
        [
            *_trunk(body, outfit),
            *_legs(body, outfit),
            *_arms(body, outfit),
            neck_of(body, SKIN),
            *head_of(body, SKIN),
            *hair_of(body, outfit.hair, HAIR, covered=outfit.hat != "none"),
            *hat_of(body, outfit.hat, HAT),
            *bag_of(body, outfit.bag, THICK_M[outfit.top], BAG),
        ]
    )


def _trunk(body: Measures, outfit: Outfit) -> Iterator[Shape]:
    """Pelvis and chest, and what hangs from them."""
    thick, hips, waist = THICK_M[outfit.top], _hips(body), _waist(body)
    yield tube([_thicker(ring, 0.008) for ring in (*hips, waist)], BOTTOM)
    if outfit.bottom == "skirt":
        low = 0.60 * body.knee_height + 0.30 * body.crotch_height
        yield _with_legs(tube([*_hanging(body, low, 0.016), _thicker(waist, 0.012)], BOTTOM), body)
    if outfit.top == "coat":
        hem = _hanging(body, body.knee_height + 0.06 * body.stature, thick)
    else:
        hem = [_thicker(ring, thick + 0.006) for ring in hips[1 if outfit.top == "jacket" else 2 :]]
    upper = tube([*hem, *(_thicker(ring, thick) for ring in (waist, *_chest(body)))], TOP, 20)
    yield _with_legs(upper._replace(uv_m=_laid_flat(upper)), body)


def _hips(body: Measures) -> list[Ring]:
    """Rings from the crotch to above the hips."""
    h, wide, deep = body.stature, body.hip_breadth, body.hip_depth
    rows = [
        (0.000, body.crotch_height - 0.012 * h, 0.34 * wide, 0.30 * deep),
        (-0.006, body.crotch_height + 0.022 * h, 0.49 * wide, 0.49 * deep),
        (-0.008, body.hip_height + 0.010 * h, 0.50 * wide, 0.50 * deep),
        (-0.004, body.hip_height + 0.045 * h, 0.47 * wide, 0.46 * deep),
    ]
    return [Ring((x, 0.0, z), across, along, (PELVIS, PELVIS), 1.0, 2.4) for x, z, across, along in rows]


def _waist(body: Measures) -> Ring:
    centre = (0.0, 0.0, body.hip_height + 0.085 * body.stature)
    return Ring(centre, 0.5 * body.waist_breadth, 0.5 * body.waist_depth, (PELVIS, CHEST), 0.6, 2.3)


def _chest(body: Measures) -> list[Ring]:
    """Rings from the ribs over the shoulders to the base of the neck."""
    h, wide, deep = body.stature, body.chest_breadth, body.chest_depth
    top, half = body.shoulder_height, body.biacromial / 2
    middle = (body.waist_breadth + wide) / 4, (body.waist_depth + deep) / 4
    rows = [
        (0.002, body.hip_height + 0.135 * h, *middle, 2.3),
        (0.006, body.hip_height + 0.195 * h, 0.500 * wide, 0.50 * deep, 2.4),
        (0.000, top - 0.058 * h, 0.530 * wide, 0.47 * deep, 2.4),
        (-0.010, top - 0.030 * h, 0.96 * half, 0.41 * deep, 2.5),
        (-0.014, top - 0.010 * h, 0.93 * half, 0.33 * deep, 2.4),
        (-0.016, top + 0.004 * h, 0.80 * half, 0.27 * deep, 2.2),
        (-0.016, top + 0.015 * h, 0.58 * half, 0.235 * deep, 2.0),
        (-0.015, top + 0.024 * h, 0.40 * half, 0.22 * deep, 2.0),
        (-0.013, top + 0.032 * h, 1.12 * body.neck_radius, 1.12 * body.neck_radius, 2.0),
    ]
    return [
        Ring((x, 0.0, z), across, along, (CHEST, CHEST), 1.0, round) for x, z, across, along, round in rows
    ]


def _hanging(body: Measures, low_m: float, thick_m: float) -> list[Ring]:
    """The lower part of a coat or a skirt, which goes a little with the legs."""
    high = body.hip_height + 0.045 * body.stature
    rings = []
    for share in (0.0, 0.35, 0.7, 1.0):
        z = low_m + share * (high - low_m)
        flare = thick_m + 0.055 * (1.0 - share)
        across, deep = 0.49 * body.hip_breadth + 0.7 * flare, 0.49 * body.hip_depth + flare
        rings.append(Ring((-0.006, 0.0, z), across, deep, (PELVIS, PELVIS), 1.0, 2.2))
    return rings


def _with_legs(shape: Shape, body: Measures) -> Shape:
    """Cloth below the hips goes with the leg beside it, the more so the lower and the further out it is."""
    across, low = shape.points[:, 1], body.hip_height - shape.points[:, 2]
    share = 0.9 * np.clip(low / (body.hip_height - body.knee_height), 0.0, 1.0)
    share *= np.clip(np.abs(across) / (0.2 * body.hip_breadth), 0.0, 1.0)
    bones, shares = shape.bones.copy(), shape.shares.copy()
    moves = share > 0.0
    bones[moves, 0], bones[moves, 1] = PELVIS, np.where(across[moves] > 0.0, THIGH_L, THIGH_R)
    shares[moves] = 1.0 - share[moves]
    return shape._replace(bones=bones, shares=shares)


def _legs(body: Measures, outfit: Outfit) -> Iterator[Shape]:
    covered = 3 if outfit.bottom == "skirt" or outfit.top == "coat" else 0  # rings that nobody sees
    joints = skeleton_of(body).joints
    for leg in (THIGH_L, THIGH_R):
        skin = _leg(body, float(joints[leg, 1]), leg)
        if outfit.bottom == "trousers":
            loose = [_thicker(ring, 0.012 + 0.004 * i) for i, ring in enumerate(skin)]
            yield tube(loose[covered:], BOTTOM, 12)
        else:
            yield tube(skin[covered:], SKIN, 12)
        if outfit.bottom == "shorts":
            yield tube([_thicker(ring, 0.016) for ring in skin[:4]], BOTTOM, 12)
        yield tube(_shoe(body, float(joints[leg, 1]), leg + 2), SHOE, 14)


def _leg(body: Measures, y: float, thigh: int) -> list[Ring]:
    """Rings from the hip down to the ankle."""
    r, knee, ankle = body.thigh_radius, body.knee_height, body.ankle_height
    top = body.crotch_height + 0.035 * body.stature
    rows = [
        (0.000, top, 0.98 * r, thigh, thigh, 1.0),
        (0.004, top - 0.20 * (top - knee), 0.97 * r, thigh, thigh, 1.0),
        (0.006, top - 0.55 * (top - knee), 0.82 * r, thigh, thigh, 1.0),
        (0.004, knee + 0.05 * body.stature, 0.68 * r, thigh, thigh + 1, 0.85),
        (0.004, knee, 0.62 * r, thigh, thigh + 1, 0.5),
        (-0.008, knee - 0.30 * (knee - ankle), 0.63 * r, thigh + 1, thigh + 1, 1.0),
        (-0.008, knee - 0.65 * (knee - ankle), 0.50 * r, thigh + 1, thigh + 1, 1.0),
        (-0.010, ankle + 0.015 * body.stature, 0.40 * r, thigh + 1, thigh + 1, 1.0),
    ]
    return [Ring((x, y, z), radius, radius, (a, b), share) for x, z, radius, a, b, share in rows]


def _shoe(body: Measures, y: float, foot: int) -> list[Ring]:
    length, ankle = body.foot * 1.06, body.ankle_height
    middle = -0.01 + 0.215 * body.foot
    rows = [
        (middle, 0.0, 0.185 * length, 0.50 * length),
        (middle, 0.30 * ankle, 0.190 * length, 0.50 * length),
        (middle - 0.01 * length, 0.62 * ankle, 0.165 * length, 0.45 * length),
        (middle - 0.13 * length, 0.95 * ankle, 0.135 * length, 0.27 * length),
        (middle - 0.19 * length, 1.25 * ankle, 0.115 * length, 0.16 * length),
    ]
    return [Ring((x, y, z), across, deep, (foot, foot), 1.0, 2.5) for x, z, across, deep in rows]


def _arms(body: Measures, outfit: Outfit) -> Iterator[Shape]:
    thick = THICK_M[outfit.top] * 0.8
    joints = skeleton_of(body).joints
    for arm in (ARM_L, ARM_R):
        x, y, z = (float(value) for value in joints[arm])
        rings = _arm(body, (x, y, z), arm)
        if outfit.short_sleeves:
            yield tube(rings[3:], SKIN, 10)
            yield tube([_thicker(ring, thick + 0.006) for ring in rings[:5]], TOP, 10)
        else:
            yield tube([_thicker(ring, thick) for ring in rings], TOP, 10)
        yield tube(_hand(body, rings[-1], arm + FOREARM_L - ARM_L), SKIN, 8)


def _arm(body: Measures, joint: tuple[float, float, float], arm: int) -> list[Ring]:
    """Rings from the shoulder down to the wrist."""
    x, y, z = joint
    side = 1.0 if y > 0 else -1.0
    r, reach = body.arm_radius, body.bideltoid / 2 - abs(y)  # the deltoid is as wide as the shoulders say
    elbow, wrist, fore = z - body.upper_arm, z - body.upper_arm - body.forearm, arm + 1
    out = y + side * 0.012
    rows = [
        (y - side * 0.25 * reach, z + 0.62 * reach, 0.35 * reach, CHEST, arm, 0.6),
        (y - side * 0.12 * reach, z + 0.42 * reach, 0.75 * reach, CHEST, arm, 0.5),
        (y, z, 0.97 * reach, CHEST, arm, 0.25),
        (y + side * 0.002, z - 0.28 * body.upper_arm, max(1.02 * r, 0.88 * reach), arm, arm, 1.0),
        (out, z - 0.68 * body.upper_arm, 0.93 * r, arm, arm, 1.0),
        (out, elbow + 0.015 * body.stature, 0.82 * r, arm, fore, 0.75),
        (out, elbow - 0.015 * body.stature, 0.82 * r, arm, fore, 0.25),
        (out, elbow - 0.32 * body.forearm, 0.84 * r, fore, fore, 1.0),
        (out, wrist + 0.02 * body.stature, 0.60 * r, fore, fore, 1.0),
    ]
    return [Ring((x, across, up), radius, radius, (a, b), share) for across, up, radius, a, b, share in rows]


def _hand(body: Measures, wrist: Ring, forearm: int) -> list[Ring]:
    x, y, z = wrist.centre
    wide = 0.024 * body.stature
    rows = [
        (0.008, 0.014, 0.60 * wide),
        (-0.25 * body.hand, 0.017, 0.95 * wide),
        (-0.50 * body.hand, 0.016, 1.00 * wide),
        (-0.78 * body.hand, 0.012, 0.78 * wide),
        (-0.95 * body.hand, 0.008, 0.50 * wide),
    ]
    return [Ring((x + 0.006, y, z + down), across, deep, (forearm, forearm)) for down, across, deep in rows]


def _thicker(ring: Ring, by_m: float) -> Ring:
    return replace(ring, across=ring.across + by_m, deep=ring.deep + by_m)


def _laid_flat(shape: Shape) -> Floats:
    """Pattern coordinates as a shirt is cut: from side to side, and along the body."""
    uv = shape.uv_m.copy()
    uv[:, 0] = shape.points[:, 1]
    return uv
