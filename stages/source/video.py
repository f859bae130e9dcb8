"""Replays a video file, in colour or as infrared; each picture has the time that the file gives it."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import av
from av.error import FFmpegError

from calibration.camera import Intrinsics, View, pose_of
from pipeline.messages import Frame, SystemEvent
from pipeline.stage import InputError, Source
from stages.source._calibration import Calibration, calibration_of
from stages.source._reader import Damage
from stages.source._timeline import ns_of

CLOCK = "video"  # the clock domain: time since the first picture
DAMAGED = "damaged"  # the reason of what is lost
SHORT = 2.5  # pictures that a file may lack of the duration it says


@dataclass
class Video(Source[Frame | SystemEvent]):
    """The first video stream of one file. Its first picture was taken at `start_ns` of the manifest, or else at 0;
    without intrinsics there, its lens is taken for one whose focal length is the picture's width, and nothing seen
    through it has a place on the floor.
    """

    path: str = field(kw_only=True)
    shows: Literal["color", "infrared"] = (
        "color"  # infrared: grey, of 8 bits, or of 16 where the file has more
    )
    _calibration: Calibration = field(init=False, repr=False)
    _view: View = field(init=False, repr=False)
    _first_pts: int = field(default=0, init=False, repr=False)

    @property
    def may_hang(self) -> bool:
        """Decoders are many, old, and written in C."""
        return True

    @property
    def frame_bytes(self) -> int:
        lens = self._view.intrinsics
        return 3 * lens.width_px * lens.height_px

    def open(self) -> None:
        """Raises InputError for a file of which not one picture can be read."""
        super().open()
        self._calibration = calibration_of(Path(self.path), self.camera_id, self.mount, self.place)
        with self._decoder() as decoder:
            first = next((picture for _, picture in decoder.pictures()), None)
        if first is None:
            raise InputError(f"{self.path}: not one picture in it can be read; record again, or convert it")
        lens = self._calibration.intrinsics or _nominal(first.width, first.height)
        if (lens.width_px, lens.height_px) != (first.width, first.height):
            sizes = f"{first.width} x {first.height} and its lens in the manifest {lens.width_px} x {lens.height_px}"
            raise InputError(f"{self.path}: is {sizes}; calibrate at the size of the video")
        mount, is_known = self._calibration.mount, self._calibration.intrinsics is not None
        self._view, self._first_pts = View(lens, mount, pose_of(mount) if is_known else None), first.pts

    def produce(self, from_ns: int) -> Iterator[Frame | SystemEvent]:
        """Decodes from the beginning, wherever it starts: so the indices are certain."""
        index, captured_ns = 0, 0
        with self._decoder() as decoder:
            for missing, picture in decoder.pictures():
                index += missing
                captured_ns = max(captured_ns, self._captured_ns(picture.pts, decoder.time_base))
                if captured_ns >= from_ns:
                    if missing:
                        yield self._gap(
                            captured_ns, f"has {missing} pictures that cannot be decoded", missing
                        )
                    shown: dict[str, Any] = {self.shows: self._pixels(picture)}
                    yield Frame(self.camera_id, index, captured_ns, self._view, clock=CLOCK, **shown)
                index += 1
            if damage := decoder.damage():
                yield self._gap(captured_ns, damage.detail, damage.lost)

    def _captured_ns(self, pts: int, time_base: Any) -> int:
        passed_ns: int = (
            (pts - self._first_pts) * 1_000_000_000 * time_base.numerator // time_base.denominator
        )
        return self._calibration.start_ns + ns_of(self._calibration.clock_offset_ms) + passed_ns

    def _pixels(self, picture: Any) -> Any:
        if self.shows == "color":
            return picture.to_ndarray(format="rgb24")
        is_deep = max(component.bits for component in picture.format.components) > 8
        return picture.to_ndarray(format="gray16le" if is_deep else "gray")

    def _gap(self, captured_ns: int, detail: str, lost: int | None) -> SystemEvent:
        counts = {DAMAGED: lost} if lost else {}
        return SystemEvent("gap", self.camera_id, captured_ns, f"the file {detail}", lost, counts)

    @contextmanager
    def _decoder(self) -> Iterator[_Decoder]:
        try:
            container = av.open(self.path, metadata_errors="replace")
        except (FFmpegError, OSError) as error:
            raise InputError(
                f"{self.path}: cannot be read as a video, {_words(error)}; check the path"
            ) from error
        with container:
            if not container.streams.video or container.streams.video[0].codec_context is None:
                raise InputError(f"{self.path}: holds no video that can be decoded; name another file")
            yield _Decoder(container)


class _Decoder:
    """The pictures of a file, and which of them did not come: a packet that holds one says when it is due."""

    def __init__(self, container: Any) -> None:
        self._container, self._stream = container, container.streams.video[0]
        self._size = (self._stream.width, self._stream.height)
        self._due: list[int] = []  # pts of pictures that have not come, in order
        self._packets, self._end_pts, self._fault = 0, 0, ""

    @property
    def time_base(self) -> Any:
        return self._stream.time_base

    def pictures(self) -> Iterator[tuple[int, Any]]:
        """Pictures in order of time, each with the number of those that should have come before it."""
        for packet in self._all_packets():
            try:
                decoded = self._stream.decode(packet)
            except FFmpegError:
                continue  # what was in it stays due
            for picture in filter(self._is_whole, decoded):
                missing = bisect_left(self._due, picture.pts)
                del self._due[: missing + (picture.pts in self._due[missing : missing + 1])]
                yield missing, picture

    def damage(self) -> Damage | None:
        """What is missing at the end, once all pictures have been given."""
        # an mp4 lists its packets, without those that an edit cut off; a Matroska file says how long it is
        listed = len(self._stream.index_entries) if self._stream.frames else 0
        missing = len(self._due) + max(0, listed - self._packets)
        if listed or not self._ends_early():
            text = self._fault or f"lacks its last {missing} pictures"
            return Damage(text, missing) if missing or self._fault else None
        ended_s = float(self._end_pts * self.time_base)
        return Damage(
            f"ends after {ended_s:.2f} of its {self._container.duration / av.time_base:.2f} s", None
        )

    def _ends_early(self) -> bool:
        """Whether the container says that it goes on; another stream may be longer by a little."""
        told_s = (self._container.duration or 0) / av.time_base
        spare_s = SHORT / float(self._stream.average_rate or 25) if len(self._container.streams) == 1 else 1.0
        return told_s - float(self._end_pts * self.time_base) > spare_s

    def _all_packets(self) -> Iterator[Any]:
        """Every packet that can be read; None, which asks for what the decoder still holds, is the last."""
        try:
            for packet in self._container.demux(self._stream):
                self._packets += packet.size > 0
                if packet.pts is not None and not packet.is_discard:
                    insort(self._due, packet.pts)
                    self._end_pts = max(self._end_pts, packet.pts + (packet.duration or 0))
                yield packet
        except FFmpegError as error:
            self._fault = f"cannot be read to its end, {_words(error)}"
            yield None

    def _is_whole(self, picture: Any) -> bool:
        return (
            picture.pts is not None
            and not picture.is_corrupt
            and (picture.width, picture.height) == self._size
        )


def _nominal(width: int, height: int) -> Intrinsics:
    """A lens of 53 degrees across, which is about that of a surveillance camera."""
    return Intrinsics(width, height, width, width, (width - 1) / 2, (height - 1) / 2)


def _words(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error).lower()
