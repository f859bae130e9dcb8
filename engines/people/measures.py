"""How large a person is: stature, and the measures that go with it.

Adults after ANSUR II (Gordon et al. 2014) and the segment lengths of Drillis and Contini (Winter 2009, table 4.1);
children after Snyder et al. (1977). Everything in metres. Weight changes breadths and depths, not bones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Sex = Literal["woman", "man", "child"]

# as shares of stature
_LATERAL = {
    #          shoulders (bideltoid, biacromial), chest (breadth, depth), waist, hips, thigh, upper arm, neck radii
    "man": (0.290, 0.236, 0.172, 0.138, 0.178, 0.127, 0.196, 0.138, 0.054, 0.0290, 0.0355),
    "woman": (0.274, 0.224, 0.168, 0.138, 0.172, 0.120, 0.212, 0.142, 0.057, 0.0285, 0.0320),
    "child": (0.258, 0.212, 0.166, 0.126, 0.160, 0.118, 0.178, 0.124, 0.049, 0.0260, 0.0370),
}
# in metres, hardly dependent on stature: head length, breadth, and from the chin to the top
_HEAD_M = {"man": (0.199, 0.154, 0.232), "woman": (0.189, 0.148, 0.219), "child": (0.184, 0.144, 0.202)}
_STATURE_M = {"man": 1.756, "woman": 1.629, "child": 1.27}


@dataclass(frozen=True)
class Measures:
    """A body's measures in metres; heights are of a person who stands upright."""

    stature: float
    shoulder_height: float  # of the acromion
    hip_height: float  # of the joint
    knee_height: float
    ankle_height: float
    crotch_height: float
    bideltoid: float
    biacromial: float
    chest_breadth: float
    chest_depth: float
    waist_breadth: float
    waist_depth: float
    hip_breadth: float
    hip_depth: float
    thigh_radius: float
    arm_radius: float
    neck_radius: float
    head_length: float
    head_breadth: float
    head_height: float
    upper_arm: float
    forearm: float
    hand: float
    foot: float

    @property
    def chin_height(self) -> float:
        """Of the chin above the floor."""
        return self.stature - self.head_height

    @property
    def head_centre_height(self) -> float:
        """Of the middle of the skull, between the ears."""
        return self.stature - 0.48 * self.head_height


def measures_of(stature_m: float, sex: Sex, weight: float = 0.0) -> Measures:
    """The measures of a body. `weight` goes from -1, thin, over 0, the mean, to 1, heavy."""
    shoulders, bones, *trunk = (share * stature_m for share in _LATERAL[sex])
    chest, chest_deep, waist, waist_deep, hips, hips_deep, thigh, arm, neck = trunk
    head = [size * (0.75 + 0.25 * stature_m / _STATURE_M[sex]) for size in _HEAD_M[sex]]
    legs = 0.97 if sex == "child" else 1.0  # a child's legs are shorter
    return Measures(
        stature=stature_m,
        shoulder_height=(0.805 if sex == "child" else 0.820) * stature_m,
        hip_height=0.525 * legs * stature_m,
        knee_height=0.283 * legs * stature_m,
        ankle_height=0.042 * stature_m,
        crotch_height=(0.478 if sex == "woman" else 0.472) * legs * stature_m,
        bideltoid=shoulders * (1.0 + 0.07 * weight),
        biacromial=bones,
        chest_breadth=chest * (1.0 + 0.12 * weight),
        chest_depth=chest_deep * (1.0 + 0.20 * weight),
        waist_breadth=waist * (1.0 + 0.20 * weight),
        waist_depth=waist_deep * (1.0 + 0.36 * weight),
        hip_breadth=hips * (1.0 + 0.10 * weight),
        hip_depth=hips_deep * (1.0 + 0.18 * weight),
        thigh_radius=thigh * (1.0 + 0.14 * weight),
        arm_radius=arm * (1.0 + 0.18 * weight),
        neck_radius=neck * (1.0 + 0.10 * weight),
        head_length=head[0],
        head_breadth=head[1],
        head_height=head[2],
        upper_arm=0.186 * stature_m,
        forearm=0.146 * stature_m,
        hand=0.108 * stature_m,
        foot=0.153 * stature_m,
    )
