"""Learning rates over the epochs. Each gives the rate of an epoch or iteration, counted as its makers count it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import cos, pi

Schedule = Callable[[int], float]


def warm_up_then_steps(
    base: float, milestones: Sequence[int], warm_up: int = 10, factor: float = 0.1, decay: float = 0.1
) -> Schedule:
    """WarmupMultiStep: linear from factor * base, then times `decay` from each milestone on."""

    def rate(epoch: int) -> float:
        warmth = factor * (1 - epoch / warm_up) + epoch / warm_up if epoch < warm_up else 1.0
        return base * warmth * decay ** sum(milestone <= epoch for milestone in milestones)

    return rate


def warm_up_then_cosine(
    base: float, epochs: int, warm_up: int = 5, first: float = 1e-5, last: float = 1e-6
) -> Schedule:
    """timm's: linear from `first`, then a cosine down to `last`.

    The cosine is taken at the epoch since the beginning, as timm takes it: after the warm-up it has come some way
    already, and the rate drops a little.
    """

    def rate(epoch: int) -> float:
        if epoch < warm_up:
            return first + epoch * (base - first) / warm_up
        return last + (base - last) * (1 + cos(pi * min(epoch / epochs, 1))) / 2

    return rate


def warm_up_then_half(base: float, epochs: int, warm_up: int = 5) -> Schedule:
    """SAGA's: linear from a tenth, then a cosine down to half of the base.

    unstated: whether the cosine spans the warm-up too; here it does not.
    """

    def rate(epoch: int) -> float:
        if epoch < warm_up:
            return base * (0.1 + 0.9 * epoch / warm_up)
        passed = (epoch - warm_up) / max(epochs - warm_up, 1)
        return base * (0.75 + 0.25 * cos(pi * min(passed, 1)))

    return rate


def transreid_cosine(base: float, epochs: int) -> Schedule:
    """TransReID's: timm's, from 0.01 to 0.002 of the base."""
    return warm_up_then_cosine(base, epochs, first=0.01 * base, last=0.002 * base)


def fast_reid(
    base: float, epochs: int, epoch_length: int, warm_up: int = 2000, last: float = 1.6e-6
) -> Schedule:
    """fast-reid's, by iteration: linear from 0.01 of the base, then from epoch to epoch a cosine.

    unstated: whether the cosine spans all epochs or those after the warm-up; here those after it.
    """
    warm_epochs = -(-warm_up // epoch_length)

    def rate(iteration: int) -> float:
        if iteration < warm_up:
            return base * (0.01 + 0.99 * iteration / warm_up)
        passed = max(iteration // epoch_length - warm_epochs, 0) / max(epochs - warm_epochs, 1)
        return last + (base - last) * (1 + cos(pi * min(passed, 1))) / 2

    return rate
