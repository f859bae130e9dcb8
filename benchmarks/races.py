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
Spent = list[list[float]]  # of it, and of what is beside it: ms by the clock, and of the processor
QUIET = {"YOLO_AUTOINSTALL": "false", "YOLO_OFFLINE": "true"}


@dataclass
class Contestant:
    """Who takes part, in which environment; the first of a race is ours."""

    name: str
    kind: str  # a function of contestants.py
    environment: str
    job: Mapping[str, Any]
    beside: str = ""  # what takes turns with it, batch by batch, in its process
    spent_ms: dict[int, list[Spent]] = field(default_factory=dict)  # by the batch, of each round
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
    for one in there:
        same = course.agrees(there[0].answers, one.answers) if any(one.answers) else ""
        shares = [share(one, which) if one.beside else "" for which in (CLOCK, PROCESSOR)]
        print(f"| {one.name} | {times(one, 0)} | {' | '.join(shares)} | {same} |")
        if one.beside:
            print(f"| {one.beside} | {times(one, 1)} | | | |")
    print()


def times(one: Contestant, place: int) -> str:
    """Median ms by the clock, for each batch: of it, or of what is beside it."""
    return ", ".join(
        f"{median(spent[place][CLOCK] for spent in rounds):.2f}" for rounds in one.spent_ms.values()
    )


def share(one: Contestant, which: int) -> str:
    """How many times as long it takes as what is beside it, median of the rounds, for each batch."""
    every = [[own[which] / other[which] for own, other in rounds] for rounds in one.spent_ms.values()]
    return ", ".join(f"{median(shares):.2f}" for shares in every)
