"""Which events somebody asked for."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sightline_client.events import CorrectionEvent, Event, IdentityEvent

from configs.build import InputError

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
AGO = re.compile(r"(?P<count>[0-9]{1,6})(?P<unit>[smhd])")


@dataclass(frozen=True)
class Wanted:
    """Empty is everything."""

    types: Collection[str] = ()
    cameras: Collection[str] = ()
    identities: Collection[str] = ()
    since_ns: int = -(2**63)

    def includes(self, event: Event) -> bool:
        """Whether it is of one of each that was asked for."""
        return (
            event.time_ns >= self.since_ns
            and (not self.types or not _names(event).isdisjoint(self.types))
            and (not self.cameras or getattr(event, "camera_id", "") in self.cameras)
            and (not self.identities or not _identities(event).isdisjoint(self.identities))
        )


def since_ns(text: str, now: datetime) -> int:
    """A moment in nanoseconds since 1970; raises InputError for what is none."""
    if not text:
        return Wanted.since_ns
    if ago := AGO.fullmatch(text):
        moment = now - timedelta(**{UNITS[ago["unit"]]: int(ago["count"])})
    else:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise InputError(f"--since: must be like 10m, 2h or 2026-01-31T12:00, got {text!r}") from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return int(moment.timestamp()) * 1_000_000_000


def _names(event: Event) -> set[str]:
    return {event.type, event.family, event.kind, f"{event.family}.{event.kind}"}


def _identities(event: Event) -> set[str]:
    match event:
        case IdentityEvent():
            return {event.identity_id, *event.previous_ids}
        case CorrectionEvent():
            return {*event.from_ids, *event.to_ids}
    return set()
