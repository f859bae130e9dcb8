"""The one exception of this library."""

from __future__ import annotations


class SightlineError(Exception):
    """What is wrong, where, and what to do, in one line. No other exception leaves this library."""
