"""An operator's word on who is who: two identities are one person, or a tracklet is somebody else's. Done by whoever
asks where no run uses the store, else by the run that does, at its next cut.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Literal

from pipeline._asking import carried_out
from pipeline._store_commands import add_command, audit, commands
from pipeline._store_facts import REPLICA
from pipeline._store_file import FAULTS, NAME, StoreError, blamed, connect
from pipeline._store_writer import Base
from pipeline.commands import detail, done, request
from pipeline.erasure import people_in
from pipeline.events import Envelopes
from pipeline.keyed import Changes
from pipeline.messages import Command, Corrected, Identity
from pipeline.vault import Vault
from pipeline.wire import decode, encode

Kind = Literal["merge", "split"]
DONE = {"merge": "merged", "split": "split"}  # as the audit log says it
States = Mapping[str, Mapping[str, bytes]]  # by node and camera


def correct(folder: Path, kind: Kind, subject: str, other: str, within_s: float) -> tuple[str, ...]:
    """The names of those whom it is about, who it is from now on last. Raises StoreError where that cannot be: they are
    not known, or the run that uses the store has not done it in time.
    """
    path = folder / NAME
    if not path.exists():
        raise StoreError(f"{path}: is not there; name the folder of a run with --out")
    try:
        return _Correction(path, kind, subject, other).done(within_s)
    except FAULTS as error:
        raise blamed(path, error) from error


class _Correction:
    def __init__(self, path: Path, kind: Kind, subject: str, other: str) -> None:
        self._path, self._kind, self._subject, self._other = path, kind, subject, other
        self._number = 0  # of the command, once a run has been asked

    def done(self, within_s: float) -> tuple[str, ...]:
        late = {"merge": f"merged {self._subject} and {self._other}", "split": f"split {self._subject}"}[
            self._kind
        ]
        return carried_out(self._path, self._of_running, self._of_stopped, within_s, late)

    def _of_running(self) -> tuple[str, ...]:
        """Ask, and look whether it is done."""
        with closing(connect(self._path)) as db:
            if not self._number:
                self._number = add_command(db, self._kind, request(self._subject, self._other))
            if all(row.number != self._number for row in commands(db, is_taken=True)):
                return ()
            said = [entry for entry in audit(db) if entry.detail == detail(self._number)]
            if names := tuple(entry.subject for entry in said if entry.kind == DONE[self._kind]):
                return names
        raise StoreError(f"{self._path}: {self._why_not(())}")

    def _of_stopped(self) -> tuple[str, ...]:
        base = Base.opened(self._path, Vault)
        with closing(base):
            told = base.facts()
            if told and told[0].source == REPLICA:
                raise StoreError(f"{self._path}: is a replica; correct it where the site is written")
            states = base.states.read() if told else {}
            people = list(people_in(states))
            with base.transaction():
                number = self._number or add_command(base.db, self._kind, request(self._subject, self._other))
                last_ns = max((one.seen_ns for one in people), default=0)
                at_ns = last_ns if told is None or told[1].has_ended else told[1].at_ns
                command = Command(number, self._kind, self._subject, at_ns, self._other)
                corrected = Corrected.of(command, people)
                if told is None or corrected is None:
                    raise StoreError(f"{self._path}: {self._why_not(people)}")
                outcome = done(command, corrected.event)
                envelopes = Envelopes(told[2].provenance(told[0]), base.outbox.read()[0])
                base.outbox.add([corrected.event], envelopes)
                base.states.write((_changed(states, corrected),))
                base.outbox.share(dict.fromkeys(outcome.subjects, b""))  # told of anew when the run goes on
                base.record(outcome)
        return outcome.subjects

    def _why_not(self, people: tuple[Identity, ...] | list[Identity]) -> str:
        """Of a run at work it is not known who is there."""
        asked = (self._subject, self._other) if self._kind == "merge" else (self._subject,)
        unknown = [name for name in asked if people and all(name not in who.ids for who in people)]
        advice = "take the names from events, like P-01KDVDNA00...; who was not seen for long is forgotten by itself"
        if unknown:
            return f"knows nobody called {unknown[0]}; {advice}"
        if self._kind == "merge":
            if people:
                return f"{self._subject} and {self._other} are one person already; name two"
            return f"has not merged {self._subject} and {self._other}, who are one already, or not both known; {advice}"
        return (
            f"has not split {self._subject}: nobody called so is known of whom {self._other} is one of several "
            "tracklets; take both from one event, only the last of somebody's tracklets are remembered"
        )


def _changed(states: States, corrected: Corrected) -> dict[str, dict[str, bytes]]:
    """What becomes of the states in which these people are."""
    changed = dict[str, dict[str, bytes]]()
    for node, by_camera in states.items():
        for camera, state in by_camera.items():
            kept = {name: one for name, one in decode(state).items() if isinstance(one, Changes)}
            fields = {name: _replaced(one, corrected) for name, one in kept.items()}
            if fields := {name: one for name, one in fields.items() if one.put or one.deleted}:
                changed.setdefault(node, {})[camera] = encode(fields)
    return changed


def _replaced(kept: Changes[Any], corrected: Corrected) -> Changes[Any]:
    put: dict[str | int, Any] = {}
    names = {who.identity_id for who in corrected.put} | {*corrected.gone}
    if any(isinstance(one, Identity) and key in names for key, one in kept.put.items()):
        put |= {who.identity_id: who for who in corrected.put}
    whose = corrected.whose
    put |= {
        key: whose[str(key)] for key, one in kept.put.items() if isinstance(one, str) and str(key) in whose
    }
    return Changes(put, tuple(key for key in kept.put if key in corrected.gone))
