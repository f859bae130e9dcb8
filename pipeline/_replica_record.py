"""What a record of a gallery says: somebody, once it is known to be whole."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.messages import Identity, Sighting
from pipeline.wire import WireError, decode


def person_in(id: str, plain: bytes) -> Identity:
    """Raises WireError."""
    who = decode(plain)
    if not (isinstance(who, Identity) and who.identity_id == id and _is_whole(who)):
        raise WireError("is not what a gallery holds")
    return who


def _is_whole(who: Identity) -> bool:
    fit = [isinstance(one, Sighting) and _fits(one.looks, 1) and _fits_shown(one) for one in who.sightings]
    return bool(fit) and all(fit)


def _fits(array: NDArray[np.float32], dimensions: int) -> bool:
    return array.dtype == np.float32 and array.ndim == dimensions and bool(np.isfinite(array).all())


def _fits_shown(one: Sighting) -> bool:
    """Whether what it says of its parts is of these looks."""
    if one.shown is None:
        return True
    rows, parts = one.shown.shape if one.shown.ndim == 2 else (0, 0)
    return rows == 2 and _fits(one.shown, 2) and parts > 0 and len(one.looks) % parts == 0
