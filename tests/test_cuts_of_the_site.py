"""The main graph on recorded people: restored from any cut, it publishes the bytes of a run that was not disturbed. And
every stage that there is goes on from what it wrote down, and remembers no more and no less than it says.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import ClassVar

import pytest
from every_stage import every_stage

from pipeline.cuts import Cuts
from pipeline.executors import inline, threads
from pipeline.graph import EVENTS, Graph, Node
from pipeline.graphfile import GraphFile
from pipeline.inputs import replayed
from pipeline.instances import rebuilt
from pipeline.keyed import Keyed
from pipeline.messages import Detections, Embedding, Frame, FrameSet, SystemEvent, Tracklet, Tracks
from pipeline.run import Run, ignore
from pipeline.stage import Memory, Stage
from pipeline.wire import decode, encode
from stages.sync import Sync

pytest_plugins = ["simulated_people"]
BARRIER_NS = 700_000_000
IN_ITS_FILES = (
    "Record",
    "Film",
)  # a stage whose memory lies outside of it; a run that begins again makes new ones
STAGES = [stage for stage in every_stage() if stage.__name__ not in IN_ITS_FILES]
BY_NAME = [stage.__module__ for stage in STAGES]


@pytest.fixture(scope="module")
def site(people, graph):
    """The nodes of the main graph on the recording, with portraits; each call makes new ones."""
    file = GraphFile.read(graph)
    stages = {**file.stages, "portraits": {"stage": "view", "from": "tracklets"}}
    return lambda: file.graph(replayed(file.cameras, people), stages).nodes


@pytest.fixture(scope="module")
def undisturbed(site):
    """A whole run: its cuts, what had been published at each, and all that was."""
    cuts, marks, lines = Cuts(), {}, []

    def take(barrier):
        cuts.take(barrier)
        marks[barrier.at_ns] = len(lines)

    inline.run(Graph(site()), Run(lambda event: lines.append(encode(event)), take, barrier_ns=BARRIER_NS))
    return cuts, marks, lines


def test_barriers_do_not_show(site, undisturbed):
    lines = []
    inline.run(Graph(site()), Run(lambda event: lines.append(encode(event))))
    assert lines == undisturbed[2]
    assert len(lines) > 200


def test_every_stage_with_memory_has_a_state_in_the_cuts(site, undisturbed):
    cuts = undisturbed[0]
    held = cuts.at(cuts.moments()[-1]).states
    keeps = {node.id: node.memory for node in site() if isinstance(node.stage, Stage)}
    assert set(held) == {id for id, memory in keeps.items() if memory is not Memory.NONE}
    assert {id: set(held[id]) for id in ("floor", "track", "tracklets")} == {
        id: {"flat", "ascent"} for id in ("floor", "track", "tracklets")
    }


def test_carries_on_from_every_cut(site, undisturbed):
    cuts, marks, lines = undisturbed
    assert len(cuts.moments()) >= 8
    for number, moment in enumerate(cuts.moments()):
        again = []
        run = Run(lambda event, again=again: again.append(encode(event)), start=cuts.at(moment))
        (inline, threads)[number % 2].run(Graph(site()), run)
        assert lines[: marks[moment]] + again == lines, f"from {moment}"


@dataclass
class Tape(Stage[Frame | FrameSet | Detections | Tracks | Tracklet | Embedding, SystemEvent]):
    """Keeps what a node gives."""

    kept: ClassVar[dict[str, list]] = {}
    of: str = ""

    def process(
        self, message: Frame | FrameSet | Detections | Tracks | Tracklet | Embedding
    ) -> Iterator[SystemEvent]:
        self.kept.setdefault(self.of, []).append(message)
        return iter(())


@pytest.fixture(scope="module")
def taped(site):
    """The nodes, by id, and what each gives to others."""
    nodes = site()
    cameras = tuple(node.id for node in nodes if not node.reads)
    nodes.append(Node("sync", Sync(), cameras))
    tapes = [Node(f"tape {node.id}", Tape(node.id), (node.id,)) for node in nodes if node.gives - EVENTS]
    inline.run(Graph([*nodes, *tapes]), Run(ignore))
    yield {node.id: node for node in nodes}, dict(Tape.kept)
    Tape.kept.clear()


def in_use(stage, taped):
    """A stage as the graph has it, or with its own settings, and messages for it: of one camera, if it remembers one."""
    nodes, kept = taped
    used = [node for node in nodes.values() if type(node.stage) is stage]
    node = used[0] if used else Node("alone", stage())
    reads = node.reads or next((id,) for id, some in kept.items() if type(some[0]) in node.takes)
    messages = [one for id in reads for one in kept[id] if type(one) in node.takes]
    messages.sort(
        key=lambda one: (time_of(one), one.camera_id)
    )  # stable: tracklets of one frame stay in order
    if stage.memory is Memory.CAMERA:
        messages = [one for one in messages if one.camera_id == "flat"]
    assert len(messages) > 10, "the recording has too little for this stage"
    return node.stage, messages


def time_of(message):
    match message:
        case Detections() | Tracks():
            return message.frame.captured_ns
        case Tracklet():
            return message.seen_ns
        case Embedding():
            return message.tracklet.seen_ns
    return message.captured_ns


def goes_on(stage, messages, ends=True):
    """What a stage gives, as bytes; of one that gives nothing to anybody, what it remembers before its end."""
    given, now_ns = [], -1
    for message in messages:
        if time_of(message) > now_ns:
            now_ns = time_of(message)
            given += stage.advance(now_ns)
        given += [one for result in stage.process_many([message]) for one in result]
    if ends and Node("alone", stage).gives == {SystemEvent}:
        kept = ((field.name, getattr(stage, field.name)) for field in fields(stage))
        given += [{name: dict(of.items())} for name, of in kept if isinstance(of, Keyed)]
    return [encode(one) for one in [*given, *(stage.finish() if ends else ())]]


def opened(stage):
    made = rebuilt(stage)
    made.open()
    return made


@pytest.mark.parametrize("stage", STAGES, ids=BY_NAME)
def test_a_stage_goes_on_from_its_snapshot_and_needs_one_only_if_it_says_that_it_remembers(stage, taped):
    settings, messages = in_use(stage, taped)
    whole = goes_on(opened(settings), messages)
    forgets = []
    for cut in (1, len(messages) // 3, len(messages) // 2 | 1, len(messages) - 1):
        before = opened(settings)
        first = goes_on(before, messages[:cut], ends=False)
        written, rest = decode(encode(dict(before.snapshot()))), messages[cut:]
        restored = opened(settings)
        if written:
            restored.restore(written)
        assert first + goes_on(restored, rest) == whole
        forgets.append(first + goes_on(opened(settings), rest) != whole)
    assert any(forgets) == (stage.memory is not Memory.NONE)


@pytest.mark.parametrize("stage", [stage for stage in STAGES if stage.memory is Memory.SITE])
def test_a_stage_that_remembers_the_site_keeps_everything_by_key(stage, taped):
    settings, messages = in_use(stage, taped)
    used = opened(settings)
    goes_on(used, messages)
    told = {field.name for field in fields(used) if field.init}
    assert [
        name for name, value in vars(used).items() if name not in told and not isinstance(value, Keyed)
    ] == []
