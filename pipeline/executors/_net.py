"""Carries words and steps between the hosts of a run, over ZeroMQ: every one is numbered and answered, sent again until
it is, and taken once, so that a connection which breaks loses nothing. One thread has all sockets.
"""

from __future__ import annotations

import os
import queue
import struct
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from secrets import token_bytes
from typing import Any, Protocol

from configs.build import ConfigError
from pipeline.executors._plan import Plan
from pipeline.instances import StageError

TICK_S, BEAT_S, RESEND_S = 0.1, 0.5, 1.0
LINGER_S = 3.0  # for what has been said last to be answered
BODY, ANSWER, BEAT = b"B", b"A", b"H"
NUMBER, NOW = struct.Struct("<8sQI"), struct.Struct("<8sQq")  # the process comes first
NEVER = -1
DOMAIN = "sightline"


class Listener(Protocol):
    """Whom the network tells what it hears. Called by its thread: must not wait."""

    def heard(self, peer: str, channel: int, data: bytes) -> None: ...
    def time_there(self, peer: str, now_ns: int) -> None: ...
    def time_for(self, peer: str) -> int: ...
    def tick(self) -> None: ...


@dataclass
class _Line:
    """Between this host and one other."""

    sent: int = 0
    come: int = 0  # the last number that was taken
    unanswered: deque[tuple[int, int, bytes]] = field(default_factory=deque)
    progress_s: float = 0.0
    silent_s: float = 0.0  # since it was last heard, as long as this process was awake
    is_there: bool = False
    process: bytes = b""  # on the other host


