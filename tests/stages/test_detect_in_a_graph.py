"""Eight cameras share one network: frames of one moment go through it together, and what comes out does not show it."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import pytest
from builders import frame

from engines.yolox import Yolox
from pipeline.executors import inline, threads
from pipeline.graph import Graph, Node
from pipeline.messages import Detections, Frame, Positions
from pipeline.run import Run
from pipeline.stage import Source, Stage
from stages.detect import Detect

pytest_plugins = ["known_models"]
SHOWN: list[np.ndarray] = []
SIZES: list[int] = []


@dataclass
class Strip(Source[Frame]):
    """Looks at another part of one picture at each moment."""

    def produce(self, from_ns: int) -> Iterator[Frame]:
        for index in range(10):
            left = 160 * int(self.camera_id) + 16 * index
            color = SHOWN[0][300:940, left : left + 640]
            yield frame(self.camera_id, index, 100_000_000 * index, color=color)


@dataclass
class Counted(Yolox):
    def __call__(self, pictures):
        SIZES.append(len(pictures))
        return super().__call__(pictures)


class Said(Stage[Detections, Positions]):
    def process(self, found: Detections) -> Iterator[Positions]:
        of, names = found.frame, tuple(map(str, range(len(found))))
        places = found.floor_m, found.scores
        yield Positions(of.camera_id, of.index, of.captured_ns, "site", names, found.boxes, *places)


def log(most, run):
    SIZES.clear()
    cameras = tuple(map(str, range(8)))
    detect = Node("detect", Detect(Counted("yolox_nano"), most), cameras)
    nodes = [*(Node(id, Strip(id)) for id in cameras), detect, Node("said", Said(), ("detect",))]
    out = []
    run(Graph(nodes), Run(out.append))
    return [(one.camera_id, one.frame_index, one.boxes.tobytes(), one.scores.tobytes()) for one in out]


@pytest.mark.parametrize("run", [inline.run, partial(threads.run, size=2)], ids=["inline", "threads"])
def test_frames_of_one_moment_go_through_the_network_together(models, pictures, run):
    SHOWN[:] = [pictures[0]]
    alone = log(1, inline.run)
    assert set(SIZES) == {1}
    assert len(alone) == 80
    assert sum(len(scores) > 0 for *_, scores in alone) >= 40
    assert log(8, run) == alone
    assert sum(SIZES) / len(SIZES) >= 4  # at its end each camera ends a batch
