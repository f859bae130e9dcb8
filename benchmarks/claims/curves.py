"""Scores as curves over how much is hidden, in an SVG that needs nothing to be drawn with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil, floor
from pathlib import Path

from bars import COLOURS, Bar

WIDE, HIGH, GAP, LEFT, TOP = 300, 220, 50, 44, 52
STEPS = (1, 2, 5, 10, 20)  # between lines across, in points
LINES = 6  # of them, at most

Curves = Mapping[str, Sequence[Bar]]  # of each way, a score for each share


def write(path: Path, title: str, shares: Sequence[float], panels: Mapping[str, Curves]) -> None:
    """A panel for each of what hides, a curve for each way, shaded to between what it may as well be."""
    every = [bar for curves in panels.values() for some in curves.values() for bar in some]
    step = _step(min(bar.low for bar in every), max(bar.high for bar in every))
    low = step * floor(min(0.0, *(bar.low for bar in every)) / step)
    high = step * ceil(max(bar.high for bar in every) / step)
    ways = list(dict.fromkeys(way for curves in panels.values() for way in curves))
    drawn = [_text(LEFT, 18, title)]
    for number, (name, curves) in enumerate(panels.items()):
        left = LEFT + number * (WIDE + GAP)

        def at(share: float, percent: float, left: int = left) -> str:
            x = left + WIDE * (share - shares[0]) / (shares[-1] - shares[0])
            return f"{x:.1f} {TOP + HIGH * (high - percent) / (high - low):.1f}"

        drawn.append(_text(left + WIDE / 2, TOP - 14, name, "middle"))
        for level in range(low, high + 1, step):
            y = float(at(0, level).split()[1])
            drawn.append(f'<path d="M{left} {y}h{WIDE}" stroke="{"#ddd" if level else "#888"}"/>')
            drawn.append(_text(left - 6, y + 4, str(level), "end"))
        for share in shares:
            x = float(at(share, 0).split()[0])
            drawn.append(_text(x, TOP + HIGH + 16, f"{share:g}", "middle"))
        for way, bars in curves.items():
            colour = COLOURS[ways.index(way) % len(COLOURS)]
            there = [at(share, bar.high) for share, bar in zip(shares, bars, strict=True)]
            back = [at(share, bar.low) for share, bar in zip(shares, bars, strict=True)][::-1]
            drawn.append(f'<path d="M{" L".join(there + back)}Z" fill="{colour}" fill-opacity="0.13"/>')
            means = " L".join(at(share, bar.mean) for share, bar in zip(shares, bars, strict=True))
            drawn.append(f'<path d="M{means}" fill="none" stroke="{colour}" stroke-width="2"/>')
    for row, way in enumerate(ways):
        y = TOP + HIGH + 38 + 18 * row
        drawn.append(
            f'<rect x="{LEFT}" y="{y - 10}" width="12" height="12" fill="{COLOURS[row % len(COLOURS)]}"/>'
        )
        drawn.append(_text(LEFT + 18, y, way))
    wide = LEFT + len(panels) * (WIDE + GAP)
    tall = TOP + HIGH + 42 + 18 * len(ways)
    inside = "\n".join(drawn)
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" height="{tall}" font-family="sans-serif" '
        f'font-size="11"><rect width="100%" height="100%" fill="#fff"/>\n{inside}\n</svg>\n',
        encoding="utf-8",
    )


def _step(low: float, high: float) -> int:
    return next((step for step in STEPS if (high - low) / step <= LINES), STEPS[-1])


def _text(x: float, y: float, said: str, anchor: str = "start") -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}">{said}</text>'
