"""Which peaks of a plan are heads, and which points are whose. Sizes are those of people, from published
anthropometry: a head is 0.14 to 0.16 m wide and 0.17 to 0.20 m long, shoulders are some 0.4 m wide and lie 0.20
(children) to 0.33 m below the crown, and a body from above covers 0.1 to 0.3 m2.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engines._overhead_hidden import AROUND, DIRECTIONS, hidden_share
from engines._overhead_plan import Array, Labels, kernel, places_of

Sums = NDArray[np.float64]

HEAD_M = 0.12  # below the crown by this much, a head is as wide as it gets, and no shoulder has begun
RING_M = 0.28  # around a head there is nothing as high: beside it shoulders, before and behind it air
BODY_M = 0.65  # shoulders, chest and back lie less than this below the crown
REACH_M = 0.45  # and this far around it at most
LIMB_M, LIMB_SHARE = 0.55, 0.78  # a hand reaches so far, and no higher than this share of its owner
RAISED_M, RAISED_SHARE = 0.33, 0.86  # one that holds a telephone is nearer and higher
BESIDE_M = 0.37  # no two heads are much nearer, one of them so much lower
HEAD_LIKE = 0.5  # as round as a head
BESIDE = 0.45  # of their score have those who are like a limb: they may be somebody who is followed already
STANDING = 0.42  # and so much have those who are like furniture or a trolley
LOOSE, ROUND = 0.35, 0.05  # and so much have those who are not round at all, unless they are higher than
ELBOW_SHARE = 0.70  # an elbow (0.63 of stature, Drillis and Contini), and so no hand on a handle and no bag
FAR_M = 0.50  # what is as high further off is no body's
TALLER_M = 0.05
SMALLEST_M2 = 0.006  # no head is smaller
SHOULDERS_M2 = 0.04  # are taken to be there where they can't be seen
FEW_M2 = 0.015  # of them are seen: an arm has as much
TALL_M = 1.75  # whose body covers as much as the numbers below say; who is smaller covers less
CROWN_M, EDGE_PX, EDGE_POINTS = 0.05, 6, 4  # as high as that at the edge, and it may go on beyond
DOUBTFUL = 0.32  # somebody who is followed may stop there for some seconds; nobody begins there
HIP_M = 1.10  # who is cut by the edge and so low is a trolley, or the hips of one whose head is still outside
LOW_M = 1.30  # what is no taller may be furniture
BIN_M = 1.05  # and if it is as round as a head, a bin or a plant only if it is no taller than that
UNKNOWN_CELLS = 2  # of the nine around a head: with more of them unknown, it is not known what it stands on
STANDS_M = 0.35  # lower things are no seat and no table
ABOVE_M = 0.40  # whoever leans over a table rises above it by more
UNASKED = -2  # of a cell: nobody has asked yet whose it is


@kernel
def _ramp(value: float, nothing: float, all_of_it: float) -> float:
    """0 at `nothing`, 1 at `all_of_it`, a straight line between."""
    return min(1.0, max(0.0, (value - nothing) / (all_of_it - nothing)))


@kernel
def _free_drop(plan: Array, row: float, column: float, top: float, radius_cells: float) -> float:
    """The share of directions in which the plan has fallen off from `top` at this radius, of those in which nobody
    taller stands.
    """
    fallen, taller = 0, 0
    for k in range(DIRECTIONS):
        r = int(row + 0.5 + radius_cells * AROUND[k, 0])
        c = int(column + 0.5 + radius_cells * AROUND[k, 1])
        inside = 0 <= r < plan.shape[0] and 0 <= c < plan.shape[1]
        fallen += (not inside) or plan[r, c] <= top - HEAD_M
        taller += inside and plan[r, c] > top + TALLER_M
    return fallen / max(DIRECTIONS - taller, DIRECTIONS // 3)


@kernel
def heads_of(plan: Array, peaks: Labels, slopes: Labels, sloping: Labels, eye: Array, cell_m: float) -> Array:
    """Of every peak, rows (n, 6): row and column of its head's middle, its height, how like a person it is, 0 to
    1, how like one if somebody stands beside it, whose hand, bag or trolley it might be, and whether it is cut by
    the edge of the picture, which `at_the_edge` fills in. `sloping` are all cells that `slopes` gives to a peak,
    or more; `eye` is the camera's row, column and height.
    """
    n, cell_m2 = len(peaks), cell_m * cell_m
    tops = np.array([plan.ravel()[cell] for cell in peaks])
    places = places_of(sloping, plan.shape[1])
    sums = _sums(plan, slopes, places, tops)
    body, far = _below(plan, slopes, places, sums, tops, cell_m)
    out = np.zeros((n, 6), np.float32)
    for k in range(n):
        row, column = sums[k, 1] / sums[k, 0], sums[k, 2] / sums[k, 0]
        area = sums[k, 0] * cell_m2
        out[k, 0], out[k, 1], out[k, 2] = row, column, tops[k]
        if area <= SMALLEST_M2:
            continue
        narrow_m, wide_m = _sides(sums[k], cell_m)
        free_drop = _free_drop(plan, row, column, tops[k], RING_M / cell_m)
        score = _ramp(area, SMALLEST_M2, 0.014) * _ramp(area, 0.20, 0.15)
        score *= _ramp(narrow_m, 0.08, 0.12) * _ramp(wide_m, 0.70, 0.55) * _ramp(free_drop, 0.45, 0.75)
        if score == 0:
            continue
        seen = body[k] * cell_m2 * (TALL_M / tops[k]) ** 2
        bulk = seen
        if seen < SHOULDERS_M2:
            hidden = hidden_share(k, sums, tops, eye, LIMB_M, cell_m)
            bulk = max(seen, SHOULDERS_M2 * _ramp(hidden, 0.3, 0.6))
        score *= _ramp(bulk, 0.008, 0.022) * _ramp(bulk, 0.60, 0.42) * _ramp(far[k] * cell_m2, 0.35, 0.20)
        score *= _ramp(tops[k], 0.70, 0.85) * _ramp(tops[k], 2.40, 2.25)
        out[k, 3], out[k, 4] = score, score * _roundness(area, narrow_m, wide_m, bulk)
        if seen < FEW_M2:
            out[k, 3] = max(out[k, 4], min(score, BESIDE))
    return out


@kernel
def _sums(plan: Array, slopes: Labels, places: Labels, tops: Array) -> Sums:
    """Of the cells of each head, down to where it is widest: how many, and sums of r, c, rr, cc, rc, (n, 6)."""
    sums = np.zeros((len(tops), 6))
    for i in range(len(places)):
        r, c = places[i, 0], places[i, 1]
        k = slopes[r, c]
        if k >= 0 and plan[r, c] >= tops[k] - HEAD_M:
            sums[k, 0] += 1.0
            sums[k, 1] += r
            sums[k, 2] += c
            sums[k, 3] += r * r
            sums[k, 4] += c * c
            sums[k, 5] += r * c
    return sums


@kernel
def _roundness(area: float, narrow_m: float, wide_m: float, bulk: float) -> float:
    """How like a head, with shoulders below it, and unlike a hand (small), a forearm (long and narrow) or a bag
    (large, or with nothing below it).
    """
    size = _ramp(area, 0.020, 0.028) * _ramp(area, 0.060, 0.050) * _ramp(narrow_m, 0.14, 0.17)
    return size * _ramp(narrow_m / wide_m, 0.50, 0.70) * _ramp(bulk, 0.020, 0.035) * _ramp(bulk, 0.25, 0.20)


@kernel
def _below(
    plan: Array, slopes: Labels, places: Labels, sums: Sums, tops: Array, cell_m: float
) -> tuple[Sums, Sums]:
    """How many cells of each peak's slopes are as high as a body: within reach of the head, and too far off."""
    body, far = np.zeros(len(tops)), np.zeros(len(tops))
    for i in range(len(places)):
        r, c = places[i, 0], places[i, 1]
        k = slopes[r, c]
        if k < 0 or plan[r, c] < tops[k] - BODY_M:
            continue
        row, column = sums[k, 1] / sums[k, 0], sums[k, 2] / sums[k, 0]
        away = cell_m * np.sqrt((r - row) ** 2 + (c - column) ** 2)
        if away > FAR_M:
            far[k] += 1
        elif away <= REACH_M and plan[r, c] < tops[k] - HEAD_M:
            body[k] += 1
    return body, far


