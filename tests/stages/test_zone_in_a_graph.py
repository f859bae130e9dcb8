"""Cameras that overlap and one that does not, from detections to identities: people are followed together in the one
place, whatever they look like, and handed over to the other by their looks.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pytest
from builders import embedding
from zone_scene import LENS, VIEWS, seen

from pipeline.executors import inline, threads
from pipeline.graph import Graph, Node
from pipeline.messages import Detections, Embedding, Frame, IdentityEvent, Positions, Tracklet
from pipeline.run import Run
from pipeline.stage import Source, Stage
from stages.match import Match
from stages.track.zone import Zones
from stages.tracklet import Collect

FPS, SECONDS = 5, 16.0
HALL, ROOM = ("north", "south"), "west"
PICTURE = np.zeros((LENS.height_px, LENS.width_px, 3), np.uint8)
LOOKS = np.eye(8, dtype=np.float32)


def way(seconds):
    """Two walk up and down the hall side by side until one of them goes to the room, for good."""
    there = 3.0 + 3.0 * abs(1 - (seconds / 5) % 2)
    second = (
        (there, 5.0) if seconds < 8 else (-40.0, 5.0) if seconds < 10 else (1.0 + 0.5 * (seconds - 10), 6.0)
    )
    return [(there, 4.1), second]


@dataclass
class Seen(Source[Frame]):
    def produce(self, from_ns: int) -> Iterator[Frame]:
        for index in range(round(FPS * SECONDS)):
            yield Frame(self.camera_id, index, round(index * 1e9 / FPS), VIEWS[self.camera_id], color=PICTURE)


@dataclass
class Found(Stage[Frame, Detections]):
    """Who is in the hall, and from ten seconds on who is in the room, before the one camera there."""

    def process(self, frame: Frame) -> Iterator[Detections]:
        seconds = frame.captured_ns / 1e9
        first, second = way(seconds)
        in_hall = [first, second] if seconds < 8 else [first]
        places = in_hall if frame.camera_id in HALL else [second] if seconds >= 10 else []
        random = np.random.default_rng([frame.index, len(frame.camera_id)])
        yield replace(seen(frame.camera_id, places, seconds, FPS, 2.0, random), frame=frame)


@dataclass
class Looked(Stage[Tracklet, Embedding]):
    """In the north everybody looks the same, and in the south less like that than two people may; in the room they look
    as they do in the south.
    """

    def process(self, one: Tracklet) -> Iterator[Embedding]:
        near = [np.linalg.norm(one.floor_m - place) for place in way(one.seen_ns / 1e9)]
        person = int(np.argmin(near))
        looks = LOOKS[0] if one.camera_id == "north" else 0.72 * LOOKS[0] + 0.694 * LOOKS[1 + person]
        yield embedding(one, looks if one.crops else np.empty(0))


def conducted(run):
    cameras = (*HALL, ROOM)
    nodes = [
        *(Node(id, Seen(id)) for id in cameras),
        Node("found", Found(), cameras),
        Node("track", Zones(zones={"hall": [*HALL]}), ("found",)),
        Node("tracklets", Collect(), ("track",)),
        Node("looked", Looked(), ("tracklets",)),
        Node("match", Match(lost_after_s=1.0), ("looked",)),
    ]
    out = []
    run(Graph(nodes), Run(out.append))
    return out


def whose(said):
    """The identities that each person went by in each camera, by where their tracklets were."""
    identity = {one.tracklet_id: one.identity_id for one in said if isinstance(one, IdentityEvent)}
    names = defaultdict(set)
    for one in said:
        for tracklet, place in (
            zip(one.tracklet_ids, one.floor_m, strict=True) if isinstance(one, Positions) else ()
        ):
            near = [np.linalg.norm(place - there) for there in way(one.captured_ns / 1e9)]
            if tracklet in identity and min(near) < 0.5:
                names[int(np.argmin(near)), one.camera_id].add(identity[tracklet])
    return names


@pytest.mark.parametrize("run", [inline.run, partial(threads.run, size=2)], ids=["inline", "threads"])
def test_overlapping_cameras_give_one_identity_and_looks_hand_over_to_the_other(run):
    names = whose(conducted(run))
    assert {*names} == {(0, "north"), (0, "south"), (1, "north"), (1, "south"), (1, "west")}
    assert names[0, "north"] == names[0, "south"]
    assert names[1, "north"] == names[1, "south"] == names[1, "west"]
    assert len(names[0, "north"] | names[1, "north"]) == 2


def test_it_says_the_same_whatever_it_runs_on():
    logs = [[repr(one) for one in conducted(run)] for run in (inline.run, partial(threads.run, size=2))]
    assert logs[0] == logs[1]
