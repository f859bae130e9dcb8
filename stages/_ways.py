"""How people go from camera to camera where no floor says so: which way those go who leave one, and how long it takes.
Learned from decisions that were sure; to begin with nothing is known, and nothing said.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log, log2

import numpy as np

from pipeline.keyed import Keyed
from pipeline.messages import Identity, Sighting

SURE = 0.9  # decisions to learn from
DOUBT = 10.0  # so many ways must have been seen before they say as much as what is expected of any
MOST = 4.0  # evidence, for and against
ALL, ANY = "", -1
SPANS = 24  # of times; the last is an hour and more


class Ways(Keyed[int]):
    """Counts of ways by camera and camera and how long they took; and of how long everybody else had been gone."""

    def learn(self, one: Sighting, who: Identity, others: Sequence[Identity]) -> None:
        """Somebody came, who is this person and none of the others."""
        last = _last(who, one)
        if last is None or not is_unplaced(last, one):
            return
        gone, come, took = last.tracklet.camera_id, one.tracklet.camera_id, span(_passed_s(last, one))
        for way in ((gone, come, took), (gone, ALL, ANY), (ALL, come, ANY), (ALL, ALL, ANY)):
            self._count("went", *way)
        for other in others:
            if other is not who and (seen := _last(other, one)) is not None and is_unplaced(seen, one):
                self._count("gone", ALL, ALL, span(_passed_s(seen, one)))
                self._count("gone", ALL, ALL, ANY)

    def evidence(self, gone: str, come: str, passed_s: float) -> float:
        """For somebody who left a camera being who comes to another so much later."""
        took, every = span(passed_s), self._counted("went", ALL, ALL, ANY)
        if not every:
            return 0.0
        here = self._counted("went", ALL, come, ANY) / every
        # unseen times are possible, so that nothing is excluded by having been learned from few
        spans = (self._counted("gone", ALL, ALL, took) + 1) / (self._counted("gone", ALL, ALL, ANY) + SPANS)
        expected = max(here, 1 / (every + 1)) * spans
        went = self._counted("went", gone, come, took) + DOUBT * expected
        share = went / (self._counted("went", gone, ALL, ANY) + DOUBT)
        return min(max(round(log(share / expected), 5), -MOST), MOST)

    def _count(self, *of: str | int) -> None:
        self.put(_key(*of), self._counted(*of) + 1)

    def _counted(self, *of: str | int) -> int:
        return self.get(_key(*of)) or 0


def span(passed_s: float) -> int:
    """Times that are told apart: each span is longer by two fifths than the one before."""
    return min(int(2 * log2(1 + max(passed_s, 0.0))), SPANS - 1)


def is_unplaced(gone: Sighting, come: Sighting) -> bool:
    """Whether two cameras saw them of which no common floor says how far they are from each other."""
    a, b = gone.tracklet, come.tracklet
    if a.camera_id == b.camera_id:
        return False
    return a.floor_frame != b.floor_frame or bool(np.isnan([*a.floor_m, *b.entered_floor_m]).any())


def _last(who: Identity, before: Sighting) -> Sighting | None:
    """The last of them that was over when the other began."""
    opened_ns = before.tracklet.opened_ns
    over = (one for one in who.sightings if one.tracklet.seen_ns <= opened_ns)
    return max(over, key=lambda one: one.tracklet.seen_ns, default=None)


def _passed_s(gone: Sighting, come: Sighting) -> float:
    return (come.tracklet.opened_ns - gone.tracklet.seen_ns) / 1e9


def _key(*of: str | int) -> str:
    return "\n".join(map(str, of))
