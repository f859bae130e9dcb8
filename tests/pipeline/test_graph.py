"""A graph that cannot run says so, and says where, before anything starts."""

from collections.abc import Generator, Iterator

import pytest
import toys

from configs.build import ConfigError
from pipeline.graph import Graph, Node
from pipeline.messages import Detections, Frame, Tracks
from pipeline.stage import Memory, Stage
from stages.sync import Sync

EAST = toys.camera("east")


class TracksMany(toys.Track):
    max_batch = 4


class Unannotated(toys.Track):
    def process(self, detections):
        return ()


class Returns(toys.Track):
    def process(self, detections: Detections) -> Tracks:
        return next(super().process(detections))


class Unknown(toys.Track):
    def process(self, detections: "Detection") -> Iterator[Tracks]:  # noqa: F821
        yield from super().process(detections)


class Loop(Stage[Frame, Frame]):
    def process(self, frame: Frame) -> Iterator[Frame]:
        yield frame


class Late(Loop):
    def finish(self) -> Iterator[Frame]:
        return iter(())


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ([EAST, EAST], "east: stands twice"),
        ([EAST, Node("sync", Sync(), ("cam",))], "graph.sync.from: there is no node 'cam'"),
        ([EAST, Node("sync", Sync())], "graph.sync.from: reads nothing; name the nodes"),
        ([EAST, Node("sync", Sync(), ("east", "east"))], "graph.sync.from: names a node twice"),
        ([EAST, Node("track", toys.Track(), ("east",))], "'east' gives Frame, 'track' takes Detections"),
        (
            [EAST, Node("sync", Sync(), ("east",), 2)],
            "graph.sync.shards: a source, or a stage that remembers the site",
        ),
        ([EAST, Node("loop", Loop(), ("east",), 0)], "graph.loop.shards: must be 1 or more, got 0"),
        (
            [Node("a", Loop(), ("b",)), Node("b", Loop(), ("a",))],
            "graph: a circle, a -> b -> a|graph: a circle, b -> a",
        ),
        ([Node("t", TracksMany())], "graph.t.max_batch: a stage that remembers a camera takes one message"),
        ([Node("t", Late(), ("t",))], "graph.t: Late remembers nothing, so it may not have 'finish'"),
        ([EAST, Node("t", Unannotated(), ("east",))], "Unannotated.process must say what it takes and gives"),
        (
            [EAST, Node("t", Returns(), ("east",))],
            "Returns.process must give an Iterator or Iterable of messages",
        ),
        ([EAST, Node("t", Unknown(), ("east",))], "Unknown.process: its annotations name something unknown"),
    ],
)
def test_refuses(nodes, message):
    with pytest.raises(ConfigError, match=message):
        Graph(nodes)


class Generates(toys.Track):
    def process(self, detections: Detections) -> Generator[Tracks, None, None]:
        yield from super().process(detections)


def test_the_annotations_are_the_ports():
    node = Node("track", Generates())
    assert (node.takes, node.gives, node.memory) == ({Detections}, {Tracks}, Memory.CAMERA)


def test_an_end_that_gives_no_event_is_said_where_it_is_asked():
    graph = Graph([EAST, Node("sync", Sync(), ("east",))])
    with pytest.raises(ConfigError, match="graph.sync: gives FrameSet, which no node reads"):
        graph.check_ends()
