"""Runs pictures through a network part by part: the next are made ready, and the last read, while it runs.

It knows nothing of boxes or vectors.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from engines._manifest import Input
from engines._network import Network, Outputs
from engines._resized import ordered

T = TypeVar("T")
WAITING = 8  # parts: enough for as many cores, few enough to stay in little memory


def run_ahead(
    network: Network,
    wanted: Input,
    pictures: Sequence[NDArray[Any]],
    fit: Callable[[Sequence[NDArray[Any]]], tuple[NDArray[np.uint8], T]],
) -> Iterator[tuple[Outputs, T]]:
    """What the network gives for each part of the pictures, in their order, and what `fit` says of it, which makes a
    batch in the network's size of them, RGB (n, height, width, 3).
    """
    most = network.most or max(1, len(pictures))
    dtype = next(iter(network.inputs.values())).dtype
    running: deque[tuple[Callable[[], Outputs], T]] = deque()
    for first in range(0, len(pictures), most):
        batch, told = fit(pictures[first : first + most])
        values = ordered(batch, wanted).astype(dtype, copy=False)
        if len(pictures) <= most:  # no thread is woken for one
            yield network(values), told
            return
        running.append((network.submit(values), told))
        if len(running) > WAITING:
            yield _ended(*running.popleft())
    while running:
        yield _ended(*running.popleft())


def _ended(wait: Callable[[], Outputs], told: T) -> tuple[Outputs, T]:
    return wait(), told
