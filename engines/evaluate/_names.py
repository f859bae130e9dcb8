"""By what name each row of a run goes: the identity of its tracklet, in a frame at most once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from engines.evaluate.run_folder import CameraRun
from engines.evaluate.sequence import Ids


def own_identities(run: CameraRun, identity_of: Mapping[str, str]) -> list[str]:
    """The identity of each row, empty where it has none of its own: its tracklet never got one, or an older tracklet
    has it in the same frame, and nobody is in two places.
    """
    frames = run.row_frames.tolist()
    identities = [identity_of.get(tracklet, "") for tracklet in run.tracklet_ids]
    first: dict[str, int] = {}
    for row, tracklet in enumerate(run.tracklet_ids):
        first.setdefault(tracklet, row)
    eldest: dict[tuple[int, str], int] = {}
    for row in sorted(range(len(run)), key=lambda row: first[run.tracklet_ids[row]]):
        eldest.setdefault((frames[row], identities[row]), row)
    return [name if eldest[frames[row], name] == row else "" for row, name in enumerate(identities)]


def numbers_of(names: Sequence[Sequence[str]]) -> list[Ids]:
    """The names of several cameras in one numbering, from 0."""
    known = {name: number for number, name in enumerate(sorted({name for one in names for name in one}))}
    return [np.array([known[name] for name in one], np.int64) for one in names]
