"""How loops over numbers are compiled, and kept on disk for the next time, by any number of processes at once."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from typing import Any, TypeVar, cast

import numba
from numba.core.caching import FunctionCache, IndexDataCacheFile

F = TypeVar("F", bound=Callable[..., Any])


def kernel(function: F) -> F:
    """Compiled when first called, kept until its file changes; runs without the interpreter's lock, and exactly. It
    calls no kernel of another file: what is kept would not notice that one change.
    """
    return _compiled(function)


def quick(function: F) -> F:
    """The same, but sums may be taken in any order, so that they are three times as fast."""
    return _compiled(function, fastmath={"reassoc", "contract"})


def _compiled(function: F, **options: Any) -> F:
    made = numba.njit(nogil=True, error_model="numpy", **options)(function)
    made._cache = _Cache(function)
    return cast(F, made)


class Kept(IndexDataCacheFile):
    """Compiled code by what it was compiled for. Numba gives it the first number that is free, so that of two processes
    that keep some at once both may take the same: who comes later then runs code that was compiled for other
    arguments, and writes where it should not. Here it has a number that nothing else has. An index that misses code
    costs compiling once more.
    """

    def save(self, key: Any, data: Any) -> None:
        number = int.from_bytes(blake2b(self._dump(key), digest_size=6).digest(), "big")
        name = self._data_name(number)
        self._save_data(name, data)
        self._save_index({**self._load_index(), key: name})


class _Cache(FunctionCache):
    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        of = self._impl
        self._cache_file = Kept(self._cache_path, of.filename_base, of.locator.get_source_stamp())
