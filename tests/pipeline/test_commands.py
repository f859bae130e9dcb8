"""Commands reach every stage that takes them at one and the same barrier, and are done or asked for again."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

import pytest
from builders import MERGED
from toys import camera

from configs.build import ConfigError
from pipeline._store_commands import Asked
from pipeline.commands import Commands, Outcome, request
from pipeline.executors import inline, threads
from pipeline.graph import Graph, Node
from pipeline.messages import Command, CorrectionEvent, Frame
from pipeline.run import Run
from pipeline.stage import Memory, Stage

BARRIER_NS = 100_000_000


@dataclass
class Notes(Stage[Frame | Command, CorrectionEvent]):
    """Says of each command that somebody was erased, and of each frame nothing."""

    memory: ClassVar[Memory] = Memory.SITE
    known: tuple[str, ...] = ("P-1",)
    _done: list[str] = field(default_factory=list, init=False)

    def process(self, message: Frame | Command) -> Iterator[CorrectionEvent]:
        if isinstance(message, Command) and message.subject in self.known:
            self._done.append(message.subject)
            yield CorrectionEvent("erased", "", message.captured_ns, (message.subject,), (), 0, "on request")

    def snapshot(self):
        return {"done": list(self._done)}


@dataclass
class Heard(Stage[CorrectionEvent, CorrectionEvent]):
    """Says again what it is told, as a merge."""

    memory: ClassVar[Memory] = Memory.SITE

    def process(self, message: CorrectionEvent) -> Iterator[CorrectionEvent]:
        yield CorrectionEvent("merged", "", message.captured_ns, message.from_ids, ("P-9",), 0, "heard")


class Camera(Notes):
    memory = Memory.CAMERA


def asked(number, kind="erase", body=None):
    return Asked(number, kind, request(f"P-{number}") if body is None else body)


def graph(*more):
    return Graph([camera("east"), camera("west"), Node("notes", Notes(), ("east", "west")), *more])


def conducted(executor, graph_, commands):
    events, outcomes = [], {}

    def take(barrier):
        outcomes[barrier.at_ns] = commands.done(barrier.at_ns, events)

    executor.run(graph_, Run(events.append, take, barrier_ns=BARRIER_NS, commands=commands))
    return events, {at_ns: found for at_ns, found in outcomes.items() if found}


@pytest.mark.parametrize("executor", [inline, threads], ids=["inline", "threads"])
def test_is_done_at_a_barrier_once_by_every_stage_that_takes_it(executor):
    commands = Commands()
    commands.ask([asked(1)])
    other = Node("others", Notes(), ("east", "west"))
    events, outcomes = conducted(executor, graph(other), commands)
    assert [(event.kind, event.captured_ns, event.from_ids) for event in events] == [
        ("erased", BARRIER_NS, ("P-1",))
    ] * 2
    assert outcomes == {BARRIER_NS: [Outcome(1, BARRIER_NS, "erased", ("P-1",), "command 1")]}


@pytest.mark.parametrize("executor", [inline, threads], ids=["inline", "threads"])
def test_what_comes_of_it_reaches_those_behind_once_and_is_in_the_same_cut(executor):
    commands = Commands()
    commands.ask([asked(1)])
    events, _ = conducted(executor, graph(Node("heard", Heard(), ("notes",))), commands)
    assert [event.kind for event in events] == ["erased", "merged"]


def test_a_cut_holds_what_came_of_it():
    commands, cuts = Commands(), []
    commands.ask([asked(1)])
    inline.run(graph(), Run(lambda _: None, cuts.append, barrier_ns=BARRIER_NS, commands=commands))
    assert b"P-1" in cuts[0].states["notes"][""]


def test_who_asks_first_for_a_moment_decides_and_all_later_ones_get_the_same():
    commands = Commands()
    assert commands.at(10) == ()
    commands.ask([asked(1)])
    assert commands.at(10) == ()  # somebody has been told that there is nothing
    assert commands.at(20) == commands.at(20) == (Command(1, "erase", "P-1", 20),)
    assert commands.at(30) == ()
    assert commands.at(20) == (Command(1, "erase", "P-1", 20),)  # a slower stage
    assert commands.done(20, [])[0].number == 1
    assert commands.done(20, []) == []


def test_what_is_withheld_is_not_done_and_not_said_to_be():
    commands = Commands()
    commands.withhold()
    commands.ask([asked(1), asked(2, kind="paint")])
    assert commands.at(20) == ()
    assert [one.kind for one in commands.done(20, [])] == ["refused"]


def test_says_of_whom_nobody_has_heard():
    commands = Commands()
    commands.ask([asked(2)])
    _, outcomes = conducted(inline, graph(), commands)
    assert outcomes == {BARRIER_NS: [Outcome(2, BARRIER_NS, "unknown", ("P-2",), "command 2")]}


def test_another_event_of_that_cut_is_no_answer():
    commands = Commands()
    commands.ask([asked(1)])
    commands.at(50)
    assert [one.kind for one in commands.done(50, [MERGED])] == ["unknown"]


@pytest.mark.parametrize(
    ("row", "detail"),
    [
        (asked(1, kind="paint"), "command 1, paint: Invalid enum value 'paint'"),
        (asked(1, body=b"{"), "command 1, erase: Input data was truncated"),
        (asked(1, body=b'{"subject": 3}'), "command 1, erase: Expected `str`, got `int`"),
        (
            asked(1, body=b'{"subject": "P-1", "more": 1}'),
            "command 1, erase: Object contains unknown field `more`",
        ),
    ],
)
def test_a_row_that_is_no_command_is_refused_and_said(row, detail):
    commands = Commands()
    commands.ask([row, asked(2)])
    refused, other = commands.done(70, [])
    assert (refused.number, refused.at_ns, refused.kind, other.number) == (1, 70, "refused", 2)
    assert refused.detail.startswith(detail)


def test_a_stage_that_remembers_a_camera_may_not_take_commands():
    with pytest.raises(
        ConfigError, match=r"graph\.notes: takes commands, which only a stage that remembers the site"
    ):
        Graph([camera("east"), Node("notes", Camera(), ("east",))])
