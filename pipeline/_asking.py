"""Has something done to a store: by whoever asks where no run uses it, else by the run that does."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pipeline._store_file import BusyError, StoreError, locked

POLL_S = 0.1
T = TypeVar("T")


def carried_out(
    path: Path, of_running: Callable[[], T | None], of_stopped: Callable[[], T], within_s: float, late: str
) -> T:
    """What came of it. `of_running` asks the run once, and gives nothing for as long as it has not done it; `late` is
    what has not been done by then.
    """
    until_s = time.monotonic() + within_s
    while True:
        try:
            lock = locked(path.parent)
        except BusyError:
            if found := of_running():
                return found
        else:
            try:
                return of_stopped()
            finally:
                os.close(lock)
        if time.monotonic() > until_s:
            raise StoreError(
                f"{path}: the run that uses it has not {late} within {within_s:g} s; it does so with its next frames, "
                "or when it is started again. To do it now, stop it and run this once more"
            )
        time.sleep(POLL_S)
