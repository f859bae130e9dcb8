"""A run that stops anywhere and starts again from its last cut gives the log of a run that did not."""

from contextlib import suppress

import pytest
from jittery import APART, graph, log

from pipeline.cuts import Cuts
from pipeline.run import Run

BARRIER_NS = 100_000_000


class Stopped(Exception):
    pass


def until(most, name, cuts, marks, barrier_ns=BARRIER_NS, together=True):
    """The log of a run that breaks down after `most` events; `marks` says how long it was at each cut."""
    events = []

    def emit(event):
        if len(events) == most:
            raise Stopped
        events.append(event)

    def take(barrier):
        cuts.take(barrier)
        marks[barrier.at_ns] = len(events)

    with suppress(Stopped):
        APART[name](graph(together=together), Run(emit, take, barrier_ns=barrier_ns))
    return events


@pytest.fixture(autouse=True)
def _awake(monkeypatch):
    monkeypatch.setenv("AWAKE", "yes")


@pytest.mark.parametrize(
    ("name", "together"), [("inline", True), ("threads", True), ("2 processes", False), ("inline", False)]
)
def test_carries_on_from_every_cut(name, together):
    cuts, marks = Cuts(), {}
    whole = until(10_000, name, cuts, marks, together=together)
    assert len(cuts.moments()) >= 8
    for moment in cuts.moments():
        again = log(name, together=together, start=cuts.at(moment), barrier_ns=BARRIER_NS)
        assert [*map(repr, whole[: marks[moment]]), *map(repr, again)] == [*map(repr, whole)]


def test_carries_on_after_a_breakdown_in_another_executor_with_other_shards():
    whole = log("inline")
    for most in (1, len(whole) // 2, len(whole) - 1):
        cuts, marks = Cuts(), {}
        broken = until(most, "threads", cuts, marks)
        assert broken == whole[:most]
        last = max(cuts.moments(), default=0)
        published = broken[: marks.get(last, 0)]
        assert [*published, *log("threads", shards=3, start=cuts.at(last))] == whole


def test_barriers_do_not_show_in_the_log():
    cuts = Cuts()
    often = until(10_000, "inline", cuts, {}, barrier_ns=10_000_000)
    assert len(cuts.moments()) > 30
    assert often == until(10_000, "inline", Cuts(), {}, barrier_ns=None)


def test_a_site_stage_writes_what_changed_and_not_everything():
    cuts = Cuts()
    until(10_000, "inline", cuts, {})
    sizes = [len(barrier.states["match"][""]) for barrier in cuts._barriers]
    assert sizes[-1] < max(sizes)
    assert len(cuts.at(cuts.moments()[-1]).states["match"][""]) > sizes[-1]
