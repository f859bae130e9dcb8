"""One camera's recording, and the count of what did not get into it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from pipeline.messages import Frame, SystemEvent
from stages._recorder import Recorder

NAME = "Sightline"  # of the device, in the file
LOOKED_AT = 10  # frames from which streams, rate and size are learnt before the file begins
NO_MORE = "the recorder has stopped writing; is the disk full?"
UNFIT = "their streams or sizes are not those of the first frames"


class Tape:
    """Every frame that it is given is in the file, or in the counts of a `gap`."""

    def __init__(self, path: Path, camera_id: str, serial: str, is_packed: bool) -> None:
        self.mb_per_s = 0.0  # once it has begun
        self._path, self._camera_id, self._serial, self._is_packed = path, camera_id, serial, is_packed
        self._first: list[Frame] = []
        self._recorder: Recorder | None = None
        self._given, self._now_ns = 0, 0
        self._said: set[str] = set()  # reasons
        self._unsaid: Counter[str] = Counter()  # frames by reason

    @property
    def has_begun(self) -> bool:
        """Whether there is a file."""
        return self._recorder is not None

    @property
    def unwritten_mb(self) -> float:
        """At most as much as is still to come into the file of what was taken."""
        return self._recorder.unwritten_mb if self._recorder else 0.0

    def take(self, frame: Frame) -> Iterator[SystemEvent]:
        """Record a frame, once there are enough to begin with."""
        if self._recorder is not None:
            yield from self._write(self._recorder, frame)
            return
        self._first.append(frame)
        if len(self._first) == LOOKED_AT:
            yield from self._begin()

    def refuse(self, frame: Frame, reason: str, why: str) -> Iterator[SystemEvent]:
        """Count a frame that is not recorded; the first for each reason is said at once."""
        self._now_ns = frame.captured_ns
        if reason in self._said:
            self._unsaid[reason] += 1
            return
        self._said.add(reason)
        yield self._gap(f"frames are not recorded: {why}", Counter({reason: 1}))

    def finish(self) -> Iterator[SystemEvent]:
        """End the file; what was lost and not said yet."""
        if self._recorder is None and self._first:
            yield from self._begin()
        lost = self._given - self._recorder.close() if self._recorder else 0
        self._unsaid.update({"recorder": lost} if lost else {})
        if self._unsaid:
            text = f"{self._unsaid.total()} frames are not in it, {lost} of them lost by the recorder"
            yield self._gap(text, self._unsaid)

    def _begin(self) -> Iterator[SystemEvent]:
        first, self._first = self._first, []
        self._recorder = Recorder(self._path, first, NAME, self._serial, self._is_packed)
        for frame in first:
            yield from self._write(self._recorder, frame)
        lasted_s = (first[-1].captured_ns - first[0].captured_ns) / 1e9
        if lasted_s > 0:
            self.mb_per_s = self._recorder.expected_mb / len(first) * (len(first) - 1) / lasted_s

    def _write(self, recorder: Recorder, frame: Frame) -> Iterator[SystemEvent]:
        self._now_ns = frame.captured_ns
        if recorder.is_failing:
            yield from self.refuse(frame, "recorder", NO_MORE)
        elif recorder.write(frame):
            self._given += 1
        else:
            yield from self.refuse(frame, "unfit", UNFIT)

    def _gap(self, text: str, counts: Counter[str]) -> SystemEvent:
        detail = f"{self._path.name}: {text}"
        return SystemEvent(
            "gap", self._camera_id, self._now_ns, detail, counts.total(), dict(sorted(counts.items()))
        )
