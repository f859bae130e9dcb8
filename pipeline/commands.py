"""What a running graph is asked to do, on its way from the rows of a store to the stages and back. A stage is told at
a barrier, and the cut there says that it has been done: after a crash it is either done or asked for again.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import msgspec

from configs.known import known
from pipeline._store_commands import Asked
from pipeline.messages import Command, CorrectionEvent

Kind = Literal["erased", "merged", "split", "unknown", "refused"]  # of entries in the audit log
ERASED: Kind = "erased"


class Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a row says beside its kind, as JSON."""

    subject: str
    other: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one command: an entry of the audit log for each subject."""

    number: int
    at_ns: int
    kind: Kind
    subjects: tuple[str, ...]
    detail: str


class Commands:
    """Those of one run that are not in a cut yet. Any thread may call; all that ask for one moment get the same."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[Command] = []
        self._refused: list[Outcome] = []
        self._due: dict[int, tuple[Command, ...]] = {}  # by the time of the barrier at which stages are told
        self._decided_ns = -1  # what is asked for from now on is due later than this
        self._are_withheld = False

    def withhold(self) -> None:
        """Nothing from here reaches the stage that would do it: what is asked for waits for a run in which it does."""
        with self._lock:
            self._are_withheld = True

    def ask(self, rows: Iterable[Asked]) -> None:
        """These are to be done at the next barrier."""
        with self._lock:
            for row in rows:
                try:
                    body = msgspec.json.decode(row.body, type=known(Body))
                    said = {"number": row.number, "kind": row.kind, **msgspec.structs.asdict(body)}
                    self._waiting.append(msgspec.convert(said, known(Command)))
                except msgspec.DecodeError as error:
                    detail = f"command {row.number}, {row.kind}: {error}"
                    self._refused.append(Outcome(row.number, 0, "refused", ("",), detail))

    def at(self, at_ns: int) -> tuple[Command, ...]:
        """What stages do at the barrier there."""
        with self._lock:
            if at_ns > self._decided_ns:
                self._decided_ns = at_ns
                if self._waiting and not self._are_withheld:
                    self._due[at_ns] = tuple(replace(one, captured_ns=at_ns) for one in self._waiting)
                    self._waiting = []
            return self._due.get(at_ns, ())

    def done(self, at_ns: int, events: Sequence[Any]) -> list[Outcome]:
        """What became of those at this barrier, which has come out of the graph with these events."""
        due = self.at(at_ns)
        with self._lock:
            self._due.pop(at_ns, None)
            refused, self._refused = self._refused, []
        return [*(replace(one, at_ns=at_ns) for one in refused), *(_outcome(one, events) for one in due)]


def request(subject: str, other: str = "") -> bytes:
    """The body of a row that asks for something to be done to an identity."""
    return msgspec.json.encode(Body(subject, other))


def done(command: Command, event: CorrectionEvent) -> Outcome:
    """What came of it."""
    subjects = dict.fromkeys((*event.from_ids, *event.to_ids))
    return Outcome(command.number, command.captured_ns, event.kind, tuple(subjects), detail(command.number))


def detail(number: int) -> str:
    """What the audit log says of a command."""
    return f"command {number}"


def _outcome(command: Command, events: Sequence[Any]) -> Outcome:
    for event in events:
        if isinstance(event, CorrectionEvent) and event.captured_ns == command.captured_ns:
            is_erasure = command.kind == "erase" and event.kind == "erased"
            if (is_erasure and command.subject in event.from_ids) or event.evidence == command.evidence:
                return done(command, event)
    return Outcome(command.number, command.captured_ns, "unknown", (command.subject,), detail(command.number))
