"""Shows that a run lives: a line that changes on a terminal; elsewhere a plain one now and then, the rarer the longer
the run has lasted.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.text import Text

FIRST_S, MOST_S = 10.0, 600.0  # without a terminal: before the first line, and at most between two


@contextmanager
def shown(line: Callable[[], str], console: Console) -> Iterator[None]:
    """While inside, `line()` is on the console; it is called from another thread."""
    if console.is_interactive:
        text = lambda: Text(line(), style="dim", no_wrap=True, overflow="ellipsis")  # noqa: E731
        with Live(get_renderable=text, console=console, transient=True, refresh_per_second=4):
            yield
        return
    ended = threading.Event()
    thread = threading.Thread(target=_say, args=(line, console, ended), daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


class ConsoleHandler(logging.Handler):
    """Writes the log to a console, above the line that is shown there."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        self._console.print(self.format(record), markup=False)


def _say(line: Callable[[], str], console: Console, ended: threading.Event) -> None:
    began, wait_s = time.monotonic(), FIRST_S
    while not ended.wait(wait_s):
        console.print(line(), markup=False)
        wait_s = min(MOST_S, max(FIRST_S, (time.monotonic() - began) / 3))
