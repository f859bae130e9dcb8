"""A gallery that grows, merges, splits and forgets; what it says depends on all that it holds."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import ClassVar

import numpy as np
from builders import IDENTITY_EVENT

from pipeline.keyed import Keyed
from pipeline.messages import CorrectionEvent, Embedding, Identity, IdentityEvent, Sighting
from pipeline.stage import Memory, Stage


@dataclass
class Who(Stage[Embedding, IdentityEvent | CorrectionEvent]):
    """Every third person is the one before; every fifth correction is a split; who is old is forgotten."""

    memory: ClassVar[Memory] = Memory.SITE
    most: int = 40
    _people: Keyed[Identity] = field(default_factory=Keyed, init=False)
    _counts: Keyed[int] = field(default_factory=Keyed, init=False)

    def process(self, one: Embedding) -> Iterator[IdentityEvent | CorrectionEvent]:
        seen = one.tracklet
        id = f"P-{seen.tracklet_id[2:]}"
        who = self._people.get(id) or Identity(id, seen.seen_ns, ())
        looks = sum((other.looks for other in who.sightings), one.vector)
        now = replace(who, sightings=(Sighting(seen, looks, 1, "toy"),), seen_ns=seen.seen_ns)
        self._people.put(id, now)
        kind = "observed" if who.sightings else "appeared"
        yield replace(
            IDENTITY_EVENT, kind=kind, identity_id=id, tracklet_id=seen.tracklet_id, camera_id=seen.camera_id,
            captured_ns=seen.seen_ns, frame_index=seen.seen_ns // 40_000_000, previous_ids=(self._said(),),
        )  # fmt: skip
        if seen.phase == "closed":
            yield from self._corrected(now)

    def _corrected(self, who: Identity) -> Iterator[IdentityEvent | CorrectionEvent]:
        closed = (self._counts.get("closed") or 0) + 1
        self._counts.put("closed", closed)
        others = [other for other in self._people.values() if other.identity_id != who.identity_id]
        if closed % 3 == 0 and others:
            kind, other = ("split" if closed % 15 == 0 else "merged"), others[-1]
            self._people.delete(other.identity_id)
            yield CorrectionEvent(
                kind, who.sightings[0].tracklet.camera_id, who.seen_ns, (other.identity_id,), (who.identity_id,),
                other.appeared_ns, self._said(),
            )  # fmt: skip
        if len(self._people) > self.most:
            oldest = self._people.values()[0]
            self._people.delete(oldest.identity_id)
            yield replace(
                IDENTITY_EVENT, kind="expired", identity_id=oldest.identity_id, captured_ns=who.seen_ns,
                previous_ids=(self._said(),),
            )  # fmt: skip

    def _said(self) -> str:
        looks = [sighting.looks for who in self._people.values() for sighting in who.sightings[-1:]]
        return blake2b(np.concatenate(looks).tobytes(), digest_size=8).hexdigest()
