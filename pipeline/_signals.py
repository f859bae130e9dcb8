"""What Ctrl-C and SIGTERM do to a run."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from pipeline.run import Run

STOPS_WITHIN_S = 10.0
FINISHING = "finishing what is in flight; Ctrl-C again ends at once"


@contextmanager
def signals(run: Run, say: Callable[[str], None]) -> Iterator[None]:
    """The first Ctrl-C or SIGTERM lets what is in flight finish; a second one, or ten seconds, ends at once."""
    timer = threading.Timer(STOPS_WITHIN_S, os.kill, (os.getpid(), signal.SIGINT))
    timer.daemon = True
    # by a thread: this one may be in the middle of a word itself when the signal comes
    saying = threading.Thread(target=say, args=(FINISHING,))
    is_first = True

    def stop(_number: int, _frame: FrameType | None) -> None:
        nonlocal is_first
        if not is_first:
            raise KeyboardInterrupt
        is_first = False
        run.finish()
        saying.start()
        timer.start()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        timer.cancel()  # what follows the run, hashes of a recording, may take longer
        for number, handler in before.items():
            signal.signal(number, handler)
        if not is_first:
            saying.join()
