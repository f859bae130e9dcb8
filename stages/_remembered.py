"""What is remembered of somebody: each tracklet with what it looked like, of the many those that differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pipeline.messages import Embedding, Sighting, are_hidden

Floats = NDArray[np.float32]


def looked(known: Sighting | None, embedding: Embedding) -> Sighting:
    """A sighting after one more embedding."""
    tracklet = replace(embedding.tracklet, crops=())
    kind = f"{embedding.model_id}/{embedding.modality}"
    looks, votes, shown = (
        (known.looks, known.votes, known.shown) if known else (np.empty(0, np.float32), 0, None)
    )
    if embedding.vector.size and (embedding.visibility is None or embedding.visibility.any()):
        more, shows = _weighed(embedding)
        looks, shown = (looks + more, _together(shown, shows, votes)) if votes else (more, shows)
        votes += 1
        if known:
            known.overwrite()  # nobody else has it: it began as a copy
    settled = known is not None and known.is_settled
    return Sighting(tracklet, looks, votes, kind, tracklet.phase != "closed", is_settled=settled, shown=shown)


def remembered(sightings: Sequence[Sighting], most: int) -> tuple[Sighting, ...]:
    """At most so many, in their order. What goes first has no looks, or is hidden beside another, or has those looks
    that are most like another's that stays; never what is open, the last that is over, or what an operator has settled,
    while there is anything else.
    """
    kept = list(sightings)
    while len(kept) > most:
        last = max(number for number, one in enumerate(kept) if number == 0 or not one.is_open)
        spare = [n for n, one in enumerate(kept) if n != last and not one.is_open and not one.is_settled]
        if not spare:
            return tuple(kept[-most:])
        likeness, hidden = _likeness(kept), are_hidden(kept)
        kept.pop(
            max(spare, key=lambda number: (not kept[number].votes, hidden[number], likeness[number], -number))
        )
    return tuple(kept)


def outlived(sightings: Sequence[Sighting], since_ns: float) -> tuple[list[Sighting], tuple[Sighting, ...]]:
    """Which began before that and are over, or have looks; and what is kept: of those that are open no looks."""
    old = [one for one in sightings if one.tracklet.opened_ns < since_ns and (one.votes or not one.is_open)]
    kept = (one.unlooked() if one in old else one for one in sightings if one.is_open or one not in old)
    return old, tuple(kept)


def _weighed(embedding: Embedding) -> tuple[Floats, Floats | None]:
    """Its vector, each part as far as it shows, so that what hides somebody counts for little; and how far that is."""
    shows = embedding.visibility
    if shows is None:
        return embedding.vector.copy(), None
    mask = np.repeat(shows, len(embedding.vector) // len(shows))
    return mask * embedding.vector, np.stack([shows, shows])


def _together(shown: Floats | None, shows: Floats | None, votes: int) -> Floats | None:
    """What has shown in so many looks and in one more. Looks of which nobody said how far they show did so wholly."""
    if shows is None:
        return shown
    before = np.stack([np.full_like(shows[0], votes), np.ones_like(shows[0])]) if shown is None else shown
    return np.stack([before[0] + shows[0], np.maximum(before[1], shows[1])])


def _likeness(sightings: Sequence[Sighting]) -> list[float]:
    """How like each is to the one that it is most like; those without looks are spared least."""
    alike = []
    for number, one in enumerate(sightings):
        others = [
            other
            for place, other in enumerate(sightings)
            if place != number
            and other.votes
            and (other.kind, len(other.looks)) == (one.kind, len(one.looks))
        ]
        # a sum for each pair: the last bits of a matrix product depend on its size
        cosines = [round(float(np.einsum("d,d->", one.vector, other.vector)), 5) for other in others]
        alike.append(max(cosines, default=-1.0) if one.votes else np.inf)
    return alike
