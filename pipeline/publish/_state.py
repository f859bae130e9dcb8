"""Says of an identity event whose state it changes, and to what: the records of the compacted topic, by which a
newcomer learns who is where without the history.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from configs.known import known
from pipeline.messages import Floor

STATE = "state"  # no event, but a record by identity for those who come later
STATE_SCHEMA = "sightline.identity-state.v1"
Known = Callable[[str], bytes | None]  # the record that an identity has so far, if it has one
Records = dict[str, bytes]  # by identity, in the order in which they are to be published; empty: it is gone


class Place(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where somebody was last seen."""

    time_ns: int
    camera_id: str
    tracklet_id: str
    modality: str
    floor: Floor | None = None
    height_m: float | None = None
    zones: tuple[str, ...] = ()


class IdentityState(msgspec.Struct, frozen=True, omit_defaults=True):
    """An identity after the event of this `sequence`; no `last` where its place turned out to be somebody else's."""

    identity_id: str
    state: str
    appeared_ns: int
    partitionkey: str
    sequence: int
    last: Place | None = None
    previous_ids: tuple[str, ...] = ()


class _Data(msgspec.Struct, rename={"from_ids": "from", "to_ids": "to"}):
    """What matters here of any event of the family."""

    captured_ns: int
    camera_id: str
    identity_id: str = ""
    state: str = ""
    tracklet_id: str = ""
    modality: str = ""
    floor: Floor | None = None
    height_m: float | None = None
    zones: tuple[str, ...] = ()
    previous_ids: tuple[str, ...] = ()
    from_ids: tuple[str, ...] = ()
    to_ids: tuple[str, ...] = ()
    tracklet_ids: tuple[str, ...] = ()
    effective_from_ns: int = 0


class _Event(msgspec.Struct):
    type: str
    sequence: str
    partitionkey: str
    data: _Data


def state_records(event: bytes, find: Known) -> Records:
    """What changes with one event of the family `identity`, given as `Envelopes.wrap` made it. Whoever calls keeps what
    comes: it is what `find` must find at the next event.
    """
    said = msgspec.json.decode(event, type=known(_Event))
    changes = _Changes(said, find)
    match said.type.split(".")[2]:
        case "appeared" | "observed" | "lost" | "reappeared":
            changes.put(changes.seen())
        case "expired":
            changes.remove([said.data.identity_id])
        case "merged":
            changes.merge()
        case "split":
            changes.split()
        case "erased":
            changes.remove(said.data.from_ids)
    return changes.made


class _Changes:
    def __init__(self, event: _Event, find: Known) -> None:
        self._event, self._data, self._find = event, event.data, find
        self.made: Records = {}

    def put(self, record: IdentityState) -> None:
        self.made[record.identity_id] = msgspec.json.encode(record)

    def remove(self, identity_ids: Iterable[str]) -> None:
        self.made |= dict.fromkeys(identity_ids, b"")

    def seen(self) -> IdentityState:
        data, before = self._data, self._known(self._data.identity_id)
        place = Place(
            data.captured_ns,
            data.camera_id,
            data.tracklet_id,
            data.modality,
            data.floor,
            data.height_m,
            data.zones,
        )
        appeared_ns = before.appeared_ns if before else data.captured_ns
        return self._record(data.identity_id, data.state, appeared_ns, place, data.previous_ids)

    def merge(self) -> None:
        """Where any of them was last; in view if any is. The record that goes on comes before those that go."""
        ids = list(dict.fromkeys((self._data.to_ids[0], *self._data.from_ids)))
        parts = [part for id in ids if (part := self._known(id)) is not None]
        if parts:
            own = {part.identity_id: part.previous_ids for part in parts}
            previous = [*own.get(ids[0], ()), *(p for id in ids[1:] for p in (id, *own.get(id, ())))]
            states = {part.state for part in parts} - {"lost"}
            state = "confirmed" if "confirmed" in states else min(states, default="lost")
            began_ns = min(part.appeared_ns for part in parts)
            last = max(parts, key=_last_ns).last
            self.put(self._record(ids[0], state, began_ns, last, tuple(dict.fromkeys(previous))))
        self.remove(ids[1:])

    def split(self) -> None:
        """The last place goes with its tracklet; of whoever stays, the next event says where they are."""
        old_id, new_id = self._data.from_ids[0], self._data.to_ids[-1]
        if old_id == new_id:
            return
        old, new, moved = self._known(old_id), self._known(new_id), None
        if old is not None and old.last is not None and old.last.tracklet_id in self._data.tracklet_ids:
            moved = old.last
            self.put(self._record(old_id, old.state, old.appeared_ns, None, old.previous_ids))
        if new is None:
            state = old.state if old is not None else "tentative"
            self.put(self._record(new_id, state, self._data.effective_from_ns, moved, ()))
        elif moved is not None and moved.time_ns > _last_ns(new):
            self.put(self._record(new_id, new.state, new.appeared_ns, moved, new.previous_ids))

    def _known(self, identity_id: str) -> IdentityState | None:
        record = self._find(identity_id)
        return msgspec.json.decode(record, type=known(IdentityState)) if record else None

    def _record(
        self, id: str, state: str, appeared_ns: int, last: Place | None, previous: tuple[str, ...]
    ) -> IdentityState:
        key, sequence = self._event.partitionkey, int(self._event.sequence)
        return IdentityState(id, state, appeared_ns, key, sequence, last, previous)


def state_schema() -> dict[str, Any]:
    """The JSON Schema of a record, but for its dialect and name."""
    (made,), parts = msgspec.json.schema_components([IdentityState], ref_template="#/$defs/{name}")
    body = parts.pop(made["$ref"].rsplit("/", 1)[1])
    return {**body, "$defs": parts}


def _last_ns(record: IdentityState) -> int:
    return record.last.time_ns if record.last is not None else -(2**63)
