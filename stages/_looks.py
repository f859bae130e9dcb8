"""What tracklets of one kind of vectors look like: as bits, to find whose are most like another; and how like."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pipeline.keyed import Key
from pipeline.messages import Sighting

if TYPE_CHECKING:
    from engines.index.sketches import Sketches

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]


class Looks:
    """By tracklet, and whose it is. Bits are made when somebody asks: most that is put is soon put anew."""

    def __init__(self) -> None:
        self._sketches: Sketches | None = None
        self._rows: dict[str, int] = {}  # by tracklet
        self._whose: list[Key] = []  # by row
        self._free: list[int] = []
        self._new: dict[str, Sighting] = {}  # by tracklet; they have a row, but no bits

    def put(self, whose: Key, one: Sighting) -> None:
        """This tracklet is this person's, and looks like this."""
        tracklet_id = one.tracklet.tracklet_id
        row = self._rows.get(tracklet_id)
        if row is None and self._free:
            row = self._rows[tracklet_id] = self._free.pop()
        if row is None:
            self._rows[tracklet_id] = len(self._whose)
            self._whose.append(whose)
        else:
            self._whose[row] = whose
        self._new[tracklet_id] = one

    def remove(self, whose: Key, tracklet_id: str) -> None:
        """Leave nothing of it, if it is still this person's."""
        row = self._rows.get(tracklet_id, -1)
        if row < 0 or self._whose[row] != whose:
            return
        del self._rows[tracklet_id]
        self._new.pop(tracklet_id, None)
        self._whose[row] = ""
        self._free.append(row)
        if self._sketches is not None:
            self._sketches.remove(np.array([row]))

    def near(self, sightings: Sequence[Sighting], least: int) -> list[set[Key]]:
        """For each of these whose so many tracklets are that look most like it."""
        if not sightings:
            return []
        from engines.index.sketches import Sketches  # compiled: late, since few sites have so many people

        if self._sketches is None:
            self._sketches = Sketches(len(sightings[0].looks))
        if self._new:
            rows = np.array([self._rows[id] for id in self._new])
            self._sketches.put(rows, self._sketches.of(np.stack([one.mean for one in self._new.values()])))
            self._new = {}
        asked = self._sketches.of(np.stack([one.mean for one in sightings]))
        if any(one.shown is not None for one in sightings):
            from engines.index.masked import SHORTLIST

            least = max(least, SHORTLIST)  # who is most like what shows is found among so many
        found, counts = self._sketches.near(asked, least)
        each = np.split(found, np.cumsum(counts)[:-1])
        return [{self._whose[row] for row in rows.tolist()} for rows in each]


def likeness(ours: Sequence[Sighting], theirs: Sequence[Sighting], masked_below: float) -> Doubles:
    """How like some tracklets look to others of the same kind, (n, m): cosines, where less than `masked_below` of one
    shows through what shows (see engines/index/masked.py).
    """
    shown, others_shown = _shown(ours), _shown(theirs)
    one, other = _of_length_1(ours, shown), _of_length_1(theirs, others_shown)
    # a sum for each pair: threads of a matrix product cost more, and its last bits depend on its size
    cosines: Doubles = np.round(np.einsum("id,jd->ij", one, other), 5).astype(np.float64)
    if shown.shape[2] == others_shown.shape[2] == 1 or not masked_below:
        return cosines
    from engines.index.masked import Shown, between  # compiled: late, since few embedders say what shows

    return between(Shown(one, shown[:, 1]), Shown(other, others_shown[:, 1]), cosines, masked_below)


def _shown(sightings: Sequence[Sighting]) -> Floats:
    """What has shown of each, (n, 2, parts); all of those of whom nobody said."""
    parts = max((one.shown.shape[1] for one in sightings if one.shown is not None), default=0)
    if not parts:
        return np.ones((len(sightings), 2, 1), np.float32)
    return np.stack(
        [np.ones((2, parts), np.float32) if one.shown is None else one.shown for one in sightings]
    )


def _of_length_1(sightings: Sequence[Sighting], shown: Floats) -> Floats:
    looks = np.stack([one.looks for one in sightings])
    if shown.shape[2] > 1:
        weights = np.maximum(shown[:, 0], np.float32(1e-9))
        looks = looks / np.repeat(weights, looks.shape[1] // weights.shape[1], axis=1)
    lengths = np.maximum(np.sqrt(np.einsum("id,id->i", looks, looks)), np.float32(1e-9))
    return np.asarray(looks / lengths[:, None], np.float32)
