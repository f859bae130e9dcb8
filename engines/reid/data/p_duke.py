"""P-DukeMTMC-reID: those of DukeMTMC-reID whom something hides in some pictures, who are whole in others.

unstated: its layout, which is that of several public readers, against none of which it is checked; and whether cameras
matter, of which those readers make one for the hidden and one for the whole, as is done here.
"""

from __future__ import annotations

from engines.reid.data._halves import HALVES, HIDDEN, WHOLE, half
from engines.reid.data._records import DataSet, Record, Trial, relabelled, single_query

TRAIN, TEST = "train/", "test/"
LAYOUT = f"the folder P-DukeMTMC-reid, with train and test, and in each {' and '.join(HALVES)}"


class PDuke(DataSet):
    """Whoever is hidden is looked for among those who are whole."""

    def train(self) -> tuple[Record, ...]:
        learnt = [one for name in HALVES for one in half(self.folder, name, LAYOUT, TRAIN)]
        return relabelled(learnt, self.folder / TRAIN)

    def trial(self, protocol: str) -> Trial:
        return single_query(*(half(self.folder, name, LAYOUT, TEST) for name in (HIDDEN, WHOLE)))
