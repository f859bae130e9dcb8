"""Occluded-Duke: DukeMTMC-reID as its authors' lists part it, so that whoever is asked for is partly hidden.

Checked against Torchreid's reader of DukeMTMC-reID, whose layout this is.
"""

from __future__ import annotations

from engines.reid.data._named import FOLDERS, named
from engines.reid.data._records import DataSet, Record, Trial, relabelled, single_query

LAYOUT = f"the folder Occluded_Duke, with {', '.join(FOLDERS)}"
CAMERAS = 8


class OccludedDuke(DataSet):
    """Eight cameras; names are like 0019_c1_f0051230.jpg."""

    def train(self) -> tuple[Record, ...]:
        folder, _, _ = (self.folder / name for name in FOLDERS)
        return relabelled(named(folder, LAYOUT, CAMERAS), folder)

    def trial(self, protocol: str) -> Trial:
        _, query, gallery = (self.folder / name for name in FOLDERS)
        return single_query(named(query, LAYOUT, CAMERAS), named(gallery, LAYOUT, CAMERAS))
