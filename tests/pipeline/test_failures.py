"""A failing stage stops the run and is named; a user's mistake is passed on in its own words."""

from collections.abc import Iterator
from functools import partial

import pytest
import toys

from pipeline.executors import inline, threads
from pipeline.graph import Graph, Node
from pipeline.instances import StageError
from pipeline.messages import Frame, FrameSet
from pipeline.run import Run, ignore
from pipeline.stage import InputError, Stage
from stages.sync import Sync

RUNS = pytest.mark.parametrize("run", [inline.run, threads.run], ids=["inline", "threads"])


class Breaks(Sync):
    def process(self, frame: Frame) -> Iterator[FrameSet]:
        raise RuntimeError("out of memory")
        yield


class FailsLate(Stage[FrameSet, FrameSet]):
    def process(self, frame_set: FrameSet) -> Iterator[FrameSet]:
        if frame_set.frames[0].index == 50:
            raise RuntimeError("lost the GPU")
        return iter(())


class Damaged(toys.Painted):
    def open(self) -> None:
        raise InputError("east.bag: line 3: not a recording; choose another")


@RUNS
def test_names_the_stage_and_the_message(run):
    graph = Graph([toys.camera("east", frames=10_000), Node("sync", Breaks(), ("east",))])
    with pytest.raises(StageError, match=r"sync: RuntimeError\('out of memory'\), given Frame from east"):
        run(graph, Run(ignore))


def test_stops_writers_that_are_waiting_for_the_failed_stage():
    sources = [toys.camera("east", frames=10_000), toys.camera("west", frames=10_000)]
    graph = Graph([*sources, Node("sync", Sync(), ("east", "west")), Node("detect", FailsLate(), ("sync",))])
    with pytest.raises(StageError, match="detect: RuntimeError.*given FrameSet from several cameras"):
        threads.run(graph, Run(ignore), size=2)


@RUNS
def test_a_mistake_in_the_input_keeps_its_words_and_nothing_is_said_to_be_open(run):
    said = []
    graph = Graph([toys.camera("east", Damaged), Node("sync", Sync(), ("east",))])
    with pytest.raises(InputError, match="^east.bag: line 3: not a recording; choose another$"):
        run(graph, Run(ignore, opened=partial(said.append, "opened")))
    assert said == []
