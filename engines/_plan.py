"""What an engine is made of and for: the precision, the sizes of batches, and what it is tuned on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from numpy.typing import NDArray

Precision = Literal["fp32", "fp16", "bf16", "int8"]
Batches = tuple[int, int, int]  # the smallest, the usual one and the largest
USUAL: Batches = (1, 16, 64)


@dataclass(frozen=True)
class Plan:
    """How a model is to be compiled."""

    runtime: str
    precision: Precision = "fp32"
    batches: Batches = USUAL  # where the batch is not fixed, and the runtime wants to know
    samples: Iterable[
        NDArray[Any]
    ] = ()  # for int8: what the network is fed, a batch each; gone through repeatedly
    is_brief: bool = False  # asked for little: nothing is made ready that pays only later