class Net:
    """This host's end of all its lines: to every other one on the first host, and to the first one elsewhere."""

    def __init__(self, plan: Plan, host: str, listener: Listener) -> None:
        self._plan, self._host, self._listener = plan, host, listener
        self._process, self.has_begun = token_bytes(8), False
        self._peers = plan.others if host == plan.first else [plan.first]
        self._lines = {peer: _Line() for peer in self._peers}
        self._outgoing: queue.SimpleQueue[tuple[str, int, bytes]] = queue.SimpleQueue()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK)
        self._closing = threading.Event()
        self.failure: Exception | None = None
        self._context, self._socket, self._door = _opened(plan, host)
        self._thread = threading.Thread(target=self._run, name="net", daemon=True)
        self._thread.start()

    def listen(self, listener: Listener) -> None:
        """From now on this one hears everything."""
        self._listener = listener

    def send(self, peer: str, channel: int, data: bytes) -> None:
        """Any thread may."""
        self._outgoing.put((peer, channel, data))
        os.eventfd_write(self._wake, 1)

    def is_there(self, peer: str) -> bool:
        return self._lines[peer].is_there

    def silent_s(self, peer: str) -> float:
        """How long nothing has been heard of it."""
        return self._lines[peer].silent_s

    def close(self, linger_s: float = LINGER_S) -> None:
        """Wait until the others have answered, but not for long."""
        until_s = time.monotonic() + linger_s
        while time.monotonic() < until_s and self._thread.is_alive() and self._has_more():
            time.sleep(TICK_S / 10)
        self._closing.set()
        self._thread.join()
        if self._door is not None:
            self._door.stop()
        self._socket.close(linger=0)
        self._context.term()
        os.close(self._wake)

    def _has_more(self) -> bool:
        return not self._outgoing.empty() or any(line.unanswered for line in self._lines.values())

    def _run(self) -> None:
        try:
            self._serve()
        except Exception as error:  # told to whoever looks: a thread has nobody above it
            self.failure = error

    def _serve(self) -> None:
        import zmq

        poller = zmq.Poller()
        poller.register(self._socket, zmq.POLLIN)
        poller.register(self._wake, zmq.POLLIN)
        beat_s = 0.0
        while not self._closing.is_set():
            began_s = time.monotonic()
            ready = dict(poller.poll(int(TICK_S * 1000)))
            # a pause of this process, which may have been stopped, is not the silence of another host
            passed_s = min(time.monotonic() - began_s, 2 * TICK_S)
            for line in self._lines.values():
                line.silent_s += passed_s
            if self._wake in ready:
                os.eventfd_read(self._wake)
                self._send_waiting()
            if self._socket in ready:
                self._receive_all()
            now_s = time.monotonic()
            if now_s - beat_s >= BEAT_S:
                beat_s = now_s
                self._beat(now_s)
            self._listener.tick()

    def _send_waiting(self) -> None:
        while True:
            try:
                peer, channel, data = self._outgoing.get_nowait()
            except queue.Empty:
                return
            line = self._lines[peer]
            line.sent += 1
            if not line.unanswered:
                line.progress_s = time.monotonic()
            line.unanswered.append((line.sent, channel, data))
            self._put(peer, BODY, NUMBER.pack(self._process, line.sent, channel), data)

    def _beat(self, now_s: float) -> None:
        for peer, line in self._lines.items():
            self._put(peer, BEAT, NOW.pack(self._process, line.come, self._listener.time_for(peer)))
            if line.unanswered and line.is_there and now_s - line.progress_s > RESEND_S:
                line.progress_s = now_s
                for number, channel, data in line.unanswered:
                    self._put(peer, BODY, NUMBER.pack(self._process, number, channel), data)

    def _put(self, peer: str, *parts: bytes) -> None:
        """What cannot go now goes again later."""
        import zmq

        address = (peer.encode(),) if self._host == self._plan.first else ()
        with suppress(zmq.Again):
            self._socket.send_multipart([*address, *parts], zmq.NOBLOCK)

    def _receive_all(self) -> None:
        import zmq

        while True:
            try:
                frames = self._socket.recv_multipart(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                return
            peer = self._plan.first
            if self._host == self._plan.first:
                peer = bytes(frames[0].buffer).decode(errors="replace")
                if not self._is_peer(peer, frames[0]):
                    continue
                frames = frames[1:]
            self._take(peer, [bytes(frame.buffer) for frame in frames])

    def _is_peer(self, peer: str, frame: Any) -> bool:
        """Whether it is who it says: its key, which ZAP has checked, is that host's."""
        if peer not in self._lines:
            return False
        return not self._plan.is_encrypted or frame.get("User-Id") == self._plan.hosts[peer].public_key

    def _take(self, peer: str, parts: list[bytes]) -> None:
        line = self._lines[peer]
        if line.process != parts[1][:8]:
            line = self._begun_anew(peer, parts[1][:8])
        line.silent_s, line.is_there = 0.0, True
        match parts:
            case [b"B", head, data]:
                _, number, channel = NUMBER.unpack(head)
                if number == line.come + 1:
                    line.come = number
                    self._listener.heard(peer, channel, data)
                # what is missing comes again
                self._put(peer, ANSWER, NOW.pack(self._process, line.come, NEVER))
            case [b"A" | b"H" as kind, told]:
                _, come, now_ns = NOW.unpack(told)
                while line.unanswered and line.unanswered[0][0] <= come:
                    line.unanswered.popleft()
                    line.progress_s = time.monotonic()
                if kind == BEAT:
                    self._listener.time_there(peer, now_ns)

    def _begun_anew(self, peer: str, process: bytes) -> _Line:
        """Another process speaks for that host: before a run it may have been started again, in a run it may not."""
        line = self._lines[peer]
        if line.process and (self.has_begun or self._host != self._plan.first):
            text = "another process speaks for it now; has it been started again, or twice?"
            raise StageError(f"host {peer!r}: {text}")
        if line.process:
            line = self._lines[peer] = _Line()
        line.process = process
        return line


def _opened(plan: Plan, host: str) -> tuple[Any, Any, Any]:
    """A context, the socket, and the authenticator behind it."""
    import zmq
    from zmq.auth.thread import ThreadAuthenticator

    is_first = host == plan.first
    secret = _secret(plan, host) if plan.is_encrypted else b""
    context, door = zmq.Context(), None
    try:
        if is_first and plan.is_encrypted:
            door = ThreadAuthenticator(context)
            door.start()
            door.configure_curve_callback(DOMAIN, _Listed(plan))
        socket = context.socket(zmq.ROUTER if is_first else zmq.DEALER)
        socket.set(zmq.SNDHWM, 0)  # every channel has a window of its own
        socket.set(zmq.RCVHWM, 0)
        if secret:
            socket.curve_secretkey, socket.curve_publickey = secret, plan.hosts[host].public_key.encode()
        if is_first:
            if secret:
                socket.set(zmq.ZAP_DOMAIN, DOMAIN.encode())
                socket.set(zmq.ZAP_ENFORCE_DOMAIN, 1)  # nobody comes in where nobody stands at the door
            socket.set(zmq.ROUTER_HANDOVER, 1)  # a host that connects again is the same host
            socket.curve_server = bool(secret)
            socket.bind(plan.address)
        else:
            socket.set(zmq.ROUTING_ID, host.encode())
            socket.set(zmq.IMMEDIATE, 1)
            if secret:
                socket.curve_serverkey = plan.hosts[plan.first].public_key.encode()
            socket.connect(plan.address)
    except BaseException as error:
        if door is not None:
            door.stop()
        context.destroy(linger=0)
        if isinstance(error, zmq.ZMQError):
            text = f"{plan.path}: hosts.{plan.first}.address: {plan.address}: {error.strerror.lower()}"
            raise ConfigError(f"{text}; it must be an address of this machine, and free") from error
        raise
    return context, socket, door


def _secret(plan: Plan, host: str) -> bytes:
    """The secret key of this host, if it belongs to the public one that the others know."""
    import zmq

    secret = plan.secret(host)
    try:
        is_own = zmq.curve_public(secret).decode() == plan.hosts[host].public_key
    except (ValueError, zmq.ZMQError):
        is_own = False
    if not is_own:
        text = "is not the one that belongs to the secret key of this host; put that here, on all hosts"
        raise ConfigError(f"{plan.path}: hosts.{host}.public_key: {text}")
    return secret


class _Listed:
    """Says to ZAP which keys may come in."""

    def __init__(self, plan: Plan) -> None:
        self._keys = {plan.hosts[name].public_key for name in plan.others}

    def callback(self, _domain: str, key: bytes) -> bool:
        return key.decode() in self._keys