@kernel
def _sides(sums: Sums, cell_m: float) -> tuple[float, float]:
    """How narrow and how wide a blob is in metres, were it an ellipse; from its sums of 1, r, c, rr, cc, rc."""
    n = sums[0]
    rr, cc = sums[3] / n - (sums[1] / n) ** 2, sums[4] / n - (sums[2] / n) ** 2
    rc = sums[5] / n - sums[1] * sums[2] / (n * n)
    middle, off = 0.5 * (rr + cc), np.sqrt(max(0.0, 0.25 * (rr - cc) ** 2 + rc * rc))
    within = 1.0 / 12.0  # the variance inside one cell
    return 4.0 * cell_m * np.sqrt(max(0.0, middle - off) + within), 4.0 * cell_m * np.sqrt(
        middle + off + within
    )


@kernel
def at_the_edge(
    heads: Array, points: Array, cells: Labels, slopes: Labels, edges: Labels, cell_m: float
) -> Array:
    """The heads again, those marked whose crown lies at the edge of what depth can see (left, top, right, bottom in
    pixels): somebody is there, but their head may lie beyond. What is beside them gets a low score, an arm perhaps,
    unless it is round and further off than a shoulder; and so does who is no higher than hips.
    """
    of_cell, n = slopes.ravel(), len(heads)
    count, total = np.zeros(n), np.zeros(n)
    for i in range(len(points)):
        u, v = points[i, 0], points[i, 1]
        if min(u - edges[0], v - edges[1], edges[2] - u, edges[3] - v) >= EDGE_PX:
            continue
        k = of_cell[cells[i]]
        if k >= 0 and points[i, 4] >= heads[k, 2] - HEAD_M:
            count[k] += 1
            total[k] += points[i, 4]
    out = heads.copy()
    for k in range(n):
        for j in range(n):
            is_cut = count[j] >= EDGE_POINTS and total[j] >= count[j] * (heads[j, 2] - CROWN_M)
            if not is_cut or heads[j, 2] < heads[k, 2] - TALLER_M:
                continue
            away = cell_m * np.sqrt((heads[k, 0] - heads[j, 0]) ** 2 + (heads[k, 1] - heads[j, 1]) ** 2)
            if j == k:
                out[k, 5] = 1
                if heads[k, 2] < HIP_M:
                    out[k, 3:5] = np.minimum(out[k, 3:5], STANDING)
            elif away < (BESIDE_M if heads[k, 4] >= HEAD_LIKE else LIMB_M):
                out[k, 3:5] = np.minimum(out[k, 3:5], DOUBTFUL)
    return out


