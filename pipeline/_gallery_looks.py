"""What everybody in a gallery looks like, in memory while it is open; and who is most like what is asked for. Whoever
is erased meanwhile is gone from it at the next look.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline._blocks import Block, Blocks, Key, Vectors
from pipeline._store_file import StoreError
from pipeline.vault import OVERHEAD, Vault

FEW = 256  # sightings: so many are put in order before anybody asks for more
MANY = 64  # places: of so many all rows are gone through, not those that a list names
NOBODY = ("", "")
SHOWN = " shown"  # ends the name of what says of which parts looks are sums, see _store_states.py
Vector = NDArray[np.float32]
Visibility = NDArray[np.float32]  # (parts,), of 0 to 1
Ranked = tuple[NDArray[np.intp], NDArray[np.float32]]  # rows, best first, and their scores


class GalleryLooks:
    """Of the sightings in a store: vectors of length 1."""

    def __init__(self, path: Path, db: sqlite3.Connection, vault: Vault) -> None:
        self._path, self._db, self._vault = path, db, vault
        self._stored = Blocks(db, vault)
        self._blocks: dict[str, Block] = {}  # by place; rows of the line below
        self._looks: Vectors = np.empty((0, 0), np.float32)
        self._whose: list[Key] = []  # by row
        self._loose: set[str] = set()  # places that were opened one by one
        self._version = -1

    def __len__(self) -> int:
        return len(self._whose)

    def close(self) -> None:
        """Leave nothing in memory of what anybody looked like."""
        self._looks.fill(0)

    def kinds(self) -> list[str]:
        """Of which there are, or were, any."""
        return self._stored.kinds()

    def look(self, kind: str) -> None:
        """Read what everybody looks like, or what of it has changed."""
        (version,) = self._db.execute("PRAGMA data_version").fetchone()
        if version == self._version:
            return
        self._version = version
        with _moment(self._db):
            turns = self._stored.turns(kind)
            wanted = {
                place: turn
                for place, turn in turns.items()
                if place not in self._blocks or self._blocks[place].turn != turn
            }
            if not wanted and turns.keys() == self._blocks.keys():
                return
            read = dict(self._stored.opened(kind, wanted))
            loose = {place: turn for place, turn in wanted.items() if place not in read}
            read |= self._opened(kind, loose)
        self._loose = (self._loose - wanted.keys()) | loose.keys()
        self._take(kind, {place: read.get(place) or self._blocks[place] for place in turns}, read)

    def keep(self, kind: str) -> None:
        """Seal what had to be opened one by one, so that the next search need not."""
        whole = [place for place in self._loose if NOBODY not in self._blocks[place].whose]
        self._loose.clear()
        self._stored.keep(kind, {place: self._blocks[place] for place in whole})

    def like(self, vector: Vector, visibility: Visibility | None) -> Iterator[tuple[str, str, float]]:
        """The sightings most like a unit vector, best first: identity, tracklet, cosine. Where visibility is said it is
        DPM's score, of what shows (engines/index/masked.py): first of the best by their cosine, then of all others.
        """
        if not self._whose:
            return
        if visibility is None or len(visibility) == 1:
            ordered = _best_first(self._looks @ vector)
        else:
            ordered = self._masked(vector, visibility)
        for rows, scores in ordered:
            for row, score in zip(rows.tolist(), scores.tolist(), strict=True):
                if self._whose[row] != NOBODY:
                    yield (*self._whose[row], round(score, 4))

    def _masked(self, vector: Vector, visibility: Visibility) -> Iterator[Ranked]:
        from engines.index.masked import (
            SHORTLIST,
            best,
            masked_cosines,
        )  # compiled: late, few models say what shows

        found = best(vector[None], visibility[None], self._looks, min(SHORTLIST, len(self._whose)))
        yield found.rows[0], found.scores[0].astype(np.float32)
        others = np.delete(np.arange(len(self._whose)), found.rows[0])
        scores = masked_cosines(vector[None], visibility[None], self._looks[others])[0]
        order = np.argsort(-scores, kind="stable")
        yield others[order], scores[order]

    def _take(self, kind: str, blocks: Mapping[str, Block], read: Mapping[str, Block]) -> None:
        """These are all there are. Nothing is copied but to where it stays, and what was read is overwritten."""
        lengths = {block.looks.shape[1] for block in blocks.values() if block.whose}
        self._check(kind, lengths)
        count = sum(len(block.whose) for block in blocks.values())
        looks = np.empty((count, max(lengths, default=0)), np.float32)
        made, end = {}, 0
        for place, block in blocks.items():
            start, end = end, end + len(block.whose)
            if block.whose:
                looks[start:end] = block.looks
            made[place] = block._replace(looks=looks[start:end])
        self._looks.fill(0)
        for block in read.values():
            block.looks.fill(0)
        self._looks, self._blocks = looks, made
        self._whose = [one for block in made.values() for one in block.whose]

    def _opened(self, kind: str, places: Mapping[str, int]) -> dict[str, Block]:
        """Of these places, what is sealed of each sighting alone."""
        sealed = self._sealed(kind, places)
        whose, looks = self._unsealed(kind, sealed)
        if shown := self._sealed(kind + SHOWN, places):
            _as_means(whose, looks, *self._unsealed(kind + SHOWN, shown))
        looks /= np.maximum(np.sqrt(np.einsum("nd,nd->n", looks, looks)), 1e-9)[:, None]
        rows: dict[str, list[int]] = {place: [] for place in places}
        for n, (identity, _, _) in enumerate(sealed):
            rows[identity[-2:]].append(n)
        made = {
            place: Block(places[place], [whose[n] for n in some], looks[some]) for place, some in rows.items()
        }
        looks.fill(0)
        return made

    def _sealed(self, kind: str, places: Mapping[str, int]) -> list[tuple[str, str, bytes]]:
        """Identity, tracklet, and what is sealed."""
        query = (
            "SELECT identity, tracklet, sealed FROM vectors "
            "WHERE kind = ? AND identity >= 'P-' AND identity < 'P.' AND length(sealed) > ?"
        )
        if len(places) > MANY:
            return [row for row in self._db.execute(query, (kind, OVERHEAD)) if row[0][-2:] in places]
        query += f" AND substr(identity, -2) IN ({', '.join('?' * len(places))})"
        return self._db.execute(query, (kind, OVERHEAD, *places)).fetchall()

    def _unsealed(self, kind: str, sealed: Sequence[tuple[str, str, bytes]]) -> tuple[list[Key], Vectors]:
        """Whose it is and what it says, by row. Of who has been erased since there is nothing, and they are nobody."""
        lengths = {(len(one) - OVERHEAD) // 4 for _, _, one in sealed}
        self._check(kind, lengths)
        made = np.zeros((len(sealed), max(lengths, default=0)), np.float32)
        rows = (row.data.cast("B") for row in made)
        told = [(identity, one, f"vectors {tracklet} {kind}") for identity, tracklet, one in sealed]
        is_there = self._vault.opened_into(told, rows)
        return [row[:2] if there else NOBODY for row, there in zip(sealed, is_there, strict=True)], made

    def _check(self, kind: str, lengths: set[int]) -> None:
        if len(lengths) > 1:
            text = f"vectors of {kind} have several lengths, {sorted(lengths)}; search another --out"
            raise StoreError(f"{self._path}: {text}")


def _as_means(whose: Sequence[Key], looks: Vectors, owners: Sequence[Key], shown: Vectors) -> None:
    """What is a sum, each part of so much, becomes what Sighting.mean is."""
    rows, parts = {one: n for n, one in enumerate(whose)}, shown.shape[1] // 2
    there = [(rows[one], n) for n, one in enumerate(owners) if one != NOBODY and one in rows]
    of, told = np.array(there, int).reshape(-1, 2).T
    weights = np.maximum(shown[told, :parts], np.float32(1e-9))
    looks[of] /= np.repeat(weights, looks.shape[1] // parts, axis=1)


@contextmanager
def _moment(db: sqlite3.Connection) -> Iterator[None]:
    """What is read inside is of one moment."""
    db.execute("BEGIN")
    try:
        yield
    finally:
        db.execute("COMMIT")


def _best_first(cosines: NDArray[np.float32]) -> Iterator[Ranked]:
    """All rows, best first: a few, which mostly is all that is asked for, and then the others."""
    few = min(FEW, len(cosines))
    best = np.argpartition(-cosines, few - 1)[:few]
    best = best[np.lexsort((best, -cosines[best]))]
    yield best, cosines[best]
    others = np.delete(np.arange(len(cosines)), best)
    others = others[np.argsort(-cosines[others], kind="stable")]
    yield others, cosines[others]
