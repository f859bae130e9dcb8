"""Shares the cameras out among processes. Each takes its own through every stage before which nothing brings cameras
together; those that know the whole site, and the log, stay in this process. A frame never leaves the process that
read it: what travels is small. Within a process one thread pulls (inline.py), so nobody waits for a lock.

For input that can wait, as fast as it goes. A process is a copy of this one (fork), which has loaded everything.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
import time
import traceback
import warnings
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import partial
from typing import Any, NoReturn

import cv2

from configs.build import ConfigError
from pipeline.cuts import Cut
from pipeline.executors._apart import Share, carried, shared_out, single
from pipeline.executors._link import FINISH, GO, LogSender, Receiver, Sender, plain, tallies
from pipeline.executors.inline import Pulled
from pipeline.executors.reading import POLL_S, StoppedError
from pipeline.graph import Graph
from pipeline.instances import StageError
from pipeline.order import END, Step, merge
from pipeline.placement import LOG, Placement
from pipeline.run import Run
from pipeline.stage import InputError
from pipeline.watch import Tally
from pipeline.worker import deliver

GRACE_S = 1.0  # what has been told to stop and is not done after this is killed
COUNTS_EVERY_S = 1.0  # what it has counted is told to the process where somebody may ask
AT_ONCE_S = 0.3  # and this soon where nobody wants to wait
CLOSES_S = 10.0  # and one that has given its last step
MISTAKES = {"InputError": InputError, "StageError": StageError}


def unfit(graph: Graph, speed: float) -> str:
    """Why a graph cannot run like this, or nothing."""
    for node in graph.sources:
        if node.is_live:
            return f"{node.where}: a live camera cannot run in a process of its own; use --executor threads"
    if where := carried(graph):
        return f"{where}: would get frames from other processes; use --executor threads"
    if speed > 0:
        return "--executor processes goes as fast as it can; leave --speed out, or use threads"
    return ""


def run(graph: Graph, run: Run, most: int = 0) -> None:
    """Run to the end, or until a stage fails, in `most` processes beside this one; else one for each core."""
    if why := unfit(graph, run.speed):
        raise ConfigError(why)
    shares = shared_out(graph, most or len(os.sched_getaffinity(0)))
    with ExitStack() as closing:
        parts = _started(shares, run, closing)
        run.watch.fills = lambda: {edge: fill for part in parts for edge, fill in part.fills().items()}
        pulled = Pulled(Placement(single(graph)), run, closing)
        for edge in {edge: None for part in parts for edge in part.share.edges}:
            pulled.streams[edge] = _together(
                [part.stream(edge) for part in parts if edge in part.share.edges]
            )
        here = {name for part in parts for name in part.share.shards}
        placement = Placement(single(graph))
        pulled.add([name for name in placement.shards if name not in here])
        pulled.open()
        for part in parts:
            part.wait_until_opened()
        run.opened()
        for part in parts:
            part.tell(GO)
        deliver(pulled.into(placement.reads[LOG], LOG), run)
        pulled.end()
        for part in parts:
            part.wait_until_closed()


def _started(shares: list[Share], run: Run, closing: ExitStack) -> list[_Part]:
    parts: list[_Part] = []
    closing.push(partial(_stop, parts))
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)  # its threads would not live on in a copy of this process, and be waited for
    try:
        for share in shares:
            parts.append(_Part(share, run, [part.end for part in parts]))
    finally:
        cv2.setNumThreads(threads)
    return parts


def _stop(parts: list[_Part], kind: type[BaseException] | None, *_: object) -> None:
    """End all processes; an error that is no Exception, like Ctrl-C, is somebody who does not want to wait."""
    hurries = kind is not None and not issubclass(kind, Exception)
    until_s = time.monotonic() + (AT_ONCE_S if hurries else GRACE_S)
    for part in parts:
        part.tell_to_stop()
    for part in parts:
        part.stop(until_s)


def _together(streams: list[Iterator[Step]]) -> Iterator[Step]:
    return (step.by_camera() for step in merge(streams)) if len(streams) > 1 else streams[0]


class _Part:
    """A process with cameras of its own, seen from the one that brings them together."""

    def __init__(self, share: Share, run: Run, others: list[socket.socket]) -> None:
        self.share, self._run = share, run
        self._waiting: dict[tuple[str, str], deque[Step]] = {edge: deque() for edge in share.edges}
        self._tallies: dict[str, Tally] = {}  # what it has counted, by node
        self._is_open = self._is_told = self._has_ended = False
        self.end, theirs = socket.socketpair()
        with warnings.catch_warnings():  # of other threads: they hold no lock that the copy takes
            warnings.simplefilter("ignore", DeprecationWarning)
            self._pid = os.fork()
        if not self._pid:
            for end in (self.end, *others):
                end.close()
            _work(share, run, theirs)
        theirs.close()
        self._link = Receiver(self.end)

    def stream(self, edge: tuple[str, str]) -> Iterator[Step]:
        """What goes over one edge; reads on, for all of them, where nothing has come yet."""
        waiting = self._waiting[edge]
        while True:
            while not waiting:
                self._hear()
            yield waiting.popleft()

    def fills(self) -> dict[tuple[str, str], tuple[int, int]]:
        """How many of its steps wait for those of others; a bound there is only in its socket."""
        return {edge: (len(steps), 0) for edge, steps in self._waiting.items()}

    def wait_until_opened(self) -> None:
        while not self._is_open:
            self._hear()

    def wait_until_closed(self) -> None:
        until_s = time.monotonic() + CLOSES_S
        while not self._has_ended and time.monotonic() < until_s:
            self._hear()

    def tell(self, word: bytes) -> None:
        with suppress(EOFError):  # what it died of is heard
            self._link.tell(word)

    def tell_to_stop(self) -> None:
        with suppress(OSError):
            self.end.shutdown(socket.SHUT_WR)

    def stop(self, until_s: float) -> None:
        """End the process; what it has counted is still heard. One that does not listen is killed."""
        with suppress(EOFError):
            while not self._has_ended and (left_s := until_s - time.monotonic()) > 0:
                self._take(self._link.hear(left_s), is_stopping=True)
        if not self._has_ended:
            os.kill(self._pid, signal.SIGKILL)
        self.end.close()
        os.waitpid(self._pid, 0)

    def _hear(self) -> None:
        if self._run.is_finishing and not self._is_told:
            self._is_told = True
            self.tell(FINISH)
        try:
            self._take(self._link.hear(POLL_S))
        except EOFError:
            raise StageError(
                f"{self._name}: its process has died; has it been killed, or memory run out?"
            ) from None

    def _take(self, heard: tuple[str, Any] | None, is_stopping: bool = False) -> None:
        match heard:
            case "steps", steps:
                if not is_stopping:
                    self._sort(steps)
            case "opened", _:
                self._is_open = True
            case "log", (name, level, text):
                logging.getLogger(name).log(level, "%s", text)
            case "failed", (kind, text, trace):
                if not is_stopping:
                    raise _failure(kind, text, trace)
            case "counted" | "ended" as kind, counted:
                self._has_ended = kind == "ended"
                for id, tally in tallies(counted).items():
                    if id not in self._tallies:
                        self._tallies[id] = self._run.watch.tally(id)
                    self._tallies[id].become(tally)

    def _sort(self, steps: Any) -> None:
        waiting = list(self._waiting.values())
        for place, given in steps:
            nothing = Step(place)
            full = dict(given)
            for number, queue in enumerate(waiting):
                queue.append(full.get(number, nothing))

    @property
    def _name(self) -> str:
        return " and ".join(sorted(self.share.camera_ids))


def _failure(kind: str, text: str, trace: str) -> Exception:
    error = MISTAKES[kind](text)
    error.add_note(f"where it ran:\n{trace}")
    return error


def _work(share: Share, run: Run, end: socket.socket) -> NoReturn:
    """All that the other process does. It never returns to what it is a copy of."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # they reach every process; the first one decides
    sender = Sender(end)
    logging.getLogger().handlers = [LogSender(sender)]
    run = replace(run, start=_own(run.start, share), watch=type(run.watch)())
    listening = _Listening(end, run)
    try:
        _give(share, run, sender, listening)
    except (StoppedError, BrokenPipeError, ConnectionResetError):
        pass
    except Exception as error:
        kind = next((name for name, one in MISTAKES.items() if isinstance(error, one)), "StageError")
        with suppress(OSError):
            sender.say("failed", (kind, str(error), "".join(traceback.format_exception(error))))
    finally:
        with suppress(OSError):
            sender.say("ended", plain(run.watch.totals))
        os._exit(0)


