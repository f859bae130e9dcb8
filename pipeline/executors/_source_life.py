"""The life of one source's process, seen from outside: started, listened to, and what it died of."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

import msgspec

from pipeline.executors._link import Receiver, Sender
from pipeline.executors._slots import Mapped, SlotError
from pipeline.messages import Frame, Heartbeat
from pipeline.stage import InputError, NoCameraError, Source
from pipeline.wire import WireError

OPENS_S = 30.0  # a source that is not open after this has hung
FIRST_S = 15.0  # a device that has been opened may take this long to begin
SLICE_S = 0.25  # how soon a wait hears that nobody waits any more
GRACE_S = 1.0  # what has been told to stop and is not done after this is killed
MISTAKES = {"InputError": InputError, "NoCameraError": NoCameraError}
MODULE = "pipeline.executors._source_process"
NOT_SETTINGS = {"isolated"}


class DiedError(Exception):
    """The process is gone, or was killed as it said nothing (`is_silent`); the text says what happened."""

    def __init__(self, text: str, is_silent: bool = False) -> None:
        super().__init__(text)
        self.is_silent = is_silent


class ReportedError(Exception):
    """What a source raised in its process, in the words that it has there."""

    def __repr__(self) -> str:
        return str(self)


class SourceProcess:
    """One process: a new Python, not a copy of this one, in which other threads hold locks."""

    def __init__(self, source: Source[Any], run: bytes, generation: int, closing: threading.Event) -> None:
        self._source, self._run, self._generation, self._closing = source, run, generation, closing
        self._end, theirs = socket.socketpair()
        self._sender, self._link = Sender(self._end), Receiver(self._end)
        self._mapped: Mapped | None = None
        self._shared: tuple[Any, ...] = ()
        self._lock = threading.Lock()  # of stopping: whoever reads and whoever closes may want to
        path = os.pathsep.join(str(Path(entry).absolute()) for entry in sys.path)  # '' is where we are
        command = [sys.executable, "-P", "-m", MODULE, str(theirs.fileno()), str(os.getpid())]
        self._process = subprocess.Popen(
            command,
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # ours is for results
            env={**os.environ, "PYTHONPATH": path},
        )
        theirs.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    def open(self) -> None:
        """Return when the source is open."""
        self._say("job", self._job())
        while self._hear(OPENS_S) is not None:
            continue

    def messages(self, from_ns: int) -> Iterator[Any]:
        """What the source gives, until it ends or this is closing; raises DiedError."""
        self._say("produce", from_ns)
        limit_s = max(FIRST_S, self._source.silent_s)
        while (message := self._hear(limit_s)) is not None:
            limit_s = self._source.silent_s
            if message is not ALIVE:
                yield message

    def stop(self) -> None:
        """End it; one that does not end by itself is killed."""
        with self._lock:
            with suppress(OSError):
                self._end.shutdown(socket.SHUT_RDWR)
            try:
                self._process.wait(GRACE_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._end.close()
            for fd in self._link.fds:
                os.close(fd)
            self._link.fds = []

    def _job(self) -> dict[str, Any]:
        source = self._source
        names = [f.name for f in fields(source) if f.init]
        return {
            "module": type(source).__module__,
            "name": type(source).__qualname__,
            "settings": {name: msgspec.to_builtins(getattr(source, name)) for name in names},
            "reserved": source.reserved(),
            "run": self._run,
            "generation": self._generation,
            "silent_s": source.silent_s,
            "level": logging.getLogger().getEffectiveLevel(),
        }

    def _say(self, kind: str, said: Any) -> None:
        try:
            self._sender.say(kind, said)
        except OSError:
            raise DiedError(self._death()) from None

    def _hear(self, limit_s: float) -> Any:
        """The next message, ALIVE for a word that is none, or None at the end of what is waited for."""
        silent_s = 0.0
        while not self._closing.is_set():
            began_s = time.monotonic()
            try:
                heard = self._link.hear(SLICE_S)
                if heard is not None:
                    return self._understood(*heard)
            except (EOFError, WireError, SlotError) as error:
                raise DiedError(self._death(error)) from None
            # a pause of this process, which may have been stopped, is not the silence of the other one
            silent_s += min(time.monotonic() - began_s, SLICE_S)
            if silent_s >= limit_s:
                raise DiedError(self._silence(limit_s), is_silent=True)
        return None

    def _understood(self, kind: str, said: Any) -> Any:
        match kind, said:
            case "frame", (index, captured_ns, slot, sequence):
                return self._frame(index, captured_ns, slot, sequence)
            case "beat", captured_ns:
                return Heartbeat(captured_ns)
            case "message", message:
                return message
            case "shared", shared:
                self._shared = shared
            case "slots", _:
                self._mapped = Mapped(self._link.fds.pop(0), self._run, self._generation)
            case "log", (name, level, text):
                logging.getLogger(name).log(level, "%s", text)
            case "failed", (mistake, text, trace):
                error = MISTAKES.get(mistake, ReportedError)(text)
                error.add_note(f"where it ran:\n{trace}")
                raise error
            case (("opened" | "ended"), _):
                return None
        return ALIVE

    def _frame(self, index: int, captured_ns: int, slot: int, sequence: int) -> Frame:
        if self._mapped is None:
            raise SlotError("a frame came before its memory")
        view, registration, scale_m, clock = self._shared
        return Frame(
            self._source.camera_id,
            index,
            captured_ns,
            view,
            depth_scale_m=scale_m,
            clock=clock,
            registration=registration,
            **self._mapped.read(slot, sequence),
        )

    def _silence(self, limit_s: float) -> str:
        """What a process does that says nothing; it is killed."""
        state = _state_of(self.pid)
        self._process.kill()
        how = {"T": "is stopped (SIGSTOP)", "D": "hangs in the kernel"}.get(state, "hangs")
        return f"its process {how}: it gave no frame and no word for {limit_s:g} s and was killed"

    def _death(self, error: Exception | None = None) -> str:
        """Of what it is gone, or will be at once."""
        if isinstance(error, WireError | SlotError):
            self._process.kill()
            self._process.wait()
            return f"its process sent what cannot be ({error}) and was killed"
        try:
            status = self._process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            return "its process closed its line without a word and was killed"
        if status >= 0:
            return f"its process ended by itself, with exit status {status}"
        name = signal.Signals(-status).name
        if -status == signal.SIGKILL:
            return "its process was killed (SIGKILL), by somebody or for lack of memory"
        return f"its process crashed ({name})" if -status in CRASHES else f"its process was ended ({name})"


ALIVE = object()
CRASHES = {
    signal.SIGSEGV,
    signal.SIGBUS,
    signal.SIGABRT,
    signal.SIGILL,
    signal.SIGFPE,
    signal.SIGTRAP,
    signal.SIGSYS,
}


def _state_of(pid: int) -> str:
    """One letter, as the kernel says it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""
