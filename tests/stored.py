"""Stores for tests: states of every shape, a gallery, and a publisher that keeps what it gets."""

from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from builders import PROVENANCE, crop, tracklet

from pipeline._store_facts import Origin
from pipeline.cuts import Cut
from pipeline.events import Envelopes
from pipeline.keyed import Changes
from pipeline.messages import Identity, Sighting
from pipeline.publish._publisher import Publisher, Row, Unreachable
from pipeline.store import Keeping, Store
from pipeline.wire import encode

ORIGIN = Origin("site", "graph", "recording", "epoch")
VECTOR = np.arange(8, dtype=np.float32) + 0.125  # whose bytes are easily found


@dataclass
class Shelf(Publisher):
    """Keeps the rows that it gets; `away` says why it takes none."""

    rows: list[Row] = field(default_factory=list)
    away: str = ""
    most: int = 1000  # taken at once
    fails: str = ""

    def open(self, folder: Path, site: str) -> None:
        pass

    def send(self, rows: Sequence[Row]) -> int:
        if self.fails:
            raise OSError(self.fails)
        if self.away:
            raise Unreachable(self.away)
        self.rows += rows[: self.most]
        return len(rows[: self.most])

    def close(self) -> None:
        pass


@contextmanager
def stored(folder, publishers=None, origin=ORIGIN, keeping=Keeping(), positions=False):  # noqa: B008
    """A store that has begun, and what it went on from; closed as after a crash, unless it has been ended."""
    folder.mkdir(exist_ok=True)
    store = Store(folder, keeping)
    try:
        kept = store.restored(origin)
        store.begin(Envelopes(PROVENANCE, kept.sequences), publishers or {}, kept, positions)
        yield store, kept
    finally:
        store.close()


def cut(at_ns, **fields):
    """A cut with these fields of the one stage `match`."""
    return Cut(at_ns, {"match": {"": encode(fields)}})


def somebody(identity_id, *tracklet_ids, looks=VECTOR, shown=None):
    seen = [Sighting(tracklet("flat", one), looks, 2, "kind", shown=shown) for one in tracklet_ids]
    return Identity(identity_id, 1, tuple(seen))


def gallery(*people, deleted=()):
    return Changes({one.identity_id: one for one in people}, deleted)


def held(tracklet_id, at_ns=7):
    """A crop of a tracklet, as the stage of tracklets keeps it."""
    return Changes({tracklet_id: crop(np.full((3, 4, 3), 99, np.uint8), at_ns)})
