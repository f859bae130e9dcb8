"""Starts from nothing: the latest record of everyone out of the compacted topic, and the events since."""

from __future__ import annotations

from pathlib import Path

from sightline_client._address import Address, parse
from sightline_client._files import Files
from sightline_client._kafka import STATE, Kafka, topics_of
from sightline_client._position import Position
from sightline_client.codec import decoded
from sightline_client.errors import SightlineError
from sightline_client.site import Person, Site
from sightline_client.subscription import Subscription

FAMILY = "identity"
FIRST_TRY = 2000  # events read back from the end; each state is sent right behind its event
AHEAD = 1000  # how far the states of some may be ahead of those of others: what is under way at once


def state(source: str | Path, *, backlog: str | Path | None = None, **options: str) -> Site:
    """Who is where, now. `subscribe(source, families="identity", start=site.position)` goes on from there.

    On Kafka it reads the topic of states and a little of the events; in a log, all of it. Of ZeroMQ it needs the run's
    log as `backlog`, and reads that.
    """
    address = parse(source, options)
    if address.kind == "kafka":
        return _of_topics(address)
    path = address.path if address.kind == "file" else backlog
    if path is None:
        raise SightlineError(
            f"{address.text}: ZeroMQ only says what comes next; give the run's log as backlog"
        )
    log = Files(Path(path), {FAMILY}, {}, follow=False)
    return _caught_up(Site(), Subscription(log, Position(), {FAMILY}))


def _of_topics(address: Address) -> Site:
    people = _records(address)
    reached: dict[str, int] = {}
    for one in people:
        reached[one.partitionkey] = max(reached.get(one.partitionkey, 0), one.sequence)
    events, back = Kafka(address, topics_of(address.site, {FAMILY}), {}, follow=False), FIRST_TRY
    while True:
        is_all = events.rewind(back)
        firsts = _firsts(events, set(reached))
        is_far_enough = all(
            firsts.get(key, last + 1) <= max(1, last - AHEAD) for key, last in reached.items()
        )
        if is_all or is_far_enough:
            events.rewind(back)
            return _caught_up(Site(people), Subscription(events, Position(), {FAMILY}))
        back *= 4


def _records(address: Address) -> list[Person]:
    """The latest of each identity."""
    topic = Kafka(address, [f"{address.site}.{STATE}"], {}, follow=False)
    people: dict[str, Person] = {}
    try:
        while not topic.has_ended:
            for record in topic.records(wait_s=0.5):
                key = (record.key or b"").decode(errors="replace")
                if not record.value:
                    people.pop(key, None)
                    continue
                try:
                    people[key] = decoded(record.value, Person)
                except SightlineError as error:
                    where = f"{record.topic}/{record.partition}: offset {record.offset}"
                    raise SightlineError(f"{where}: a state {error}") from error
    finally:
        topic.close()
    return list(people.values())


def _firsts(events: Kafka, keys: set[str]) -> dict[str, int]:
    """The first sequence of each key from where reading begins."""
    firsts: dict[str, int] = {}
    while keys - set(firsts) and not events.has_ended:
        for received in events.read(wait_s=0.5):
            if received.event is not None:
                firsts.setdefault(received.event.key, received.event.sequence)
    return firsts


def _caught_up(site: Site, events: Subscription) -> Site:
    with events:
        for event in events:
            site.apply(event)
    site.position = events.position
    return site
