"""When the pictures of a network camera were taken, by its sender reports, or else by when they came."""

from __future__ import annotations

REPORTS, ARRIVAL = "sender_reports", "arrival"  # clock domains
SETTLING_NS = 6_000_000_000  # a report may take 5 s to come (RFC 3550, 6.2)
WINDOW_NS = 10_000_000_000  # in which the quickest arrival counts
APART_NS = 2_000_000_000  # clocks that differ by more than this are not set


class StreamClock:
    """One connection's. The intervals are those of the camera's own stamps in either domain; `ahead` is what to add to
    a stamp. `report` is the camera's own time for a stamp, as its last sender report says it.
    """

    def __init__(self, is_told: bool) -> None:
        self._is_told = is_told  # whether reports are waited for
        self._began_ns: int | None = None
        self._reports = 0
        self._report_ahead_ns: int | None = None
        self._least_ns: int | None = None  # of how much later than its stamp anything came, in this window
        self._last_least_ns: int | None = None  # in the one before
        self._window_ends_ns = 0
        self.is_settled = not is_told

    @property
    def has_reports(self) -> bool:
        return self._report_ahead_ns is not None

    @property
    def domain(self) -> str:
        return REPORTS if self.has_reports and abs(self.apart_ns) <= APART_NS else ARRIVAL

    @property
    def apart_ns(self) -> int:
        """How much later it is here than on the camera, with the shortest way from there to here."""
        return self._arrival_ahead_ns - (self._report_ahead_ns or 0) if self.has_reports else 0

    def heard(self, stamp_ns: int, arrived_ns: int, report_ns: int | None) -> None:
        """Something with this stamp came at this time of ours."""
        if self._began_ns is None:
            self._began_ns = arrived_ns
        ahead_ns = arrived_ns - stamp_ns
        if stamp_ns >= self._window_ends_ns:
            self._last_least_ns, self._least_ns = self._least_ns, None
            self._window_ends_ns = stamp_ns + WINDOW_NS
        self._least_ns = ahead_ns if self._least_ns is None else min(self._least_ns, ahead_ns)
        if report_ns is not None and self._is_told:
            self._reports += 1
            # FFmpeg's parser lays the first one upon the packet before that which it came with
            self._report_ahead_ns = report_ns - stamp_ns if self._reports > 1 else None
        self.is_settled |= self.has_reports or arrived_ns - self._began_ns > SETTLING_NS

    def captured_ns(self, stamp_ns: int) -> int:
        """Site time of a stamp, after it was heard of."""
        by_reports = self.domain == REPORTS and self._report_ahead_ns is not None
        return stamp_ns + (self._report_ahead_ns or 0 if by_reports else self._arrival_ahead_ns)

    @property
    def _arrival_ahead_ns(self) -> int:
        found = [least for least in (self._least_ns, self._last_least_ns) if least is not None]
        if not found:
            raise RuntimeError("captured_ns() comes after heard()")
        return min(found)
