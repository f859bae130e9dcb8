"""Types that msgspec reads. It works out what is in a type as it first meets it, and crashes where two threads do so at
once (0.22): here one waits for the other.
"""

from __future__ import annotations

from threading import Lock
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")
_lock = Lock()
_known: set[Any] = set()


def known(kind: type[T]) -> type[T]:
    """The type, which any thread may read now."""
    if kind not in _known:
        with _lock:
            msgspec.msgpack.Decoder(kind)
            _known.add(kind)
    return kind
