"""Bones, and how they turn: from a gait and a posture to where every bone is."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from configs.kernels import kernel
from engines.people.measures import Measures

Array = NDArray[np.float64]

ROOT, PELVIS, CHEST, HEAD, ARM_L, FOREARM_L, ARM_R, FOREARM_R = range(8)
THIGH_L, SHANK_L, FOOT_L, THIGH_R, SHANK_R, FOOT_R, HELD_L, HELD_R = range(8, 16)
BONES = 16
PARENTS = (-1, 0, 1, 2, 2, 4, 2, 6, 1, 8, 9, 1, 11, 12, 5, 7)
SWING, PHONE, POCKET, PUSH, CARRY, WHEEL, FOLDED = range(7)  # what an arm does

# joint angles over one stride in tenths from heel strike, degrees (normal cadence, Winter 1991)
HIP = (27.0, 23.0, 15.0, 6.0, -3.0, -10.0, -7.0, 9.0, 23.0, 29.0)
KNEE = (4.0, 15.0, 17.0, 11.0, 6.0, 11.0, 36.0, 61.0, 52.0, 18.0)
ANKLE = (0.0, -4.0, 3.0, 6.0, 9.0, 4.0, -15.0, -7.0, 1.0, 2.0)

STEP_M = 2.0**-20  # coordinates are rounded to this, so that a machine's own sine does not show


class Skeleton(NamedTuple):
    """A body's bones at rest."""

    joints: Array  # (16, 3), where each begins, in a body that stands upright, arms down
    heel_m: float  # of the shoe, before the ankle
    toe_m: float


class Style(NamedTuple):
    """How somebody holds and moves their body; angles in degrees."""

    stride: float  # times the usual length
    swing: float  # of the arms
    lean: float  # of the chest, forward
    nod: float  # of the head, forward
    gaze: float  # how far the head turns to the sides
    sway: float  # of pelvis and shoulders
    elbow: float
    toes_out: float
    left: int  # what the arms do
    right: int
    seat_m: float  # height of the hips in a chair, 0 for those who stand
    seed: int


class Moment(NamedTuple):
    """Where somebody is, and at which point of their gait."""

    x_m: float
    y_m: float
    heading: float  # radians, counter-clockwise from x
    speed_m_s: float
    strides: float  # walked so far
    twist: float  # of the shoulders, radians
    time_s: float


def skeleton_of(body: Measures) -> Skeleton:
    """The bones of a body."""
    shoulder = body.biacromial / 2 - 0.010 * body.stature
    hip = 0.049 * body.stature
    joints = np.zeros((BONES, 3))
    joints[PELVIS] = 0.0, 0.0, body.hip_height
    joints[CHEST] = -0.01, 0.0, body.hip_height + 0.085 * body.stature
    joints[HEAD] = (
        -0.012 * body.stature,
        0.0,
        body.shoulder_height + 0.25 * (body.chin_height - body.shoulder_height),
    )
    for side, arm, leg, held in ((1.0, ARM_L, THIGH_L, HELD_L), (-1.0, ARM_R, THIGH_R, HELD_R)):
        high = body.shoulder_height - 0.018 * body.stature
        joints[arm] = -0.012, side * shoulder, high
        joints[arm + 1] = -0.012, side * (shoulder + 0.012), high - body.upper_arm
        joints[held] = 0.0, side * (shoulder + 0.012), high - body.upper_arm - body.forearm - 0.4 * body.hand
        joints[leg] = 0.0, side * hip, body.hip_height
        joints[leg + 1] = 0.0, side * hip, body.knee_height
        joints[leg + 2] = -0.01, side * hip, body.ankle_height
    return Skeleton(joints, -0.315 * body.foot, 0.745 * body.foot)


@kernel
def _curve(table: tuple[float, ...], phase: float) -> float:
    place = (phase - np.floor(phase)) * 10.0
    i = int(place)
    t = place - i
    a, b, c, d = table[(i + 9) % 10], table[i % 10], table[(i + 1) % 10], table[(i + 2) % 10]
    return float(b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a))))


@kernel
def _wander(seed: int, time_s: float, period_s: float) -> float:
    """Something that wanders slowly between -1 and 1."""
    phase = (seed % 1009) / 1009.0
    fast = np.sin(6.2831853 * (time_s / period_s + phase))
    return float(0.6 * fast + 0.4 * np.sin(6.2831853 * (time_s / (2.7 * period_s) + 3.0 * phase)))


@kernel
def _turn_arm(turns: Array, arm: int, does: int, style: Style, swing: float) -> None:
    """Set the angles of an arm; `swing` is forward, in degrees."""
    side = 1.0 if arm == ARM_L else -1.0
    lift, bend, out, inward = swing, style.elbow + 0.5 * max(swing, 0.0), 5.0, 8.0
    if does == PHONE:
        lift, bend, out, inward = 32.0, 92.0, 6.0, 38.0
    elif does == POCKET:
        lift, bend, out, inward = -12.0, 38.0, 10.0, 30.0
    elif does == PUSH:
        lift, bend, out, inward = 26.0, 52.0, 4.0, 6.0
    elif does == CARRY:
        lift, bend, out = 0.25 * swing, 6.0, 7.0
    elif does == WHEEL:
        lift, bend, out = -14.0 + 1.6 * swing, 58.0, 16.0
    elif does == FOLDED:
        lift, bend, out, inward = 22.0, 96.0, 8.0, 78.0
    turns[arm, 0], turns[arm, 1] = side * out, -lift
    turns[arm + 1, 1], turns[arm + 1, 2] = -bend, -side * inward


