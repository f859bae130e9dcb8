"""Who is where: what the identity events of a site come to, corrections applied."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import msgspec

from sightline_client._position import Position
from sightline_client.events import CorrectionEvent, Event, Floor, IdentityEvent, Int64


class Place(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Where somebody was last seen. Without `floor` that is known in the picture only."""

    time_ns: Int64
    camera_id: str
    tracklet_id: str
    modality: str
    floor: Floor | None = None
    height_m: float | None = None
    zones: tuple[str, ...] = ()


class Person(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One identity after the event of this `sequence`, the last that changed it: a record of the topic of states.

    `last` is None where the place that was known turned out to be somebody else's.
    """

    identity_id: str
    state: str  # tentative, confirmed, contested or lost
    appeared_ns: Int64
    partitionkey: str
    sequence: Annotated[int, msgspec.Meta(ge=1, le=10**18)]
    last: Place | None = None
    previous_ids: tuple[str, ...] = ()

    @property
    def is_lost(self) -> bool:
        return self.state == "lost"


class Site:
    """Everyone who is known, by identity. `position` is where `subscribe` goes on to keep it so."""

    def __init__(self, people: Iterable[Person] = ()) -> None:
        self.people: dict[str, Person] = {one.identity_id: one for one in people}
        self.position = Position()

    def person(self, identity_id: str) -> Person | None:
        """Whoever has this id, or had it before a merge; None for nobody, or somebody erased or forgotten."""
        found = self.people.get(identity_id)
        return found or next((one for one in self.people.values() if identity_id in one.previous_ids), None)

    @property
    def in_view(self) -> list[Person]:
        """Those who are not lost."""
        return [one for one in self.people.values() if not one.is_lost]

    def apply(self, event: Event) -> None:
        """What the event changes. One that somebody's record already holds does not change them again."""
        match event:
            case IdentityEvent(kind="expired"):
                self._remove(event, event.identity_id)
            case IdentityEvent():
                self._put(event, _seen(event, self.people.get(event.identity_id)))
            case CorrectionEvent(kind="merged") if event.to_ids:
                self._merge(event)
            case CorrectionEvent(kind="split") if event.from_ids and event.to_ids:
                self._split(event)
            case CorrectionEvent(kind="erased"):
                self._remove(event, *event.from_ids)

    def _merge(self, event: CorrectionEvent) -> None:
        ids = list(dict.fromkeys((event.to_ids[0], *event.from_ids)))
        known = [one for id in ids if (one := self._before(event, id)) is not None]
        if known:
            self._put(event, _joined(event, ids, known))
        self._remove(event, *ids[1:])

    def _split(self, event: CorrectionEvent) -> None:
        """The last place goes with its tracklet; of whoever stays, the next event says where they are."""
        old_id, new_id = event.from_ids[0], event.to_ids[-1]
        if old_id == new_id:
            return
        old, new = self._before(event, old_id), self.people.get(new_id)
        moved = (
            old.last if old is not None and old.last and old.last.tracklet_id in event.tracklet_ids else None
        )
        if old is not None and moved is not None:
            self._put(event, msgspec.structs.replace(old, last=None, sequence=event.sequence))
        if new is None:
            new = Person(
                identity_id=new_id,
                state=old.state if old is not None else "tentative",
                appeared_ns=event.effective_from_ns,
                partitionkey=event.key,
                sequence=event.sequence,
                last=moved,
            )
            self._put(event, new)
        elif moved is not None and moved.time_ns > _last_ns(new):
            self._put(event, msgspec.structs.replace(new, last=moved, sequence=event.sequence))

    def _put(self, event: Event, person: Person) -> None:
        if self._is_news(event, person.identity_id):
            self.people[person.identity_id] = person

    def _remove(self, event: Event, *identity_ids: str) -> None:
        for id in identity_ids:
            if self._is_news(event, id):
                self.people.pop(id, None)

    def _before(self, event: Event, identity_id: str) -> Person | None:
        """Somebody as they were before the event; a record that holds it already says nothing of that."""
        return self.people.get(identity_id) if self._is_news(event, identity_id) else None

    def _is_news(self, event: Event, identity_id: str) -> bool:
        known = self.people.get(identity_id)
        return known is None or known.partitionkey != event.key or known.sequence < event.sequence


def _seen(event: IdentityEvent, known: Person | None) -> Person:
    return Person(
        identity_id=event.identity_id,
        state=event.state,
        appeared_ns=known.appeared_ns if known is not None else event.captured_ns,
        partitionkey=event.key,
        sequence=event.sequence,
        last=Place(
            time_ns=event.captured_ns,
            camera_id=event.camera_id,
            tracklet_id=event.tracklet_id,
            modality=event.modality,
            floor=event.floor,
            height_m=event.height_m,
            zones=event.zones,
        ),
        previous_ids=event.previous_ids,
    )


def _joined(event: CorrectionEvent, ids: list[str], known: list[Person]) -> Person:
    """Several who are one: where any of them was last, and in view if any is."""
    states = {one.state for one in known} - {"lost"}
    own = {one.identity_id: one.previous_ids for one in known}
    previous = [*own.get(ids[0], ()), *(id for other in ids[1:] for id in (other, *own.get(other, ())))]
    return Person(
        identity_id=ids[0],
        state="confirmed" if "confirmed" in states else min(states, default="lost"),
        appeared_ns=min(one.appeared_ns for one in known),
        partitionkey=event.key,
        sequence=event.sequence,
        last=max(known, key=_last_ns).last,
        previous_ids=tuple(dict.fromkeys(previous)),
    )


def _last_ns(person: Person) -> int:
    return person.last.time_ns if person.last is not None else -(2**63)
