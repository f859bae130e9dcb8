"""How people get where they want to go without walking through each other: small steps of time, all together.

They look ahead at whom they would meet and step aside by half of what is needed, to the right where in doubt.
All kernels that call each other lie in one file: a compiled one is not made anew when another file changes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from configs.kernels import kernel

Array = NDArray[np.float64]
Numbers = NDArray[np.int64]

STEP_S = 0.05
AHEAD_S = 2.2  # how far people look
NEAR_M = 0.25  # of a stop is close enough
GIVE_UP_S = 6.0  # after which anything nearer will do
SLOW_M_S, TURN_RAD_S, QUICKER_M_S2 = 0.20, 2.6, 2.4
DETOUR = 1.1  # unseen ways are this much longer than straight ones


class Walkers(NamedTuple):
    """Who walks: a row each."""

    radius_m: Array
    speed_m_s: Array
    stature_m: Array
    first_visit: Numbers  # (n + 1,), of Errands.starts_s


class Errands(NamedTuple):
    """What they walk for: visits to places that are seen, each a line of stops."""

    starts_s: Array  # (visits,), not before
    away_s: Array  # (visits,), nor sooner after the visit before
    first_stop: Numbers  # (visits + 1,)
    stops: Array  # (stops, 5): x, y, seconds to wait, and where to look meanwhile
    obstacles: Array  # (o, 3): x, y, radius


class State(NamedTuple):
    """Where everybody is; a row each."""

    place: Array  # (n, 2)
    motion: Array  # (n, 2), metres a second
    wish: Array  # (n, 2), the same
    heading: Array
    visit: Numbers
    stop: Numbers
    waits_s: Array  # still to wait here; below 0 for one on the way
    since_s: Array  # on the way to this stop
    ready_s: Array  # not to be seen again before
    present: NDArray[np.bool_]


@kernel
def _length(x: float, y: float) -> float:
    """Of a vector; the same on every machine, which hypot is not."""
    return float(np.sqrt(x * x + y * y))


@kernel
def stride_m(stature_m: float, speed_m_s: float) -> float:
    """How far two steps carry somebody at this speed."""
    return stature_m * (0.45 + 0.29 * speed_m_s)


@kernel
def _enter(state: State, walkers: Walkers, errands: Errands, time_s: float) -> None:
    """Let in those who are due and find their way in free."""
    for i in range(len(state.place)):
        visit = state.visit[i]
        if state.present[i] or visit >= walkers.first_visit[i + 1]:
            continue
        if time_s < max(errands.starts_s[visit], state.ready_s[i]):
            continue
        first = errands.first_stop[visit]
        x, y = errands.stops[first, 0], errands.stops[first, 1]
        free = True
        for j in range(len(state.place)):
            if state.present[j] and j != i:
                apart = _length(state.place[j, 0] - x, state.place[j, 1] - y)
                free = free and apart > walkers.radius_m[i] + walkers.radius_m[j] + 0.02
        if free:
            state.place[i, 0], state.place[i, 1] = x, y
            state.motion[i, 0], state.motion[i, 1] = 0.0, 0.0
            state.stop[i], state.waits_s[i], state.since_s[i] = first + 1, -1.0, 0.0
            state.present[i] = True
            state.heading[i] = np.arctan2(errands.stops[first + 1, 1] - y, errands.stops[first + 1, 0] - x)


@kernel
def _aim(state: State, walkers: Walkers, errands: Errands, time_s: float) -> None:
    """What each would do if alone; who has reached the last stop is gone."""
    for i in range(len(state.place)):
        state.wish[i, 0], state.wish[i, 1] = 0.0, 0.0
        if not state.present[i]:
            continue
        stop, last = state.stop[i], errands.first_stop[state.visit[i] + 1] - 1
        dx, dy = errands.stops[stop, 0] - state.place[i, 0], errands.stops[stop, 1] - state.place[i, 1]
        far = _length(dx, dy)
        state.since_s[i] += STEP_S
        near = NEAR_M if errands.stops[stop, 2] <= 0.0 else 0.06
        if state.waits_s[i] < 0.0 and far < near + 0.15 * max(0.0, state.since_s[i] - GIVE_UP_S):
            state.waits_s[i] = errands.stops[stop, 2]
        if state.waits_s[i] >= 0.0:
            state.waits_s[i] -= STEP_S
            if state.waits_s[i] < 0.0:
                state.stop[i], state.since_s[i] = stop + 1, 0.0
                if stop == last:
                    _leave(state, walkers, errands, i, time_s)
        else:
            speed = walkers.speed_m_s[i]
            if errands.stops[stop, 2] > 0.0:
                speed = min(speed, 0.15 + 1.6 * far)
            state.wish[i, 0], state.wish[i, 1] = speed * dx / max(far, 1e-6), speed * dy / max(far, 1e-6)


@kernel
def _leave(state: State, walkers: Walkers, errands: Errands, i: int, time_s: float) -> None:
    """Go, and be on the way to the next visit, unseen."""
    state.present[i] = False
    state.visit[i] += 1
    if state.visit[i] < walkers.first_visit[i + 1]:
        first = errands.first_stop[state.visit[i]]
        dx, dy = errands.stops[first, 0] - state.place[i, 0], errands.stops[first, 1] - state.place[i, 1]
        walk_s = DETOUR * _length(dx, dy) / walkers.speed_m_s[i]
        state.ready_s[i] = time_s + max(walk_s, errands.away_s[state.visit[i]])


@kernel
def _aside(px: float, py: float, vx: float, vy: float, room: float) -> tuple[float, float]:
    """How to change a velocity so as to pass what lies at p, coming with velocity v, `room` away from it."""
    speed = vx * vx + vy * vy
    if speed < 1e-4:
        return 0.0, 0.0
    soon = (px * vx + py * vy) / speed
    if soon <= 0.0 or soon > AHEAD_S:
        return 0.0, 0.0
    mx, my = px - vx * soon, py - vy * soon  # where it is when nearest
    miss = _length(mx, my)
    if miss >= room:
        return 0.0, 0.0
    if miss < 0.06:  # head on: to the right
        far = max(_length(px, py), 1e-6)
        return 0.7 * room * py / far, -0.7 * room * px / far
    push = min(1.6, (room - miss) / max(soon, 0.35)) / miss
    return -push * mx, -push * my


@kernel
def _avoid(state: State, walkers: Walkers, errands: Errands) -> None:
    """Change what each one wishes so that they miss each other and what stands about."""
    for i in range(len(state.place)):
        if not state.present[i] or state.waits_s[i] >= 0.0:
            continue
        wx, wy = 0.0, 0.0
        for j in range(len(state.place)):
            px, py = state.place[j, 0] - state.place[i, 0], state.place[j, 1] - state.place[i, 1]
            if j == i or not state.present[j] or px * px + py * py > 12.0:
                continue
            vx, vy = state.wish[i, 0] - state.motion[j, 0], state.wish[i, 1] - state.motion[j, 1]
            ax, ay = _aside(px, py, vx, vy, walkers.radius_m[i] + walkers.radius_m[j] + 0.03)
            share = 1.0 if state.waits_s[j] >= 0.0 else 0.6
            wx, wy = wx + share * ax, wy + share * ay
        for o in range(len(errands.obstacles)):
            px, py = errands.obstacles[o, 0] - state.place[i, 0], errands.obstacles[o, 1] - state.place[i, 1]
            room = walkers.radius_m[i] + errands.obstacles[o, 2] + 0.05
            ax, ay = _aside(px, py, state.wish[i, 0], state.wish[i, 1], room)
            wx, wy = wx + ax, wy + ay
        state.wish[i, 0] += wx
        state.wish[i, 1] += wy


@kernel
def _move(state: State, walkers: Walkers) -> None:
    """One step of time, as quickly as legs can change it."""
    for i in range(len(state.place)):
        if not state.present[i]:
            continue
        wx, wy = state.wish[i, 0], state.wish[i, 1]
        most = 1.25 * walkers.speed_m_s[i] / max(_length(wx, wy), 1e-6)
        wx, wy = wx * min(1.0, most), wy * min(1.0, most)
        dx, dy = wx - state.motion[i, 0], wy - state.motion[i, 1]
        share = min(1.0, QUICKER_M_S2 * STEP_S / max(_length(dx, dy), 1e-6))
        state.motion[i, 0] += share * dx
        state.motion[i, 1] += share * dy
        state.place[i, 0] += STEP_S * state.motion[i, 0]
        state.place[i, 1] += STEP_S * state.motion[i, 1]


@kernel
def _part(state: State, walkers: Walkers, errands: Errands) -> None:
    """Push apart those who are too near; who stands gives way less."""
    for _ in range(3):
        for i in range(len(state.place)):
            if not state.present[i]:
                continue
            for j in range(i + 1, len(state.place)):
                if state.present[j]:
                    give_i = 0.25 if state.waits_s[i] >= 0.0 else 1.0
                    give_j = 0.25 if state.waits_s[j] >= 0.0 else 1.0
                    dx, dy = state.place[j, 0] - state.place[i, 0], state.place[j, 1] - state.place[i, 1]
                    far = max(_length(dx, dy), 1e-6)
                    deep = walkers.radius_m[i] + walkers.radius_m[j] - far
                    if deep > 0.0:
                        share = deep / far / (give_i + give_j)
                        state.place[i, 0] -= share * give_i * dx
                        state.place[i, 1] -= share * give_i * dy
                        state.place[j, 0] += share * give_j * dx
                        state.place[j, 1] += share * give_j * dy
            for o in range(len(errands.obstacles)):
                dx, dy = (
                    state.place[i, 0] - errands.obstacles[o, 0],
                    state.place[i, 1] - errands.obstacles[o, 1],
                )
                far = max(_length(dx, dy), 1e-6)
                deep = walkers.radius_m[i] + errands.obstacles[o, 2] - far
                if deep > 0.0:
                    state.place[i, 0] += deep / far * dx
                    state.place[i, 1] += deep / far * dy


@kernel
def _turn(state: State, errands: Errands) -> None:
    """Face where one walks, or what one waits for."""
    for i in range(len(state.place)):
        if not state.present[i]:
            continue
        x, y = state.motion[i, 0], state.motion[i, 1]
        if state.waits_s[i] >= 0.0:
            x = errands.stops[state.stop[i], 3] - state.place[i, 0]
            y = errands.stops[state.stop[i], 4] - state.place[i, 1]
        if x * x + y * y < SLOW_M_S * SLOW_M_S:
            continue
        off = np.arctan2(y, x) - state.heading[i]
        off -= 6.283185307179586 * np.rint(off / 6.283185307179586)
        most = TURN_RAD_S * STEP_S
        state.heading[i] += min(max(0.25 * off, -most), most)


@kernel
def _twist(state: State, i: int) -> float:
    """How far one turns the shoulders to let another pass: radians, left shoulder back."""
    twist = 0.0
    for j in range(len(state.place)):
        if j == i or not state.present[j]:
            continue
        dx, dy = state.place[j, 0] - state.place[i, 0], state.place[j, 1] - state.place[i, 1]
        far = _length(dx, dy)
        vx, vy = state.motion[j, 0] - state.motion[i, 0], state.motion[j, 1] - state.motion[i, 1]
        if far < 0.75 and vx * vx + vy * vy > 0.25:
            left = (np.cos(state.heading[i]) * dy - np.sin(state.heading[i]) * dx) / max(far, 1e-6)
            twist += 0.55 * min(1.0, (0.75 - far) / 0.25) * left
    return min(max(twist, -0.5), 0.5)


@kernel
def _record(state: State, walkers: Walkers, before: Array, last: Array, now: Array) -> None:
    """Write a row of everybody's path (n, 7) after the row before; being pushed changes how they move."""
    for i in range(len(state.place)):
        vx, vy = (state.place[i, 0] - before[i, 0]) / STEP_S, (state.place[i, 1] - before[i, 1]) / STEP_S
        state.motion[i, 0] += 0.4 * (vx - state.motion[i, 0])
        state.motion[i, 1] += 0.4 * (vy - state.motion[i, 1])
        speed = _length(vx, vy)
        now[i, 0], now[i, 1], now[i, 2] = state.place[i, 0], state.place[i, 1], state.heading[i]
        now[i, 3] = 0.75 * last[i, 3] + 0.25 * speed if last[i, 6] > 0.0 else speed
        now[i, 4] = last[i, 4] + STEP_S * speed / stride_m(walkers.stature_m[i], speed)
        now[i, 5] = 0.8 * last[i, 5] + 0.2 * _twist(state, i)
        now[i, 6] = 1.0 if state.present[i] else 0.0


@kernel
def walk(walkers: Walkers, errands: Errands, start_s: float, steps: int) -> Array:
    """Everybody's path (steps, n, 7): x, y, heading, speed, strides so far, twist, and 1 while they can be seen."""
    n = len(walkers.radius_m)
    place, motion, wish = np.zeros((n, 2)), np.zeros((n, 2)), np.zeros((n, 2))
    visit, stop, present = walkers.first_visit[:-1].copy(), np.zeros(n, np.int64), np.zeros(n, np.bool_)
    waits_s, ready_s = np.full(n, -1.0), np.full(n, -1e9)
    state = State(place, motion, wish, np.zeros(n), visit, stop, waits_s, np.zeros(n), ready_s, present)
    paths = np.zeros((steps, n, 7))
    for step in range(steps):
        time_s = start_s + step * STEP_S
        _enter(state, walkers, errands, time_s)
        _aim(state, walkers, errands, time_s)
        _avoid(state, walkers, errands)
        before = state.place.copy()
        _move(state, walkers)
        _part(state, walkers, errands)
        _turn(state, errands)
        _record(state, walkers, before, paths[max(0, step - 1)], paths[step])
    return paths