def _give(share: Share, run: Run, sender: Sender, listening: _Listening) -> None:
    """Open, and give steps until END; every edge gives some at its own places."""
    with ExitStack() as closing:
        pulled = Pulled(share.placement, run, closing)
        pulled.add(share.shards)
        pulled.open()
        sender.say("opened", None)
        listening.wait_until_it_may_go()
        edges = [pulled.streams[edge] for edge in share.edges]
        heads = [next(steps) for steps in edges]
        place, due_s = (-1, "", 0), time.monotonic() + COUNTS_EVERY_S
        while place != END:
            place = min(head.place for head in heads)
            due = [number for number, head in enumerate(heads) if head.place == place]
            sender.step(place, [(number, heads[number]) for number in due])
            if time.monotonic() > due_s:
                sender.say("counted", plain(run.watch.totals))
                due_s = time.monotonic() + COUNTS_EVERY_S
            listening.check()
            for number in due if place != END else ():
                heads[number] = next(edges[number])
        pulled.end()


class _Listening:
    """To what the other side says, in a thread: that it may go, that it shall finish, and that it is gone."""

    def __init__(self, end: socket.socket, run: Run) -> None:
        self._go, self._gone = threading.Event(), threading.Event()
        threading.Thread(target=partial(self._listen, end, run), daemon=True).start()

    def wait_until_it_may_go(self) -> None:
        while not self._go.wait(POLL_S):
            self.check()

    def check(self) -> None:
        if self._gone.is_set():
            raise StoppedError

    def _listen(self, end: socket.socket, run: Run) -> None:
        with suppress(OSError):
            while word := end.recv(1):
                if word == GO:
                    self._go.set()
                else:
                    run.finish()
        self._gone.set()


def _own(start: Cut, share: Share) -> Cut:
    """Without the states of other cameras."""
    own = {*share.camera_ids, ""}
    states = {id: {c: s for c, s in by.items() if c in own} for id, by in start.states.items()}
    return replace(start, states=states)
