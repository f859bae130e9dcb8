"""How this folder's kernels are compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])


def kernel(function: F) -> F:
    """Compiled when first called, kept on disk until its file changes; runs without the interpreter's lock, and
    exactly. It calls no kernel of another file: what is kept would not notice that one change.
    """
    return cast(F, numba.njit(nogil=True, cache=True, error_model="numpy")(function))
