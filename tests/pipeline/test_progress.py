"""A run shows that it lives, on a terminal and elsewhere."""

import io
import logging
import threading
import time
from itertools import pairwise

import pytest
from rich.console import Console

from pipeline import progress
from pipeline.progress import ConsoleHandler, shown


def console(is_terminal):
    return Console(file=io.StringIO(), force_terminal=is_terminal, width=20, soft_wrap=not is_terminal)


def test_on_a_terminal_the_line_changes_and_is_gone_at_the_end():
    screen, counted = console(True), iter(range(1000))
    with shown(lambda: f"frame {next(counted)} of very very many", screen):
        time.sleep(0.6)
    said = screen.file.getvalue()
    assert "frame 1 of" in said
    assert "frame 2 of" in said
    assert "many" not in said  # one line, however narrow the terminal is
    assert said.endswith("\x1b[1A\x1b[2K")


def test_elsewhere_there_are_plain_lines_and_fewer_of_them_with_time(monkeypatch):
    monkeypatch.setattr(progress, "FIRST_S", 0.05)
    file, said_s, enough = console(False), [], threading.Event()

    def line():
        said_s.append(time.monotonic())
        if len(said_s) == 9:
            enough.set()
        return "a line that is longer than the width"

    with shown(line, file):
        assert enough.wait(20.0)
    assert set(file.file.getvalue().splitlines()) == {"a line that is longer than the width"}
    gaps_s = [after - before for before, after in pairwise(said_s)]
    lasted_s = [before - said_s[0] for before in said_s[:-1]]
    assert all(gap > 0.99 * max(0.05, lasted / 3) for gap, lasted in zip(gaps_s, lasted_s, strict=True))


@pytest.mark.parametrize("is_terminal", [True, False])
def test_what_fails_inside_ends_it(is_terminal):
    with pytest.raises(KeyError), shown(lambda: "line", console(is_terminal)):
        raise KeyError


def test_the_log_goes_to_the_same_console():
    screen = console(False)
    record = logging.LogRecord("any", logging.WARNING, "", 0, "%s [brackets]", ("with",), None)
    ConsoleHandler(screen).emit(record)
    assert screen.file.getvalue() == "with [brackets]\n"
