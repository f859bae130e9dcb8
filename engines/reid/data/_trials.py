"""Tests vectors, or rankings that somebody submits, by a protocol of a data set."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from configs.build import InputError
from engines.evaluate.retrieval import Found, Order, distances, found, nearest_first
from engines.reid.data._records import Trial, people
from engines.reid.data._vectors import Features

Told = Callable[[int], None]  # how many queries are done


@dataclass(frozen=True, slots=True)
class Tested:
    """The scores of each case of a trial, and how many of its records have nothing to be found by."""

    cases: dict[str, Found]
    unseen: int


def by_vectors(trial: Trial, features: Features, told: Told) -> Tested:
    """The scores of what is nearest by these vectors; raises InputError where there is nobody to find."""
    query, gallery = features.of(trial.query), features.of(trial.gallery)
    orders = nearest_first(distances(query, gallery, trial.distance))
    every = features.of(list(dict.fromkeys((*trial.query, *trial.gallery))))
    return Tested(_scores(trial, orders, told), int(np.isnan(every).any(axis=1).sum()))


def by_orders(trial: Trial, orders: Iterable[Order], told: Told) -> Tested:
    """The scores of orders for each query, in turn; raises InputError where there is nobody to find."""
    return Tested(_scores(trial, orders, told), 0)


def _scores(trial: Trial, orders: Iterable[Order], told: Told) -> dict[str, Found]:
    if not trial.is_labelled:
        raise InputError(
            "the test is not labelled, so that nothing can be scored; add --submission, or get its labels"
        )
    if len({one.person for one in trial.gallery}) < 2:
        raise InputError(
            f"all {len(trial.gallery)} in the gallery are one person, so that nobody can be taken for another; "
            "a gallery needs two people at least"
        )
    cases = found(_counted(orders, told), people(trial.query), people(trial.gallery), trial.cases)
    if not any(len(one.queries) for one in cases.values()):
        raise InputError(f"none of {len(trial.query)} queries has anybody to find: {_why_nobody(trial)}")
    return cases


def _counted(orders: Iterable[Order], told: Told) -> Iterator[Order]:
    for number, order in enumerate(orders, 1):
        yield order
        told(number)


def _why_nobody(trial: Trial) -> str:
    asked, there = set(people(trial.query).tolist()), set(people(trial.gallery).tolist())
    if not asked & there:
        return "no person of the queries is in the gallery; look whether both are of the same part of the set"
    cameras = {one.camera for one in (*trial.query, *trial.gallery)}
    by = "by one camera" if len(cameras) == 1 else "by the query's own camera"
    return f"whoever is in both is seen there {by}, which does not count; a test needs two cameras"