@kernel
def on_furniture(
    heads: Array, standing_m: Array, first_row: float, first_column: float, ratio: float
) -> Array:
    """The heads again, with a low score for what hardly rises above what always stands there, and for what is low
    where that is not known (NaN). A cell of the plan is `ratio` cells of `standing_m`, whose first one lies at the
    given place in the plan.
    """
    out = heads.copy()
    rows, columns = standing_m.shape
    for k in range(len(heads)):
        row, column = (heads[k, 0] - first_row) * ratio, (heads[k, 1] - first_column) * ratio
        highest, unknown = np.float32(0), 0
        for r in range(int(row) - 1, int(row) + 2):
            for c in range(int(column) - 1, int(column) + 2):
                if 0 <= r < rows and 0 <= c < columns:
                    unknown += np.isnan(standing_m[r, c])
                    highest = max(highest, np.float32(0) if np.isnan(standing_m[r, c]) else standing_m[r, c])
        is_round = heads[k, 4] >= HEAD_LIKE
        if highest > STANDS_M and heads[k, 2] < highest + ABOVE_M:
            doubt = 0.0 if heads[k, 5] > 0 else STANDING if is_round else DOUBTFUL
            out[k, 3:5] = np.minimum(out[k, 3:5], doubt)
        elif unknown > UNKNOWN_CELLS and heads[k, 2] < (BIN_M if is_round else LOW_M):
            out[k, 3:5] = np.minimum(out[k, 3:5], DOUBTFUL)
    return out


