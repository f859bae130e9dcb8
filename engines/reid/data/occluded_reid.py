"""Occluded-REID: 200 people, five pictures partly hidden and five whole. It only tests: train on Market-1501.

Not checked against another reader.
"""

from __future__ import annotations

from configs.build import InputError
from engines.reid.data._halves import HALVES, HIDDEN, WHOLE, half
from engines.reid.data._records import DataSet, Record, Trial, single_query

LAYOUT = f"the folder Occluded_REID, with {', '.join(HALVES)}"


class OccludedReid(DataSet):
    """Whoever is hidden is looked for among those who are whole."""

    def train(self) -> tuple[Record, ...]:
        half(self.folder, WHOLE, LAYOUT)
        raise InputError(f"{self.folder}: Occluded-REID only tests; train on another set, like market1501")

    def trial(self, protocol: str) -> Trial:
        return single_query(*(half(self.folder, name, LAYOUT) for name in (HIDDEN, WHOLE)))
