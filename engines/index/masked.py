"""Compares people of whom only part shows: a mask of whoever asks is laid over those who are asked about.

A vector comes with its visibility, (parts,) of 0 to 1: how far each part of it is to be trusted, a part being as many
numbers one after the other as there are numbers by parts. The score of a query q with mask m and somebody g is the
cosine of q and m * g (DPM, Tan et al. 2022): what the query does not show is taken from g, not from q, so that the
score is another one the other way round. All the same everywhere, a mask changes nothing.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from configs.kernels import quick

SHORTLIST = 200  # who are looked at through the mask: those who are most like without it
DIGITS = 5  # the last bits of a product depend on the machine
LEAST = 1e-12  # of the square of what shows: below it nothing does

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]


class Best(NamedTuple):
    """For each query (q, most) who is most like it, the most like first, and how like. There is nobody at -1."""

    rows: NDArray[np.int64]
    scores: NDArray[np.float64]


class Shown(NamedTuple):
    """Vectors (n, d) of length 1, and their visibility (n, parts)."""

    vectors: Floats
    visibility: Floats

    @property
    def shows(self) -> Doubles:
        """How much of each shows, 0 to 1."""
        return np.asarray(self.visibility.mean(axis=1, dtype=np.float64))


def best(  # noqa: PLR0913
    queries: Floats,
    visibility: Floats,
    gallery: Floats,
    most: int = 1,
    shortlist: int = SHORTLIST,
    masked_below: float = 1.0,
) -> Best:
    """Who of a gallery (n, d) is most like each query (q, d), all of length 1, whose visibility is (q, parts).

    The plain cosine says who are looked at through the mask: the best `shortlist`, and all who are as like as the last
    of them. A query whose mean visibility is not below `masked_below` is answered by the plain cosine alone. One of
    which nothing shows is as like to anybody: 0.
    """
    masks = _masks(visibility, queries)
    queries, gallery = (np.ascontiguousarray(some, np.float32) for some in (queries, gallery))
    if gallery.shape[1] != queries.shape[1]:
        raise ValueError(f"the gallery must be of {queries.shape[1]} numbers each, is {gallery.shape}")
    if most < 1 or shortlist < most:
        raise ValueError(f"most must be 1 or more, and shortlist as many, got {most} and {shortlist}")
    made = Best(np.full((len(queries), most), -1, np.int64), np.zeros((len(queries), most)))
    plain = np.empty((len(queries), len(gallery)), np.float32)
    _plain(queries, gallery, plain)
    is_masked = np.asarray(visibility).mean(axis=1) < masked_below
    for one in range(len(queries)):
        scores = np.round(plain[one], DIGITS)
        rows = _nearest(scores, shortlist)
        found = scores[rows].astype(np.float64)
        if is_masked[one]:
            _masked(queries[one], masks[one], gallery, rows, found)
        order = np.lexsort((rows, -np.round(found, DIGITS)))[:most]
        made.rows[one, : len(order)] = rows[order]
        made.scores[one, : len(order)] = np.round(found[order], DIGITS)
    return made


def masked_cosines(queries: Floats, visibility: Floats, gallery: Floats) -> Floats:
    """The score of every query with everybody, (q, n): two products of matrices."""
    masks = _masks(visibility, queries)
    lengths = np.sqrt(np.maximum(masks**2 @ (gallery**2).T, LEAST))
    return np.asarray((queries * masks) @ gallery.T / lengths, np.float32)


def between(one: Shown, other: Shown, plain: Doubles, masked_below: float = 1.0) -> Doubles:
    """How like some are to others, (n, m), of whom neither asks: the cosine of two in which each number counts for as
    much as both show of it, NaN where that is nothing. Unlike the scores of a query it is 1 of the same vector,
    whatever the masks, and can be compared with those of others. Where neither shows less than `masked_below`, or they
    are not among the best SHORTLIST of their row by their cosine, `plain` (n, m), it is that.
    """
    masks, shows, other_shows = _masks(one.visibility, one.vectors), one.shows, other.shows
    vectors, others = (np.ascontiguousarray(some.vectors, np.float32) for some in (one, other))
    made = plain.copy()
    for number, cosines in enumerate(plain):
        rows = _nearest(cosines, SHORTLIST)
        rows = rows[np.minimum(shows[number], other_shows[rows]) < masked_below]
        there, found = others[rows], np.empty(len(rows))
        _shared(vectors[number], masks[number], there, _masks(other.visibility[rows], there), found)
        made[number, rows] = np.round(found, DIGITS)
    return made


def _masks(visibility: Floats, vectors: Floats) -> Floats:
    """(n, d) of visibility (n, parts); raises ValueError where that is none of these vectors."""
    visibility, dimension = np.asarray(visibility), vectors.shape[1]
    parts = visibility.shape[1] if visibility.ndim == 2 else 0
    if not parts or len(visibility) != len(vectors) or dimension % parts:
        raise ValueError(
            f"visibility must be ({len(vectors)}, parts) of vectors of {dimension} numbers, is {visibility.shape}"
        )
    if not ((visibility >= 0) & (visibility <= 1)).all():
        raise ValueError("visibility must be from 0 to 1")
    return np.repeat(visibility, dimension // parts, axis=1).astype(np.float32)


def _nearest(scores: Floats | Doubles, count: int) -> NDArray[np.int64]:
    if len(scores) <= count:
        return np.arange(len(scores))
    return np.flatnonzero(scores >= np.partition(scores, -count)[-count])


@quick
def _plain(queries: Floats, gallery: Floats, into: Floats) -> None:
    """A number does not depend on how many there are of others, as those of a product of matrices do."""
    for row in range(len(gallery)):
        vector = gallery[row]
        for one in range(len(queries)):
            query, cosine = queries[one], np.float32(0)
            for i in range(len(query)):
                cosine += vector[i] * query[i]
            into[one, row] = cosine


@quick
def _masked(
    query: Floats, mask: Floats, gallery: Floats, rows: NDArray[np.int64], into: NDArray[np.float64]
) -> None:
    for at in range(len(rows)):
        vector, product, square = gallery[rows[at]], np.float32(0), np.float32(0)
        for i in range(len(query)):
            seen = mask[i] * vector[i]
            product += query[i] * seen
            square += seen * seen
        into[at] = product / np.sqrt(max(square, np.float32(LEAST)))


@quick
def _shared(one: Floats, mask: Floats, others: Floats, masks: Floats, into: Doubles) -> None:
    for row in range(len(others)):
        product, square, other_square = np.float32(0), np.float32(0), np.float32(0)
        for i in range(len(one)):
            both = mask[i] * masks[row, i]
            product += both * one[i] * others[row, i]
            square += both * one[i] * one[i]
            other_square += both * others[row, i] * others[row, i]
        least = min(square, other_square)
        into[row] = product / np.sqrt(square * other_square) if least > np.float32(LEAST) else np.nan
