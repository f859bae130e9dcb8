"""Whether tracklets can be looked at as often as whoever decides about them waits for."""

from __future__ import annotations

from collections.abc import Iterable

from stages.tracklet import Collect


def check_votes(votes: int, before: Iterable[object]) -> None:
    """Raise ValueError where a stage `before` gives fewer crops of a tracklet: nobody would ever be new."""
    most = min((stage.max_crops for stage in before if isinstance(stage, Collect)), default=votes)
    if most < votes:
        raise ValueError(
            f"votes is {votes}, but a tracklet has {most} crops at most (its stage's max_crops), so that nobody would "
            "ever be new; lower votes or raise max_crops"
        )
