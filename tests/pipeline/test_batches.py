"""A stage that takes many messages at once is given one capture time at once; its log does not show it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import pytest
import toys
from builders import tracklet

from pipeline.executors import inline, threads
from pipeline.graph import Graph, Node
from pipeline.instances import StageError
from pipeline.messages import Frame, IdentityEvent
from pipeline.run import Run, ignore
from pipeline.stage import Stage

SIZES: list[int] = []
CAMERAS = ("a", "b", "c", "d", "e")


@dataclass
class Batched(Stage[Frame, IdentityEvent]):
    max_batch: int = 1

    def process(self, frame: Frame) -> Iterable[IdentityEvent]:
        return self.process_many([frame])[0]

    def process_many(self, frames: Sequence[Frame]) -> list[Iterable[IdentityEvent]]:
        SIZES.append(len(frames))
        return [[toys.identity_event("P-1", tracklet(f.camera_id, f"T-{f.index}"))] for f in frames]


class Forgets(Batched):
    def process_many(self, frames: Sequence[Frame]) -> list[Iterable[IdentityEvent]]:
        return super().process_many(frames)[:-1]


class Passes(Stage[IdentityEvent, IdentityEvent]):
    def process(self, event: IdentityEvent) -> Iterator[IdentityEvent]:
        yield event


def graph(stage, **given):
    cameras = [toys.camera(id, frames=4, **given) for id in CAMERAS]
    nodes = [*cameras, Node("one", stage, CAMERAS), Node("two", stage, CAMERAS)]
    return Graph([*nodes, Node("both", Passes(), ("two", "one"))])


def log(most, run, **given):
    SIZES.clear()
    out = []
    run(graph(Batched(most), **given), Run(out.append))
    return out


@pytest.mark.parametrize("run", [inline.run, partial(threads.run, size=1)])
@pytest.mark.parametrize(("most", "sizes"), [(2, {2, 1}), (3, {3, 2}), (8, {5})])
def test_batches_one_capture_time_and_gives_the_log_of_no_batches(run, most, sizes):
    assert log(most, run) == log(1, inline.run)
    log(most, run)
    assert sizes <= set(SIZES) and max(SIZES) == max(sizes)  # at its end a camera ends a batch


@pytest.mark.parametrize("most", [1, 2, 8])
def test_a_jump_of_a_clock_ends_a_batch(most):
    jumped = [e for e in log(most, inline.run, jump_at=2) if isinstance(e, IdentityEvent)]
    assert jumped == log(1, inline.run)


def test_refuses_a_stage_that_forgets_a_message():
    with pytest.raises(StageError, match="process_many gave 0 results.*, given Frame from a"):
        inline.run(graph(Forgets()), Run(ignore))
