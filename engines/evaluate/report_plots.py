"""The plots of a report, as SVG: a floor, lives, thresholds, hand-overs. Knows sheets, and no files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from math import ceil, log10
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engines.evaluate.clear import NOBODY
from engines.evaluate.evaluation import Sheet
from engines.evaluate.hota import ALPHAS, Hota
from engines.evaluate.lives import Life, worst
from engines.evaluate.report_shapes import FAINT, GRID, INK, PAPER, bar, line, svg, text
from engines.evaluate.transitions import HandOver, by_cameras

Point = NDArray[np.float64]  # (2,)

OWN, NEW, OTHERS, MISSED = "#3b7dd8", "#f0a030", "#d62748", "#e3e7eb"
MOST_LIVES, ROW_PX = 40, 15
MAP_PX, CURVE_PX = (640, 420), (460, 300)


def kinds_of(lives: Sequence[Life]) -> dict[tuple[int, int], str]:
    """The colour of each person taken for each id: the one that is theirs most, another one that is nobody else's, or
    one that is somebody else's.
    """
    counts = Counter((life.person, said) for life in lives for said in life.said.tolist() if said != NOBODY)
    ordered = sorted(counts, key=lambda pair: (-counts[pair], pair))
    owner: dict[int, int] = {}
    main: dict[int, int] = {}
    for person, said in ordered:
        owner.setdefault(said, person)
    for person, said in ordered:
        if owner[said] == person:
            main.setdefault(person, said)
    return {
        (person, said): OTHERS if owner[said] != person else OWN if main[person] == said else NEW
        for person, said in ordered
    }


def lives_plot(sheet: Sheet, lives: Sequence[Life]) -> str:
    """A row for each of the worst people: whom they were taken for, over time."""
    shown, kinds = worst(list(lives))[:MOST_LIVES], kinds_of(lives)
    left, width, top = 84, 1040, 22
    height = top + ROW_PX * len(shown) + 24
    end = float(sheet.times_s[-1]) if len(sheet.times_s) else 0.0
    step = _interval(sheet.times_s)
    scale = (width - left - 8) / max(end + step, 1e-9)
    parts = [text(left, 12, f"{len(shown)} of {len(lives)} people, the worst first", FAINT)]
    for row, life in enumerate(shown):
        y = top + ROW_PX * row
        parts.append(text(left - 8, y + 10, f"person {life.person}", INK, "end"))
        for said, frames in _drawn(life, step, sheet.times_s):
            x, last = (left + scale * float(sheet.times_s[frame]) for frame in frames)
            color = MISSED if said == NOBODY else kinds[life.person, said]
            name = "missed" if said == NOBODY else _name(sheet, said)
            title = (
                f"person {life.person}: {name}, {sheet.times_s[frames[0]]:g} to {sheet.times_s[frames[1]]:g}"
            )
            parts.append(bar((x, y + 2), (last - x + scale * step, ROW_PX - 5), color, title))
    parts += _time_axis(left, top + ROW_PX * len(shown), scale, end, len(sheet.times_s))
    return svg(width, height, parts)


def _drawn(life: Life, step: float, times_s: NDArray[np.float64]) -> list[tuple[int, tuple[int, int]]]:
    """The stretches of a life, cut where they were not there."""
    gaps = np.flatnonzero(
        (np.diff(life.said) != 0) | (np.diff(times_s[life.frames]) > 1.5 * step) | (np.diff(life.frames) > 1)
    )
    begins, ends = [0, *(gaps + 1).tolist()], [*gaps.tolist(), len(life.said) - 1]
    return [
        (int(life.said[a]), (int(life.frames[a]), int(life.frames[b])))
        for a, b in zip(begins, ends, strict=True)
    ]


def curves_plot(hota: Hota) -> str:
    """HOTA and its parts over the threshold of similarity."""
    width, height = CURVE_PX
    left, top, right, bottom = 40, 14, width - 80, height - 34
    lines = {"HOTA": (hota.hota, INK), "DetA": (hota.det_a, NEW), "AssA": (hota.ass_a, OWN)}
    parts = []
    for share in np.linspace(0, 1, 6):
        y = bottom - share * (bottom - top)
        parts += [line(left, y, (right, y), GRID), text(left - 6, y + 4, f"{share:.1f}", FAINT, "end")]
        x = left + share * (right - left)
        parts.append(text(x, bottom + 16, f"{share:.1f}", FAINT, "middle"))
    low = 0.0
    for name, (values, color) in sorted(lines.items(), key=lambda item: -float(item[1][0][-1])):
        points = " ".join(
            f"{left + a * (right - left):.1f},{bottom - v * (bottom - top):.1f}"
            for a, v in zip(ALPHAS, values, strict=True)
        )
        parts.append(f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="2.2"/>')
        low = max(
            bottom - float(values[-1]) * (bottom - top) + 4, low + 14
        )  # names do not lie on one another
        parts.append(text(right + 16, low, name, color))
    parts.append(text((left + right) / 2, height - 4, "similarity asked for", FAINT, "middle"))
    return svg(width, height, parts)


def floor_plot(sheet: Sheet, lives: Sequence[Life]) -> str:
    """The ways of people on the floor, where they were missed, and where they went over to another id."""
    truth = sheet.truth
    known = truth.floor_m[~np.isnan(truth.floor_m).any(axis=1)]
    if not len(known):
        return ""
    plan = _Plan.around(known)
    moments = np.searchsorted(sheet.frames, truth.frame_indices).tolist()
    rows = zip(moments, truth.people.tolist(), truth.floor_m, strict=True)
    places = {(moment, person): plan.at(place) for moment, person, place in rows}
    ways, missed, switched = [], [], []
    for life in lives:
        points = [places[frame, life.person] for frame in life.frames.tolist()]
        for part in np.split(points, np.flatnonzero(np.diff(life.frames) > 1) + 1):
            joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in part.tolist())
            ways.append(f'<polyline points="{joined}" fill="none" stroke="#b9c3cd" stroke-width="1.2"/>')
        for (x, y), said in zip(points, life.said.tolist(), strict=True):
            if said == NOBODY:
                missed.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2" fill="{NEW}" fill-opacity="0.55"/>')
        for _, after in life.switches:
            words = f"person {life.person} at {sheet.times_s[after]:g}"
            switched.append(_diamond(*places[after, life.person], words))
    y, metres = plan.height - 18, 1 if plan.scale >= 40 else 5 if plan.scale >= 9 else 10
    key = [
        line(8, y, (8 + metres * plan.scale, y), INK, 3),
        text(14 + metres * plan.scale, y + 4, f"{metres} m", INK),
        f'<circle cx="{MAP_PX[0] - 280}" cy="{y}" r="4" fill="{NEW}"/>',
        text(MAP_PX[0] - 270, y + 4, f"missed ({len(missed)})", INK),
        _diamond(MAP_PX[0] - 140, y),
        text(MAP_PX[0] - 128, y + 4, f"another id ({len(switched)})", INK),
    ]
    return svg(MAP_PX[0], plan.height, [*ways, *missed, *switched, *key])


class _Plan(NamedTuple):
    """Metres on the floor to pixels of a map, whose longer side lies."""

    low_m: Point
    high_m: Point
    is_turned: bool
    scale: float  # pixels a metre

    @classmethod
    def around(cls, places_m: NDArray[np.float64]) -> _Plan:
        low, high = places_m.min(axis=0) - 0.5, places_m.max(axis=0) + 0.5
        is_turned = bool((high - low)[1] > (high - low)[0])
        across, up = (high - low)[::-1] if is_turned else high - low
        return cls(low, high, is_turned, float(min((MAP_PX[0] - 16) / across, MAP_PX[1] / up)))

    @property
    def height(self) -> int:
        return round(float((self.high_m - self.low_m)[0 if self.is_turned else 1]) * self.scale) + 52

    def at(self, place_m: Point) -> tuple[float, float]:
        x, y = ((place_m - self.low_m) * self.scale).tolist()
        up = float((self.high_m - self.low_m)[1]) * self.scale
        return (8 + y, 8 + x) if self.is_turned else (8 + x, 8 + up - y)


def _diamond(x: float, y: float, words: str = "") -> str:
    shape = f'<path d="M{x:.1f} {y - 6:.1f}l6 6l-6 6l-6 -6z" fill="{OTHERS}" stroke="{PAPER}">'
    return f"{shape}<title>{escape(words)}</title></path>"


def transitions_plot(hand_overs: Sequence[HandOver]) -> str:
    """From which camera to which, and how many of the hand-overs carried one identity."""
    counts = by_cameras(hand_overs)
    names = sorted({name for pair in counts for name in pair})
    if not names:
        return ""
    cell, left, top = 64, 96, 40
    parts = [text(left + cell * len(names) / 2, 12, "to", FAINT, "middle")]
    for column, name in enumerate(names):
        parts.append(text(left + cell * (column + 0.5), top - 8, name, INK, "middle"))
        parts.append(text(left - 8, top + 34 * (column + 0.5) + 4, f"from {name}", INK, "end"))
    for row, before in enumerate(names):
        for column, after in enumerate(names):
            of = counts.get((before, after))
            x, y = left + cell * column, top + 34 * row
            if of is None:
                parts.append(bar((x + 1, y + 1), (cell - 2, 32), "#f2f4f6"))
                continue
            kept, total = of["same identity"], of.total()
            title = f"{before} to {after}: " + ", ".join(f"{count} {name}" for name, count in of.items())
            parts.append(bar((x + 1, y + 1), (cell - 2, 32), _shade(kept / total), title))
            parts.append(text(x + cell / 2, y + 22, f"{kept} of {total}", INK, "middle"))
    return svg(left + cell * len(names) + 8, top + 34 * len(names) + 8, parts)


def ids_plot(lives: Sequence[Life]) -> str:
    """How many people went by how many ids."""
    counts = Counter(life.ids for life in lives)
    most, width, height = max(counts.values(), default=1), CURVE_PX[0], 200
    last = max(max(counts, default=0), 1)
    wide, bottom = min(60.0, (width - 20) / (last + 1)), height - 34
    parts = [line(10, bottom, (10 + wide * (last + 1), bottom), FAINT)]
    for ids in range(last + 1):
        tall, x = (bottom - 24) * counts[ids] / most, 10 + wide * ids
        color = OWN if ids == 1 else OTHERS if ids else MISSED
        parts.append(bar((x + 3, bottom - tall), (wide - 6, tall), color))
        parts.append(text(x + wide / 2, bottom + 15, str(ids), FAINT, "middle"))
        if counts[ids]:
            parts.append(text(x + wide / 2, bottom - tall - 5, str(counts[ids]), INK, "middle"))
    parts.append(text(10, height - 4, "ids by which a person went; on the bars: people", FAINT))
    return svg(width, height, parts)


def legend(colors: Mapping[str, str]) -> str:
    """What colours mean."""
    return "".join(
        f'<span class="key"><i style="background:{c}"></i>{escape(n)}</span>' for n, c in colors.items()
    )


def _name(sheet: Sheet, said: int) -> str:
    return sheet.names[said] if 0 <= said < len(sheet.names) else f"id {said}"


def _interval(times_s: NDArray[np.float64]) -> float:
    return float(np.median(np.diff(times_s))) if len(times_s) > 1 else 1.0


def _time_axis(left: float, y: float, scale: float, end: float, frames: int) -> list[str]:
    unit = "frames" if frames and end == frames - 1 else "s"
    rough = max(end, 1e-9) / 8
    size = 10 ** (ceil(log10(rough)) - 1)
    every = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= rough)
    marks = np.arange(0, end + every / 100, every)
    parts = [text(left + scale * float(m), y + 16, f"{m:g}", FAINT, "middle") for m in marks]
    return [*parts, text(left - 16, y + 16, unit, FAINT, "end")]


def _shade(share: float) -> str:
    """From pale red, of nothing, to pale blue, of all."""
    low, high = np.array([244, 170, 170]), np.array([186, 214, 246])
    red, green, blue = (low + share * (high - low)).round().astype(int).tolist()
    return f"rgb({red},{green},{blue})"
