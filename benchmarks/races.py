"""Lets contestants take turns, each in a process of its own in whatever environment has it, and prints their times."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from tempfile import TemporaryFile
from typing import Any

ROOT = Path(__file__).parents[1]
CLOCK, PROCESSOR = 0, 1
QUIET = {"YOLO_AUTOINSTALL": "false", "YOLO_OFFLINE": "true"}


@dataclass
class Contestant:
    """Who takes part, in which environment; the first of a race is ours."""

    name: str
    kind: str  # a function of contestants.py
    environment: str
    job: Mapping[str, Any]
    beside: str = ""  # the name of the bare runtime that it is measured against
    spent_ms: dict[int, list[list[float]]] = field(default_factory=dict)  # by the clock, of the processor
    answers: list[Any] = field(default_factory=list)
    process: Any = None
    said: Any = field(default_factory=TemporaryFile)

    def start(self) -> bool:
        """Make ready; false where its environment is missing, or it fails, which is said."""
        python = ROOT / self.environment / "bin" / "python"
        if not python.exists():
            print(f"{self.name}: left out, {self.environment} is not there; make it with: make judges\n")
            return False
        command = [python, ROOT / "benchmarks" / "contestants.py", self.kind, json.dumps(self.job)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": self.said}
        self.process = subprocess.Popen(command, text=True, env={**os.environ, **QUIET}, **pipes)
        line = self.process.stdout.readline()
        if not line:
            self.said.seek(0)
            print(f"{self.name}: left out, {self.said.read().decode().strip().splitlines()[-1]}\n")
            return False
        self.answers = json.loads(line)
        return True

    def run(self, most: int, counts: bool) -> None:
        """Take the time of everything once, in batches of `most`."""
        print(most, file=self.process.stdin, flush=True)
        spent_ms = json.loads(self.process.stdout.readline())
        if counts:
            self.spent_ms.setdefault(most, []).append(spent_ms)

    def stop(self) -> None:
        """End its process."""
        if self.process is not None:
            self.process.stdin.close()
            self.process.wait()


@dataclass(frozen=True)
class Course:
    """How often, in batches of how many, and how answers are compared with those of ours, the first."""

    rounds: int
    batches: tuple[int, ...]
    agrees: Callable[[Any, Any], str]


def race(title: str, contestants: Sequence[Contestant], course: Course) -> None:
    """Print what each takes for a picture, all in turn, and whether it says what the first does."""
    there = [one for one in contestants if one.start()]
    for most in course.batches:
        for number in range(course.rounds + 1):
            turn = number % len(there)
            for one in there[turn:] + there[:turn]:
                one.run(most, counts=number > 0)  # the first warms up
    for one in there:
        one.stop()
    batches = ", ".join(map(str, course.batches))
    heads = f"ms, in batches of {batches}", "by the clock", "by the processor", "says the same"
    print(f"### {title}\n\n| a picture | {' | '.join(heads)} |\n|---|---|---|---|---|")
    by_name = {one.name: one for one in there}
    for one in there:
        times = ", ".join(f"{median(ms for ms, _ in rounds):.1f}" for rounds in one.spent_ms.values())
        bare = by_name.get(one.beside)
        shares = [share(one, bare, which) if bare else "" for which in (CLOCK, PROCESSOR)]
        same = course.agrees(there[0].answers, one.answers) if any(one.answers) else ""
        print(f"| {one.name} | {times} | {' | '.join(shares)} | {same} |")
    print()


def share(one: Contestant, other: Contestant, which: int) -> str:
    """How many times as long it takes as another, median of the rounds, for each batch."""
    pairs = [zip(mine, other.spent_ms[most], strict=True) for most, mine in one.spent_ms.items()]
    return ", ".join(f"{median(a[which] / b[which] for a, b in pair):.2f}" for pair in pairs)
