"""What a store says of itself: whose it is, how far it has come, and what must be in it."""

from __future__ import annotations

import msgspec

from pipeline.events import Provenance
from pipeline.messages import CorrectionEvent

REPLICA = "replica"  # the source of what no run has seen itself


class Origin(msgspec.Struct, frozen=True):
    """Whose states and events a store holds; another one's are not mixed with them."""

    site: str
    graph: str  # a hash
    source: str  # a hash of the recordings, or "live"
    epoch: str  # what makes the ids of its events


class At(msgspec.Struct, frozen=True):
    """Where the last cut is, and how long the files were that hold what is no event."""

    at_ns: int = 0
    sources_ns: dict[str, int] = {}
    lengths: dict[str, int] = {}
    has_ended: bool = False


class Maker(msgspec.Struct, frozen=True):
    """What its events say of where they come from, for whoever adds one while nothing runs."""

    graph: str
    graph_sha256: str
    purpose: str
    retention_class: str
    corrects: str  # the node that says who was taken for whom

    @classmethod
    def of(cls, told: Provenance) -> Maker:
        node = told.producers.get(CorrectionEvent, "")
        return cls(told.graph, told.graph_sha256, told.purpose, told.retention_class, node)

    def provenance(self, origin: Origin) -> Provenance:
        producers: dict[type, str] = {CorrectionEvent: self.corrects} if self.corrects else {}
        return Provenance(
            origin.site,
            self.graph,
            origin.epoch,
            self.graph_sha256,
            self.purpose,
            self.retention_class,
            producers,
        )


class Counts(msgspec.Struct, frozen=True):
    """How many rows there are in tables of which none may be lost: a checksum is lost with its row."""

    states: int
    sequences: int
    publishers: int


Fact = Origin | At | Maker | Counts
