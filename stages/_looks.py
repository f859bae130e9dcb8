"""What tracklets of one kind of vectors look like, as bits, to find whose are most like another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from pipeline.keyed import Key
from pipeline.messages import Sighting

if TYPE_CHECKING:
    from engines.index.sketches import Sketches


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
            self._sketches.put(rows, self._sketches.of(np.stack([one.looks for one in self._new.values()])))
            self._new = {}
        asked = self._sketches.of(np.stack([one.looks for one in sightings]))
        found, counts = self._sketches.near(asked, least)
        each = np.split(found, np.cumsum(counts)[:-1])
        return [{self._whose[row] for row in rows.tolist()} for rows in each]
