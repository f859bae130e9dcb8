"""How a thread reads a source that may block: paced if it is replayed, through its gate if it is live, and
never longer than the run lasts.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from pipeline.admission import Gate
from pipeline.executors.channels import Inlet, Outlet, ThreadChannel
from pipeline.graph import Node
from pipeline.messages import Detections, Frame
from pipeline.run import Run

POLL_S = 0.1
GRACE_S = 1.0  # a source that still blocks after this is closed while it reads


class StoppedError(BaseException):
    """The run is stopping: unwinds a worker that was waiting. Not an Exception: nobody's mistake."""


@dataclass(frozen=True)
class _End:
    """Behind the last message of a source; `errors` holds what stopped it, if anything did."""

    errors: tuple[Exception, ...] = ()


def put(outlet: Outlet, value: Any, stop: threading.Event) -> None:
    """Put, as soon as there is room."""
    while not stop.is_set():
        try:
            return outlet.put(value, timeout=POLL_S)
        except queue.Full:
            continue
    raise StoppedError


def arriving(inlet: Inlet, stop: threading.Event) -> Iterator[Any]:
    """What arrives, without end."""
    while not stop.is_set():
        try:
            yield inlet.get(timeout=POLL_S)
        except queue.Empty:
            continue
    raise StoppedError


def read(messages: Iterable[Any], node: Node, run: Run, stop: threading.Event) -> Iterator[Any]:
    """The messages of a source, until they end or the run is finishing."""
    if gate := run.gates.get(node.camera_id):
        return _admitted(messages, gate, run, stop)
    return _replayed(run.asked_for(messages), run, stop)


def _replayed(messages: Iterable[Any], run: Run, stop: threading.Event) -> Iterator[Any]:
    channel, left = ThreadChannel(1), threading.Event()
    reader = threading.Thread(target=_copy, args=(messages, channel, left), daemon=True)
    reader.start()
    try:
        while not run.is_finishing:
            try:
                message = channel.get(POLL_S)
            except queue.Empty:
                if stop.is_set():
                    raise StoppedError from None
                continue
            if isinstance(message, _End):
                for error in message.errors:
                    raise error
                return
            if isinstance(message, Frame | Detections):
                run.wait_for(message.captured_ns)
            yield message
    finally:
        left.set()
        reader.join(GRACE_S)


def _copy(messages: Iterable[Any], outlet: Outlet, left: threading.Event) -> None:
    try:
        for message in messages:
            put(outlet, message, left)
        last = _End()
    except StoppedError:
        return
    except Exception as error:
        last = _End((error,))
    with suppress(StoppedError):
        put(outlet, last, left)


def _admitted(messages: Iterable[Any], gate: Gate, run: Run, stop: threading.Event) -> Iterator[Any]:
    errors: list[Exception] = []
    capture = threading.Thread(target=_capture, args=(messages, gate, run, stop, errors), daemon=True)
    capture.start()
    while (admitted := gate.take()) is not None:
        if stop.is_set():
            raise StoppedError
        if run.is_finishing and capture.is_alive():
            capture.join(GRACE_S)
            gate.end()
        yield from admitted
    for error in errors:
        raise error


def _capture(
    messages: Iterable[Any], gate: Gate, run: Run, stop: threading.Event, errors: list[Exception]
) -> None:
    try:
        for message in messages:
            gate.offer(message)
            if run.is_finishing or stop.is_set():
                break
    except Exception as error:
        errors.append(error)
    finally:
        gate.end()
