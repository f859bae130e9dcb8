"""Kills runs once each at a random moment and lets them go on, as tests/faults does with fewer:

python benchmarks/kills.py [--runs N] [--windows]

Says whether every one of them then holds the bytes of an undisturbed run, and how soon each went on: from the start of
its process to the first new byte in its log, or its end. With --windows it kills instead where strace says: at each
write, sync, truncation and unlink of the store and of the log in two cuts in the middle of a run.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "faults")]

from crowded import conduct, kill, started  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402
from test_kills import FEW, SETS, counted, in_two_cuts, killed_at, restart, same  # noqa: E402

FRAMES = 1300
EXECUTORS = ("inline", "threads", "processes")


def main() -> None:
    """Kill, go on, compare, and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--windows", action="store_true")
    given = parser.parse_args()
    with TemporaryDirectory() as folder:
        if given.windows:
            raise SystemExit(windows(Path(folder)))
        runs = given.runs
        whole = Path(folder) / "whole"
        conduct(whole, FRAMES)
        expected = (whole / "events.jsonl").read_bytes()
        seen: Counter[str] = Counter()
        took = sorted(killed(Path(folder) / str(number), number, expected, seen) for number in range(runs))
    table = Table("runs", "same bytes", "went on after, s: median", "p95", "worst", title="Killed once")
    seconds = [f"{took[min(len(took) - 1, int(share * len(took)))]:.2f}" for share in (0.5, 0.95, 1.0)]
    table.add_row(str(runs), str(seen["same"]), *seconds)
    out = Console(width=110, highlight=False)
    out.print(table)
    out.print(f"load of the machine meanwhile: {os.getloadavg()[2]:.1f} (15 minutes)")
    if seen["same"] != runs:
        raise SystemExit(1)


def windows(folder: Path) -> int:
    """Killed at each call; gives 1 where any run holds something else afterwards."""
    conduct(folder / "whole", FEW)
    table, wrong = Table("calls of", "windows", "killed there", "same bytes", title="Killed at each call"), 0
    for of in SETS:
        (folder / of).mkdir()
        found = counted(folder / of / "run", of)
        numbers, there, right = in_two_cuts({of: found}, of, 1), 0, 0
        for number in numbers:
            out = folder / of / str(number) / "run"
            out.parent.mkdir()
            there += killed_at(out, of, number + 1)
            restart(out, FEW)
            right += same(out, folder / "whole")
        table.add_row(of, str(len(numbers)), str(there), str(right))
        wrong += len(numbers) - right
    Console(width=110, highlight=False).print(table)
    return int(wrong > 0)


def killed(out: Path, number: int, expected: bytes, seen: Counter[str]) -> float:
    """One run; gives how long it took to go on."""
    random_, events = random.Random(number), out / "events.jsonl"
    size = random_.random() * len(expected)
    first = started(out, FRAMES, EXECUTORS[number % 3])
    while first.poll() is None and not (events.exists() and events.stat().st_size >= size):
        time.sleep(0.001)
    time.sleep(random_.random() * 0.02)
    kill(first)
    before, began = events.stat().st_size if events.exists() else 0, time.perf_counter()
    second = started(out, FRAMES, EXECUTORS[number % 3])
    while second.poll() is None and not (events.exists() and events.stat().st_size > before):
        time.sleep(0.001)
    went_on_s = time.perf_counter() - began
    second.communicate()
    seen["same" if events.read_bytes() == expected else "other"] += 1
    return went_on_s


if __name__ == "__main__":
    main()
