"""Reads logs: to their end, or on and on as `tail -F` does, over a file that is replaced or begins again."""

from __future__ import annotations

import logging
import os
import stat
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

from sightline_client._address import LOGS
from sightline_client._source import POLL_S, Received, Source
from sightline_client.codec import MOST_BYTES, decode
from sightline_client.errors import SightlineError

HEAD_BYTES = 256  # of a file, by which it is known again

log = logging.getLogger("sightline_client")


class Files(Source):
    """The logs of one run, or one log."""

    def __init__(
        self, path: Path, families: Collection[str], places: Mapping[str, Any], follow: bool
    ) -> None:
        self._files = [_File(file, places.get(file.name), follow) for file in _logs(path, families, follow)]
        self._follow, self._had_nothing = follow, False

    def skip(self) -> None:
        """Begin at the end of what is there."""
        for file in self._files:
            file.skip()

    def read(self, wait_s: float) -> list[Received]:
        came = [received for file in self._files for received in file.read()]
        self._had_nothing = not came
        if not came and self._follow:
            time.sleep(min(wait_s, POLL_S))
        return came

    @property
    def has_ended(self) -> bool:
        return self._had_nothing and not self._follow

    def close(self) -> None:
        for file in self._files:
            file.close()


class _File:
    def __init__(self, path: Path, mark: Any, follow: bool) -> None:
        self._path, self._follow = path, follow
        self._descriptor, self._offset, self._passes_over = -1, 0, False
        self._head = (-1, "")  # bytes of its beginning, and their hash
        if not follow and not path.exists():
            raise SightlineError(f"{path}: there is no such log; is it the folder of a run?")
        if self._open() and mark is not None:
            self._go_to(mark)

    def read(self) -> list[Received]:
        """The whole lines of the next piece; half a line waits until it is whole."""
        if self._descriptor < 0 and not self._open():
            return []
        piece = os.pread(self._descriptor, MOST_BYTES + 1, self._offset)
        end = piece.rfind(b"\n") + 1
        if end:
            return list(self._lines(piece[:end]))
        if len(piece) > MOST_BYTES:
            return [self._too_long(len(piece))]
        if self._has_been_replaced():
            self.close()
        elif piece and not self._follow:
            log.warning("%s: ends with half a line, which is left", self._path)
        return []

    def skip(self) -> None:
        if self._descriptor >= 0:
            data_end = os.fstat(self._descriptor).st_size
            tail = os.pread(self._descriptor, MOST_BYTES, max(0, data_end - MOST_BYTES))
            self._offset = data_end - (len(tail) - (tail.rfind(b"\n") + 1))

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1

    def _open(self) -> bool:
        try:
            self._descriptor = os.open(self._path, os.O_RDONLY)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise SightlineError(f"{self._path}: cannot be read, {error.strerror}") from error
        if stat.S_ISDIR(os.fstat(self._descriptor).st_mode):
            self.close()
            raise SightlineError(f"{self._path}: was no folder when reading began; begin again")
        self._offset, self._passes_over, self._head = 0, False, (-1, "")
        return True

    def _lines(self, piece: bytes) -> Iterator[Received]:
        for line in piece[:-1].split(b"\n"):
            where = f"{self._path}: at byte {self._offset}"
            self._offset += len(line) + 1
            if self._passes_over:
                self._passes_over = False
                continue
            try:
                yield Received(where, self._path.name, self._mark(), decode(line))
            except SightlineError as error:
                yield Received(where, self._path.name, self._mark(), None, str(error))

    def _too_long(self, size: int) -> Received:
        """A line that no event fills is passed over, piece by piece, and said once."""
        where = f"{self._path}: at byte {self._offset}"
        error = "" if self._passes_over else f"is no event: a line of more than {MOST_BYTES} bytes"
        self._offset += size
        self._passes_over = True
        return Received(where, self._path.name, self._mark(), None, error)

    def _mark(self) -> list[Any]:
        return [self._offset, self._fingerprint(self._offset)]

    def _fingerprint(self, offset: int) -> str:
        size = min(offset, HEAD_BYTES)
        if self._head[0] != size:
            head = os.pread(self._descriptor, size, 0)
            self._head = (size, blake2b(head, digest_size=8).hexdigest())
        return self._head[1]

    def _go_to(self, mark: Any) -> None:
        match mark:
            case [int(offset), str(head)] if offset >= 0:
                is_same = os.fstat(self._descriptor).st_size >= offset and self._fingerprint(offset) == head
                if is_same:
                    self._offset = offset
                else:
                    log.warning(
                        "%s: is another log than the one that was read; it is read from its beginning",
                        self._path,
                    )
            case _:
                raise SightlineError(
                    f"{self._path}: its position is damaged; remove the position's file to begin anew"
                )

    def _has_been_replaced(self) -> bool:
        """Whether there is another file of this name now, or this one was cut short."""
        if not self._follow:
            return False
        try:
            there, here = self._path.stat(), os.fstat(self._descriptor)
        except FileNotFoundError:
            return False
        return there.st_ino != here.st_ino or there.st_dev != here.st_dev or here.st_size < self._offset


def _logs(path: Path, families: Collection[str], follow: bool) -> Sequence[Path]:
    is_still_to_come = follow and not path.exists() and not path.suffix
    if not (path.is_dir() or is_still_to_come):
        return [path]
    logs = [path / name for name, held in LOGS.items() if set(held) & set(families)]
    return [log for log in logs if follow or log.exists()] or logs[:1]
