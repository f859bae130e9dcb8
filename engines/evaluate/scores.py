"""The three families of scores of a sequence together."""

from __future__ import annotations

from dataclasses import dataclass

from engines.evaluate.clear import Clear, clear
from engines.evaluate.hota import Hota, hota
from engines.evaluate.identity import Identity, identity
from engines.evaluate.sequence import MATCHED_FROM, Counts, Sequence


@dataclass(frozen=True, eq=False)
class Scores(Counts):
    """HOTA, CLEAR and identity scores; the sum of several is that of all their sequences."""

    hota: Hota
    clear: Clear
    identity: Identity


def scored(sequence: Sequence, from_similarity: float = MATCHED_FROM) -> Scores:
    """All scores of one sequence; HOTA has thresholds of its own."""
    return Scores(hota(sequence), clear(sequence, from_similarity), identity(sequence, from_similarity))
