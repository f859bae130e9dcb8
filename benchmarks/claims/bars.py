"""Scores as bars, in an SVG that needs nothing to be drawn with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

COLOURS = ("#2f6f9f", "#d98b2b", "#6a9f58", "#9a6fb0", "#bbbbbb", "#777777")
HIGH, BAR, GAP, LEFT, TOP = 260, 22, 26, 44, 30


class Bar(NamedTuple):
    """A score in percent, and between what it may as well be."""

    mean: float
    low: float
    high: float


def write(
    path: Path, title: str, groups: Mapping[str, Mapping[str, Bar]], goals: Mapping[str, float]
) -> None:
    """A group of bars for each track, a bar for each way, and a line where the goal is."""
    ways = list(dict.fromkeys(way for bars in groups.values() for way in bars))
    colour = dict(zip(ways, COLOURS, strict=False))
    drawn, x = [_text(LEFT, 18, title)], LEFT + 10
    for level in range(0, 101, 20):
        drawn.append(f'<path d="M{LEFT} {_y(level)}H{{wide}}" stroke="#ddd"/>')
        drawn.append(_text(LEFT - 6, _y(level) + 4, str(level), "end"))
    for name, bars in groups.items():
        first = x
        for way, bar in bars.items():
            drawn.append(
                f'<rect x="{x}" y="{_y(bar.mean)}" width="{BAR}" height="{HIGH - _y(bar.mean) + TOP}" '
                f'fill="{colour[way]}"/><path d="M{x + BAR / 2} {_y(bar.low)}V{_y(bar.high)}" stroke="#222"/>'
                + _text(x + BAR / 2, _y(max(bar.high, bar.mean)) - 4, f"{bar.mean:.0f}", "middle")
            )
            x += BAR + 4
        if name in goals:
            y = _y(goals[name])
            drawn.append(f'<path d="M{first - 4} {y}H{x}" stroke="#c22" stroke-dasharray="4 3"/>')
        drawn.append(_text((first + x) / 2, TOP + HIGH + 16, name, "middle"))
        x += GAP
    for row, way in enumerate(ways):
        y = TOP + HIGH + 36 + 18 * row
        drawn.append(f'<rect x="{LEFT}" y="{y - 10}" width="12" height="12" fill="{colour[way]}"/>')
        drawn.append(_text(LEFT + 18, y, way))
    high = TOP + HIGH + 40 + 18 * len(ways)
    inside = "\n".join(drawn).replace("{wide}", str(x))
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{x}" height="{high}" font-family="sans-serif" '
        f'font-size="11"><rect width="100%" height="100%" fill="#fff"/>\n{inside}\n</svg>\n',
        encoding="utf-8",
    )


def _y(percent: float) -> float:
    return round(TOP + HIGH * (1 - percent / 100), 1)


def _text(x: float, y: float, said: str, anchor: str = "start") -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}">{said}</text>'
