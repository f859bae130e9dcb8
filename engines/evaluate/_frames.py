"""Puts rows of a table into frames."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engines.evaluate.sequence import Rows


def rows_by_frame(frame_of_row: NDArray[np.int64], frames: NDArray[np.int64]) -> list[Rows]:
    """The rows of each of the ascending frames, in the order in which they stand."""
    order = np.argsort(frame_of_row, kind="stable")
    begins, ends = (np.searchsorted(frame_of_row[order], frames, side) for side in ("left", "right"))
    return [order[begin:end] for begin, end in zip(begins, ends, strict=True)]
