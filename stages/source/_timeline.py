"""Site time from the stamps of one device: it always rises, whatever the device's clock does."""

from __future__ import annotations

from dataclasses import dataclass

JUMP_NS = 1_000_000_000  # a stamp that goes back by more than this is another clock


def ns_of(stamp_ms: float) -> int:
    """Nanoseconds of a stamp in milliseconds, to the last bit that it has; `ms_of` gives the stamp again."""
    whole_ms, rest_ms = divmod(stamp_ms, 1.0)
    return int(whole_ms) * 1_000_000 + round(rest_ms * 1e6)


def ms_of(time_ns: int) -> float:
    """The stamp in milliseconds that is nearest to a time."""
    whole_ms, rest_ns = divmod(time_ns, 1_000_000)
    return whole_ms + rest_ns / 1e6


@dataclass(frozen=True, slots=True)
class Placed:
    """A stamp in site time; `change` says what happened to the clock since the last one, if anything did."""

    captured_ns: int
    change: str = ""


class Timeline:
    """Places stamps after `last_ns`. A stamp of less than 1 s back is put right behind the last one; one of
    more than that begins a clock of its own, whose first stamp is put there and whose others follow it.
    """

    def __init__(self, offset_ms: float, last_ns: int = -1) -> None:
        self.last_ns = last_ns
        self._offset_ns, self._shift_ns, self._clock = ns_of(offset_ms), 0, ""

    def place(self, stamp_ms: float, clock: str, passed_ns: int = 1, is_restarted: bool = False) -> Placed:
        """The site time of a stamp of the clock domain `clock`. A clock of its own begins `passed_ns` after the
        last stamp; a device that `is_restarted` may have begun one however little its stamp goes back.
        """
        stamp_ns, change = ns_of(stamp_ms) + self._offset_ns, ""
        if self._clock and clock != self._clock:
            change = f"the clock domain is {clock} and was {self._clock}"
            self._shift_ns = 0
        back_ns = self.last_ns - (stamp_ns + self._shift_ns)
        if back_ns > (0 if is_restarted else JUMP_NS):
            self._shift_ns += back_ns + max(1, passed_ns)
            went_back = f"the clock went back by {back_ns / 1e9:.3f} s; times go on after the last one"
            change = f"{change}; {went_back}" if change else went_back
        self._clock = clock
        self.last_ns = max(stamp_ns + self._shift_ns, self.last_ns + 1)
        return Placed(self.last_ns, change)
