"""Randomness by key: what is drawn of a person, a camera, a session and a frame is the same whoever asks, and when."""

from __future__ import annotations

from zlib import crc32

import numpy as np


def drawn(seed: int, *key: str | int) -> np.random.Generator:
    """A new generator for a key, the same every time."""
    words = [crc32(part.encode()) if isinstance(part, str) else part + (1 << 33) for part in key]
    return np.random.Generator(np.random.PCG64([seed, *words]))