@kernel
def kept_of(heads: Array, min_score: float, apart_m: float, cell_m: float) -> Labels:
    """The people among the heads, tallest first: no two nearer than `apart_m`, no limb of a taller one, and nothing
    sure of what is beside somebody doubtful. Their scores are then what they were taken for.
    """
    kept = np.empty(len(heads), np.int32)
    n = 0
    for k in np.argsort(-heads[:, 2], kind="mergesort"):
        score, alone = heads[k, 3], True
        for i in range(n):
            other = heads[kept[i]]
            away = cell_m * np.sqrt((heads[k, 0] - other[0]) ** 2 + (heads[k, 1] - other[1]) ** 2)
            alone = alone and away >= apart_m
            share = RAISED_SHARE if away < RAISED_M else LIMB_SHARE
            if away < LIMB_M and heads[k, 2] < share * other[2]:
                limb = heads[k, 4] * _ramp(away, RAISED_M - 0.03, BESIDE_M)
                may_be_head = heads[k, 4] > ROUND or heads[k, 2] > ELBOW_SHARE * other[2]
                score = min(score, max(limb, (BESIDE if may_be_head else LOOSE) * heads[k, 3]))
            if away < LIMB_M and other[3] <= DOUBTFUL:
                score = min(score, DOUBTFUL)
        if alone and score >= min_score:
            heads[k, 3] = score
            kept[n] = k
            n += 1
    return kept[:n]


@kernel
def boxes_of(
    points: Array, cells: Labels, slopes: Labels, heads: Array, kept: Labels, cell_m: float, step: int
) -> Array:
    """The bounds (n, 4) of each person's points in the picture: what lies on the slopes of their head, or lower
    down and nearer to them than to anyone else.
    """
    rows, columns = slopes.shape
    person = np.full(len(heads), -1, np.int32)
    for i in range(len(kept)):
        person[kept[i]] = i
    for k in range(len(heads)):  # a hand, a bag or a knee that stands out goes with the person it is near
        if person[k] < 0:
            person[k] = _nearest(heads, kept, heads[k, 0], heads[k, 1], REACH_M / cell_m)
    boxes = np.empty((len(kept), 4), np.float32)
    boxes[:, :2], boxes[:, 2:] = 1e9, -1e9
    whose = np.full(rows * columns, UNASKED, np.int32)
    for i in range(len(points)):
        cell = cells[i]
        if whose[cell] == UNASKED:
            row, column = cell // columns, cell % columns
            slope = slopes[row, column]
            k = person[slope] if slope >= 0 else _nearest(heads, kept, row, column, REACH_M / cell_m)
            if k >= 0:
                head = heads[kept[k]]
                if (row - head[0]) ** 2 + (column - head[1]) ** 2 > (1.6 * REACH_M / cell_m) ** 2:
                    k = -1
            whose[cell] = k
        k = whose[cell]
        if k < 0:
            continue
        u, v = points[i, 0], points[i, 1]
        boxes[k, 0], boxes[k, 1] = min(boxes[k, 0], u), min(boxes[k, 1], v)
        boxes[k, 2], boxes[k, 3] = max(boxes[k, 2], u + step), max(boxes[k, 3], v + step)
    return boxes


@kernel
def _nearest(heads: Array, kept: Labels, row: float, column: float, limit_cells: float) -> int:
    best, nearest = -1, limit_cells * limit_cells
    for i in range(len(kept)):
        head = heads[kept[i]]
        away = (row - head[0]) ** 2 + (column - head[1]) ** 2
        if away < nearest:
            best, nearest = i, away
    return best
