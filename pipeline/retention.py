"""Deletes what has lain on the disk for longer than a graph's `retention` allows: logs of earlier days, pictures and
films in the folder of a run, and recordings. What stages remember they let go by themselves.

Files go by the clock, and by when they were last written: the time of capture does not say how long they have lain.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from configs.build import ConfigError, InputError
from configs.known import known
from configs.read import write
from pipeline.publish._days import aside
from pipeline.publish.log import EVENTS, POSITIONS, SYSTEM

DAY_S = 86_400
EVERY_S = 3600.0
SETTLED_S = 600.0  # a log that has just been put aside may be taken back after a crash
PICTURES = ("picture.png", "*.mp4", "*.mkv")
RECORDINGS, MANIFEST = "recordings.jsonl", "manifest.json"
log = logging.getLogger(__name__)


class Recording(msgspec.Struct, frozen=True):
    """What was recorded of a site, and where."""

    folder: str
    files: tuple[str, ...]
    began_s: float


@dataclass(frozen=True)
class Lives:
    """How many days files are kept, or None for as long as they lie there; and where they lie."""

    site: str
    folder: Path
    events: float | None = None
    crops: float | None = None
    recordings: float | None = None

    @contextmanager
    def kept_to(self) -> Iterator[None]:
        """They are, now and every hour inside."""
        self.enforce(time.time())
        stop = threading.Event()
        thread = threading.Thread(target=self._work, args=(stop,), name="retention", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def enforce(self, now_s: float) -> None:
        """Delete what has lain there for too long, and say so; what cannot be deleted is said, and tried again."""
        if self.events is not None:
            logs = [path for name in (EVENTS, SYSTEM, POSITIONS) for path in aside(self.folder / name)]
            _delete([path for path in logs if now_s - path.stat().st_ctime > SETTLED_S], self.events, now_s)
        if self.crops is not None:
            _delete([path for name in PICTURES for path in self.folder.glob(name)], self.crops, now_s)
        if self.recordings is not None:
            self._enforce_recordings(self.recordings, now_s)

    def _work(self, stop: threading.Event) -> None:
        while not stop.wait(EVERY_S):
            try:
                self.enforce(time.time())
            except (InputError, ConfigError, OSError) as error:
                log.warning("retention: %s; it is tried again in an hour", error)

    def _enforce_recordings(self, days: float, now_s: float) -> None:
        kept, told = [], recordings(self.site)
        for one in told:
            paths = [path for name in one.files if (path := Path(one.folder) / name).exists()]
            newest_s = max((path.stat().st_mtime for path in paths), default=one.began_s)
            if now_s - newest_s > days * DAY_S:  # all of it at once
                _delete(paths, days, now_s)
                with suppress(OSError):  # something else lies there
                    Path(one.folder).rmdir()
            if (
                any(path.exists() for path in paths) or now_s - one.began_s < DAY_S
            ):  # it may be about to begin
                kept.append(one)
        if kept != told:
            _write(self.site, kept)


def register(site: str, folder: Path, files: Sequence[str]) -> None:
    """These files of a folder are about to be recorded: they go when their time has come."""
    new = Recording(str(folder.resolve()), tuple(files), time.time())
    _write(site, [*(one for one in recordings(site) if one.folder != new.folder), new])


def recordings(site: str) -> list[Recording]:
    """What was recorded of a site and has not been deleted yet."""
    path = _register(site)
    lines = path.read_bytes().splitlines() if path.exists() else []
    try:
        return [msgspec.json.decode(line, type=known(Recording)) for line in lines]
    except msgspec.DecodeError as error:
        raise InputError(
            f"{path}: is damaged, {error}; delete the line, and its recording once it is due"
        ) from error


def _register(site: str) -> Path:
    return Path("var") / site / RECORDINGS


def _write(site: str, kept: Sequence[Recording]) -> None:
    path = _register(site)
    new = path.with_suffix(".new")
    write(new, "".join(f"{msgspec.json.encode(one).decode()}\n" for one in kept))
    new.replace(path)


def _delete(paths: Sequence[Path], days: float, now_s: float) -> None:
    deleted = []
    for path in paths:
        try:
            if now_s - path.stat().st_mtime > days * DAY_S:
                path.unlink()
                deleted.append(str(path))
        except OSError as error:
            log.warning("%s: is older than %g days and cannot be deleted, %s", path, days, error.strerror)
    if deleted:
        log.warning("older than %g days, and deleted: %s", days, ", ".join(deleted))
