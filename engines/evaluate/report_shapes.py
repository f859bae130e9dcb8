"""What the plots of a report are drawn with: shapes as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

INK, FAINT, GRID, PAPER = "#1f2d3a", "#5c6a78", "#dfe5ea", "#fcfcfa"


def svg(width: float, height: float, parts: Sequence[str]) -> str:
    """A picture of so many pixels."""
    size = f'viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">{"".join(parts)}</svg>'


def line(x: float, y: float, end: tuple[float, float], color: str, width: float = 1) -> str:
    """A straight line to its end."""
    ends = f'x1="{x:.1f}" y1="{y:.1f}" x2="{end[0]:.1f}" y2="{end[1]:.1f}"'
    return f'<line {ends} stroke="{color}" stroke-width="{width:g}"/>'


def bar(corner: tuple[float, float], size: tuple[float, float], color: str, title: str = "") -> str:
    """A rectangle, which says its title under a mouse."""
    place = f'x="{corner[0]:.1f}" y="{corner[1]:.1f}" width="{max(size[0], 0.8):.1f}" height="{size[1]:.1f}"'
    return f'<rect {place} fill="{color}"><title>{escape(title)}</title></rect>'


def text(x: float, y: float, words: str, color: str, anchor: str = "start") -> str:
    """Words that begin, end or have their middle there."""
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text {place} font-size="11.5" fill="{color}">{escape(words)}</text>'
