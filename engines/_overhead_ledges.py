"""Heads that do not stand out because somebody taller is so near that their shoulder or arm is next to it: from above
such a head is a ledge, level with nothing around it, at the foot of a step.
"""

from __future__ import annotations

import numpy as np

from engines._overhead_heads import LIMB_M, LIMB_SHARE, heads_of
from engines._overhead_plan import Array, Labels, kernel, peaks_of

STEP_M = 0.15  # neighbouring cells of one head differ by less
SHARES = (
    0.78,
    0.74,
    0.70,
)  # of the taller one's height, falling: a head in a slope is clear of it at one of them
AROUND_M = 0.25  # of a head at the edge of somebody's reach, all of it and the body below
NEAREST_M = 0.26  # between the middles of two heads, the one at the other's shoulder
SAME_M, SAME_HEIGHT_M = 0.12, 0.10  # a peak and a ledge so near each other are one head
MIN_SCORE, LEDGE_SCORE = 0.5, 0.44  # of the taller one, and of what is beside them
PEAK_SCORE = 0.3  # a peak that scores less may be in the place of a ledge


@kernel
def with_ledges(
    plan: Array, heads: Array, slopes: Labels, water: tuple[float, float, float], eye: Array, cell_m: float
) -> tuple[Array, Labels]:
    """The heads, and the slopes (which it changes), with the ledges beside a taller head. `water` is what `peaks_of`
    takes of heights and distances.
    """
    tall, lowered = heads, _around(plan, heads, cell_m)
    for share in SHARES:
        _cut(lowered, tall, share, cell_m)
        peaks, terraces, sloping = peaks_of(lowered, water[0], water[1], water[2], STEP_M)
        if len(peaks) == 0:
            break
        found = heads_of(plan, peaks, terraces, sloping, eye, cell_m)
        heads, numbers = _with_new(heads, found, water[2], cell_m)
        for cell in sloping:
            r, c = cell // plan.shape[1], cell % plan.shape[1]
            if terraces[r, c] >= 0 and numbers[terraces[r, c]] >= 0:
                slopes[r, c] = numbers[terraces[r, c]]
    return heads, slopes


@kernel
def _is_beside(heads: Array, k: int, reach: float) -> bool:
    """Whether a head is in reach of somebody so much taller that it may itself be what is looked for."""
    for j in range(len(heads)):
        away2 = (heads[k, 0] - heads[j, 0]) ** 2 + (heads[k, 1] - heads[j, 1]) ** 2
        if heads[j, 3] >= MIN_SCORE and away2 < reach * reach and heads[k, 2] < LIMB_SHARE * heads[j, 2]:
            return True
    return False


@kernel
def _around(plan: Array, heads: Array, cell_m: float) -> Array:
    """What lies around people, and nothing else."""
    rows, columns = plan.shape
    out = np.zeros_like(plan)
    around = (LIMB_M + AROUND_M) / cell_m
    for k in range(len(heads)):
        if heads[k, 3] >= MIN_SCORE:
            r0, c0 = int(heads[k, 0]), int(heads[k, 1])
            for r in range(max(0, int(r0 - around)), min(rows, int(r0 + around) + 1)):
                for c in range(max(0, int(c0 - around)), min(columns, int(c0 + around) + 1)):
                    out[r, c] = plan[r, c]
    return out


@kernel
def _cut(plan: Array, heads: Array, share: float, cell_m: float) -> None:
    """Take away what is higher than this share of somebody in reach, so that nothing slopes down from there."""
    rows, columns = plan.shape
    reach = LIMB_M / cell_m
    for k in range(len(heads)):
        if heads[k, 3] < MIN_SCORE or _is_beside(heads, k, reach):
            continue
        r0, c0 = heads[k, 0], heads[k, 1]
        for r in range(max(0, int(r0 - reach)), min(rows, int(r0 + reach) + 2)):
            for c in range(max(0, int(c0 - reach)), min(columns, int(c0 + reach) + 2)):
                if plan[r, c] > share * heads[k, 2] and (r - r0) ** 2 + (c - c0) ** 2 < reach * reach:
                    plan[r, c] = 0


@kernel
def _with_new(heads: Array, found: Array, apart_cells: float, cell_m: float) -> tuple[Array, Labels]:
    """The heads and, behind them, those found beside a taller one where none was; and the number that each found
    one has become, -1 for none. A head that was known is as round as its own terrace.
    """
    numbers = np.full(len(found), -1, np.int32)
    out = np.concatenate((heads, found))
    n = len(heads)
    for k in range(len(found)):
        if found[k, 3] < LEDGE_SCORE:
            continue
        is_beside, is_new = False, True
        for j in range(len(heads)):
            away = np.sqrt((found[k, 0] - heads[j, 0]) ** 2 + (found[k, 1] - heads[j, 1]) ** 2)
            is_new = is_new and (away >= apart_cells or heads[j, 3] < PEAK_SCORE)
            is_near = NEAREST_M <= away * cell_m < LIMB_M
            is_beside = is_beside or (is_near and found[k, 2] < LIMB_SHARE * heads[j, 2])
            if away * cell_m < SAME_M and abs(found[k, 2] - heads[j, 2]) < SAME_HEIGHT_M:
                out[j, 4] = max(out[j, 4], found[k, 4])
        if is_beside and is_new:
            out[n] = found[k]
            numbers[k] = n
            n += 1
    return out[:n], numbers
