"""Draws a graph: as text for a terminal, and as SVG for a page."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from pipeline.graph import CAMERAS, EVENTS, Graph, Node
from pipeline.stage import Source, engines

WIDTH_PX, HEIGHT_PX, GAP_X_PX, GAP_Y_PX = 190, 52, 96, 22
STYLE = (
    "text{font:13px sans-serif;fill:#1b2733}.small{font-size:11px;fill:#5b6b7b}.end{text-anchor:end}"
    "rect{fill:#eef4fb;stroke:#4a78b0;rx:6}.source{fill:#eaf6ec;stroke:#4c9a5c}.paper{fill:#fff;stroke:none}"
    "path{fill:none;stroke:#8796a5;marker-end:url(#tip)}"
)
TIP = (
    '<marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
    '<polygon points="0,0 8,4 0,8" fill="#8796a5"/></marker>'
)


def as_text(graph: Graph) -> str:
    """A line for each node, in running order: what it is, what it reads, what it takes and gives."""
    rows = [_row(node, graph) for node in graph.nodes]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = (
        "  ".join([*(cell.ljust(w) for cell, w in zip(row, widths, strict=False)), row[3]]) for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)


def as_svg(graph: Graph) -> str:
    """The same as a picture: sources on the left, what travels beside the arrows."""
    places = _places(graph)
    width = (max(x for x, _ in places.values()) + 1) * (WIDTH_PX + GAP_X_PX) + GAP_X_PX
    height = (max(y for _, y in places.values()) + 1) * (HEIGHT_PX + GAP_Y_PX) + GAP_Y_PX
    edges = [_edge(places[writer], places[node.id]) for node in graph.nodes for writer in node.reads]
    labels = [_label(node, graph, places[node.id]) for node in graph.nodes if node.reads]
    boxes = [_box(node, graph, places[node.id]) for node in graph.nodes]
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">'
    paper = '<rect class="paper" width="100%" height="100%"/>'
    return "\n".join([head, f"<style>{STYLE}</style>", TIP, paper, *edges, *labels, *boxes, "</svg>\n"])


def _row(node: Node, graph: Graph) -> tuple[str, str, str, str]:
    runs = f" x{node.shards}" if node.shards > 1 else ""
    takes = _kinds(node.takes)
    ports = f"{takes} -> {_kinds(node.gives)}" if takes else _kinds(node.gives)
    is_of_all = len(graph.sources) > 1 and set(node.reads) == {source.id for source in graph.sources}
    reads = CAMERAS if is_of_all else ", ".join(node.reads)
    return node.id, f"{_what(node)}{runs}", f"from {reads}" if reads else "", ports


def _what(node: Node) -> str:
    """The file of a stage, those of its engines, and whether it runs in a process of its own."""
    used = [type(engine).__module__.removeprefix("engines.") for engine in engines(node.stage).values()]
    used = [name for name in used if "." not in name]
    name = type(node.stage).__module__.removeprefix("stages.").replace(".", "/")
    used += ["isolated"] if isinstance(node.stage, Source) and node.stage.is_isolated else []
    return f"{name} ({', '.join(used)})" if used else name


def _kinds(kinds: Iterable[type]) -> str:
    plain = sorted(kind.__name__ for kind in kinds if kind not in EVENTS)
    return " | ".join([*plain, *(["events"] if EVENTS & set(kinds) else [])])


def _places(graph: Graph) -> dict[str, tuple[int, int]]:
    """Column and row of each node: as far right as its longest way from a source."""
    columns: dict[str, int] = {}
    taken: dict[int, int] = {}
    places = {}
    for node in graph.nodes:
        column = 1 + max((columns[id] for id in node.reads), default=-1)
        columns[node.id] = column
        places[node.id] = column, taken.get(column, 0)
        taken[column] = taken.get(column, 0) + 1
    tallest = max(taken.values())
    return {id: (x, y + (tallest - taken[x]) // 2) for id, (x, y) in places.items()}


def _corner(place: tuple[int, int]) -> tuple[int, int]:
    return GAP_X_PX // 2 + place[0] * (WIDTH_PX + GAP_X_PX), GAP_Y_PX + place[1] * (HEIGHT_PX + GAP_Y_PX)


def _edge(writer: tuple[int, int], reader: tuple[int, int]) -> str:
    (x0, y0), (x1, y1) = _corner(writer), _corner(reader)
    x0, y0, y1 = x0 + WIDTH_PX, y0 + HEIGHT_PX // 2, y1 + HEIGHT_PX // 2
    middle = (x0 + x1) // 2
    return f'<path d="M{x0} {y0} C{middle} {y0} {middle} {y1} {x1} {y1}"/>'


def _label(node: Node, graph: Graph, place: tuple[int, int]) -> str:
    """What comes in, beside the tip of the arrow."""
    x, y = _corner(place)
    given = {kind for writer in graph.nodes if writer.id in node.reads for kind in writer.gives}
    text = _kinds(given & set(node.takes))
    return f'<text class="small end" x="{x - 12}" y="{y + HEIGHT_PX // 2 - 6}">{escape(text)}</text>'


def _box(node: Node, graph: Graph, place: tuple[int, int]) -> str:
    x, y = _corner(place)
    kind = ' class="source"' if isinstance(node.stage, Source) else ""
    events = "+ events" if EVENTS & node.gives else ""
    name = node.id + (f" x{node.shards}" if node.shards > 1 else "")
    return (
        f'<g><rect{kind} x="{x}" y="{y}" width="{WIDTH_PX}" height="{HEIGHT_PX}"/>'
        f'<text x="{x + 10}" y="{y + 21}">{escape(name)}</text>'
        f'<text class="small" x="{x + 10}" y="{y + 40}">{escape(_what(node))}</text>'
        f'<text class="small end" x="{x + WIDTH_PX - 8}" y="{y + 20}">{events}</text>'
        f"<title>{escape(', '.join(_row(node, graph)))}</title></g>"
    )
