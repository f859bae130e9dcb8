"""Which cameras one process takes apart from the others, and which nodes go with them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import cached_property

from pipeline.graph import Graph, Node
from pipeline.placement import Placement
from pipeline.stage import Memory
from pipeline.watch import BEARERS


def apart(graph: Graph) -> list[str]:
    """The nodes, in running order, that each camera can have for itself: nothing before brings cameras together."""
    ids: list[str] = []
    for node in graph.nodes:
        if node in graph.sources or (node.memory is not Memory.SITE and set(node.reads) <= set(ids)):
            ids.append(node.id)
    return ids


def carried(graph: Graph) -> str:
    """A node that would get frames from another process, if there is one: frames stay where they are read."""
    ids = apart(graph)
    for node in graph.nodes:
        kinds = {kind for id in node.reads if id in ids for kind in _node(graph, id).gives & node.takes}
        if node.id not in ids and kinds & BEARERS:
            return node.where
    return ""


def shared_out(graph: Graph, most: int) -> list[Share]:
    """The cameras, in turns, among so many processes or fewer."""
    cameras = [node.id for node in graph.sources]
    ids = frozenset(apart(graph))
    shares = [cameras[number::most] for number in range(min(most, len(cameras)))]
    return [Share(_part(graph, own), ids) for own in shares]


@dataclass(frozen=True)
class Share:
    """What one process runs of a graph: the nodes that `apart` names, of some cameras."""

    graph: Graph  # without the other cameras
    ids: frozenset[str]

    @cached_property
    def placement(self) -> Placement:
        return Placement(self.graph)

    @property
    def camera_ids(self) -> set[str]:
        return {node.camera_id for node in self.graph.sources}

    @cached_property
    def shards(self) -> list[str]:
        """The names of those that run here."""
        return [name for name, shard in self.placement.shards.items() if shard.node.id in self.ids]

    @cached_property
    def edges(self) -> list[tuple[str, str]]:
        """Writer and reader of each edge that leads out."""
        here = set(self.shards)
        return [edge for edge in self.placement.edges if edge[0] in here and edge[1] not in here]


def single(graph: Graph) -> Graph:
    """The graph with every node as one shard, as one thread runs it."""
    return Graph([replace(node, shards=1) for node in graph.nodes])


def _part(graph: Graph, own: Collection[str]) -> Graph:
    """Without the cameras that are not its own, and what reads nothing else."""
    nodes: list[Node] = []
    for node in single(graph).nodes:
        reads = tuple(id for id in node.reads if id in {kept.id for kept in nodes})
        if node.id in own or (reads and node not in graph.sources):
            nodes.append(replace(node, reads=reads))
    return Graph(nodes)


def _node(graph: Graph, id: str) -> Node:
    return next(node for node in graph.nodes if node.id == id)
