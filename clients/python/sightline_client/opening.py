"""Opens a source by its address."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Literal

from sightline_client._address import Address, parse
from sightline_client._counting import Gap
from sightline_client._files import Files
from sightline_client._kafka import TOPICS, Kafka, topics_of
from sightline_client._position import Position, load
from sightline_client._source import Source
from sightline_client._zmq import Zmq
from sightline_client.errors import SightlineError
from sightline_client.subscription import Subscription

FAMILIES = tuple(TOPICS)


def subscribe(  # noqa: PLR0913
    source: str | Path,
    *,
    families: str | Collection[str] = FAMILIES,
    start: Literal["beginning", "end"] | Position = "beginning",
    follow: bool = True,
    position: str | Path | None = None,
    backlog: str | Path | None = None,
    on_gap: Callable[[Gap], None] | None = None,
    skip_damaged: bool = False,
    idle_s: float | None = None,
    **options: str,
) -> Subscription:
    """The events of a site, each once: an iterator that waits for the next.

    `source` is kafka://HOST:PORT/SITE, zmq://HOST:PORT, or a run's folder or log; `options` are those of its address.
    The file `position` keeps where the loop stopped; without it, or before it is there, `start` says where to begin.
    Without `follow` the loop ends with what is there now, with `idle_s` when nothing came for so long. `backlog` is
    the log of the run that ZeroMQ is heard of.
    """
    wanted = _families(families)
    kept = Path(position) if position is not None else None
    saved = load(kept) if kept is not None else None
    begin = saved or (start if isinstance(start, Position) else Position())
    opened = _opened(parse(source, options), wanted, begin, follow, backlog)
    if start == "end" and saved is None:
        opened.skip()
    made = Subscription(opened, begin, wanted, kept)
    made.on_gap, made.skip_damaged, made.idle_s = on_gap, skip_damaged, idle_s
    return made


def _opened(
    address: Address, families: frozenset[str], begin: Position, follow: bool, backlog: str | Path | None
) -> Source:
    if backlog is not None and address.kind != "zmq":
        raise SightlineError(f"{address.text}: backlog is for zmq://; leave it out")
    if address.kind == "file":
        return Files(address.path, families, begin.places, follow)
    if address.kind == "kafka":
        return Kafka(address, topics_of(address.site, families), begin.places, follow)
    if not follow:
        raise SightlineError(
            f"{address.text}: ZeroMQ only says what comes next; follow it, or read the run's log"
        )
    log = Files(Path(backlog), families, begin.places, follow=True) if backlog is not None else None
    return Zmq(address, families, log)


def _families(asked: str | Collection[str]) -> frozenset[str]:
    families = frozenset([asked] if isinstance(asked, str) else asked)
    if not families or families - set(FAMILIES):
        unknown = ", ".join(sorted(families - set(FAMILIES))) or "nothing"
        raise SightlineError(f"families: must be some of {', '.join(FAMILIES)}, got {unknown}")
    return families
