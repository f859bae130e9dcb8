"""Tracklets whom cameras of a zone follow as one person: they do not vie for who that is, one speaks for all."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.messages import Sighting


def weighed_together(
    due: Sequence[Sighting], waiting: Sequence[Sighting]
) -> tuple[list[Sighting], list[Sighting]]:
    """Of those who wait, who is weighed at once: of one track of a zone, one, and one that is due if there is any. And
    the due ones that come after, when it is known whose the first is.
    """
    due_ids = {one.tracklet.tracklet_id for one in due}
    chosen: dict[str, Sighting] = {}
    for one in sorted(
        waiting, key=lambda one: one.tracklet.tracklet_id not in due_ids
    ):  # due ones first, as they come
        chosen.setdefault(one.tracklet.zone_track or one.tracklet.tracklet_id, one)
    together = {one.tracklet.tracklet_id for one in chosen.values()}
    return (
        [one for one in waiting if one.tracklet.tracklet_id in together],
        [one for one in due if one.tracklet.tracklet_id not in together],
    )
