"""The events of a Sightline site, for programs that want to know who is where."""

from sightline_client._counting import Gap
from sightline_client._position import Position
from sightline_client.codec import decode, encode
from sightline_client.errors import SightlineError
from sightline_client.events import (
    CorrectionEvent,
    Event,
    Floor,
    IdentityEvent,
    Match,
    SystemEvent,
    TrackletEvent,
    UnknownEvent,
)
from sightline_client.newcomer import state
from sightline_client.opening import subscribe
from sightline_client.site import Person, Place, Site
from sightline_client.subscription import Subscription

__all__ = [
    "CorrectionEvent",
    "Event",
    "Floor",
    "Gap",
    "IdentityEvent",
    "Match",
    "Person",
    "Place",
    "Position",
    "SightlineError",
    "Site",
    "Subscription",
    "SystemEvent",
    "TrackletEvent",
    "UnknownEvent",
    "decode",
    "encode",
    "state",
    "subscribe",
]