@kernel
def _angles(style: Style, now: Moment) -> Array:
    """Degrees that each bone turns about x, y and z in its parent (16, 3)."""
    turns = np.zeros((BONES, 3))
    pace = min(1.0, now.speed_m_s / 0.55)
    reach = pace * (0.66 + 0.42 * min(now.speed_m_s, 1.8))  # so that feet do not slide
    phase = now.strides - np.floor(now.strides)
    beat = np.sin(6.2831853 * phase)
    if style.seat_m > 0.0:
        for leg in (THIGH_L, THIGH_R):
            turns[leg, 1], turns[leg + 1, 1], turns[leg + 2, 1] = -86.0, 78.0, 4.0
    else:
        for leg, ahead in ((THIGH_L, 0.5), (THIGH_R, 0.0)):
            turns[leg, 1] = -reach * _curve(HIP, phase + ahead) - 2.0 * (1.0 - pace)
            turns[leg + 1, 1] = 0.84 * reach * _curve(KNEE, phase + ahead) + 4.0 * (1.0 - pace)
            turns[leg + 2, 1] = -0.84 * reach * _curve(ANKLE, phase + ahead) - 2.0 * (1.0 - pace)
            side = 1.0 if leg == THIGH_L else -1.0
            turns[leg, 0], turns[leg, 2] = 1.5 * side, style.toes_out * side
    idle = 1.0 - pace
    turns[PELVIS, 0] = style.sway * (
        0.6 * pace * beat + 0.3 * idle * _wander(style.seed + 5, now.time_s, 7.0)
    )
    turns[PELVIS, 2] = style.sway * pace * np.cos(6.2831853 * phase)
    turns[CHEST, 0] = -turns[PELVIS, 0]
    turns[CHEST, 1] = style.lean + 2.5 * pace + 1.2 * idle * _wander(style.seed + 3, now.time_s, 5.0)
    turns[CHEST, 2] = -1.7 * turns[PELVIS, 2] + np.degrees(now.twist)
    turns[HEAD, 1] = style.nod - 0.6 * turns[CHEST, 1]
    gaze = style.gaze * (0.5 + 0.8 * idle)
    turns[HEAD, 2] = gaze * _wander(style.seed, now.time_s, 4.3) - turns[CHEST, 2] - turns[PELVIS, 2]
    swing = style.swing * min(1.3, 0.84 * reach) * np.cos(6.2831853 * phase)
    _turn_arm(turns, ARM_L, style.left, style, swing)
    _turn_arm(turns, ARM_R, style.right, style, -swing)
    return turns


@kernel
def _rotation(degrees: Array) -> Array:
    """Turns about x, then y, then z."""
    a, b, c = np.radians(degrees[0]), np.radians(degrees[1]), np.radians(degrees[2])
    ca, sa, cb, sb, cc, sc = np.cos(a), np.sin(a), np.cos(b), np.sin(b), np.cos(c), np.sin(c)
    return np.array(
        [
            [cc * cb, cc * sb * sa - sc * ca, cc * sb * ca + sc * sa],
            [sc * cb, sc * sb * sa + cc * ca, sc * sb * ca - cc * sa],
            [-sb, cb * sa, cb * ca],
        ]
    )


@kernel
def _attach(bones: Array, bone: int, parent: int, joint: Array, turn: Array) -> None:
    """Hang a bone on its parent: `turn` about `joint`, both as they are at rest."""
    for i in range(3):
        for j in range(3):
            bones[bone, i, j] = 0.0
            for k in range(3):
                bones[bone, i, j] += bones[parent, i, k] * turn[k, j]
    for i in range(3):
        here = bones[parent, i, 3]
        for k in range(3):
            here += bones[parent, i, k] * joint[k] - bones[bone, i, k] * joint[k]
        bones[bone, i, 3] = here


@kernel
def _lowest(bones: Array, skeleton: Skeleton) -> float:
    """How high the lowest heel or toe is."""
    low = 1e9
    for foot in (FOOT_L, FOOT_R):
        x, y = skeleton.joints[foot, 0], skeleton.joints[foot, 1]
        for ahead in (skeleton.heel_m, skeleton.toe_m):
            low = min(low, bones[foot, 2, 0] * (x + ahead) + bones[foot, 2, 1] * y + bones[foot, 2, 3])
    return low


@kernel
def _follow(bones: Array, held: int, hand: int, joint: Array) -> None:
    """Hang a bone upright from where `joint`, a place in the hand, has gone."""
    for i in range(3):
        here = bones[hand, i, 3]
        for k in range(3):
            bones[held, i, k] = bones[ROOT, i, k]
            here += (bones[hand, i, k] - bones[ROOT, i, k]) * joint[k]
        bones[held, i, 3] = here


@kernel
def bones_of(skeleton: Skeleton, style: Style, now: Moment) -> Array:
    """World from rest of each bone (16, 3, 4): a standing body's lower foot touches the floor."""
    turns, joints = _angles(style, now), skeleton.joints
    bones = np.zeros((BONES, 3, 4))
    cos, sin = np.cos(now.heading), np.sin(now.heading)
    bones[ROOT, 0, 0], bones[ROOT, 0, 1], bones[ROOT, 0, 3] = cos, -sin, now.x_m
    bones[ROOT, 1, 0], bones[ROOT, 1, 1], bones[ROOT, 1, 3] = sin, cos, now.y_m
    bones[ROOT, 2, 2] = 1.0
    for bone in range(1, HELD_L):
        _attach(bones, bone, PARENTS[bone], joints[bone], _rotation(turns[bone]))
    lift = style.seat_m - joints[PELVIS, 2] if style.seat_m > 0.0 else -_lowest(bones, skeleton)
    for bone in range(1, HELD_L):
        bones[bone, 2, 3] += lift
    for held in (HELD_L, HELD_R):
        _follow(bones, held, PARENTS[held], joints[held])
    return np.rint(bones / STEP_M) * STEP_M
