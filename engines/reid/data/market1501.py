"""Market-1501. Whoever is -1 in it is nobody and never looked at; 0 are distractors, who stay in the gallery.

Checked against Torchreid's reader.
"""

from __future__ import annotations

from engines.reid.data._named import FOLDERS, named
from engines.reid.data._records import DataSet, Record, Trial, relabelled, single_query

LAYOUT = f"the folder Market-1501-v15.09.15, with {', '.join(FOLDERS)}"
CAMERAS = 6


class Market1501(DataSet):
    """Six cameras, one query of each person by each."""

    def train(self) -> tuple[Record, ...]:
        folder, _, _ = (self.folder / name for name in FOLDERS)
        return relabelled(named(folder, LAYOUT, CAMERAS), folder)

    def trial(self, protocol: str) -> Trial:
        _, query, gallery = (self.folder / name for name in FOLDERS)
        return single_query(named(query, LAYOUT, CAMERAS), named(gallery, LAYOUT, CAMERAS))
