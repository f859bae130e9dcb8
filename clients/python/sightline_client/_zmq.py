"""Hears a running graph over ZeroMQ: what it says from now on, and what of it was missed out of its log, if that can be
read here.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from sightline_client._address import Address
from sightline_client._files import Files
from sightline_client._source import Received, Source
from sightline_client.codec import MOST_BYTES, decode
from sightline_client.errors import SightlineError

SECRET_KEY = "SIGHTLINE_ZMQ_SECRET_KEY"
KEY_CHARACTERS = 40  # of a CURVE key in Z85
MOST_WAITING = 10_000  # messages, in ZeroMQ's own queue; more are gaps
MOST_AT_ONCE = 500
CATCH_UP_S = 1.0  # how far behind the log's position may be, after which a restart would begin there


class Zmq(Source):
    """One publisher, or several. With the `log` of the same run it begins there, and fills gaps from it."""

    def __init__(self, address: Address, families: Collection[str], log: Files | None) -> None:
        self._log, self._address = log, address
        self._socket = _connected(address, families)
        self._is_catching_up, self._caught_up_s = log is not None, 0.0

    def read(self, wait_s: float) -> Sequence[Received]:
        if self._log is not None and (
            self._is_catching_up or time.monotonic() - self._caught_up_s > CATCH_UP_S
        ):
            came = self._log.read(0)
            self._is_catching_up, self._caught_up_s = bool(came), time.monotonic()
            if came:
                return came
        return self._heard(wait_s)

    def skip(self) -> None:
        if self._log is not None:
            self._log.skip()

    @property
    def has_ended(self) -> bool:
        return False

    def missed(self) -> Sequence[Received]:
        return self._log.read(0) if self._log is not None else ()

    @property
    def may_fill_gaps(self) -> bool:
        return self._log is not None

    def close(self) -> None:
        self._socket.close(linger=0)
        if self._log is not None:
            self._log.close()

    def _heard(self, wait_s: float) -> list[Received]:
        import zmq

        came: list[Received] = []
        if self._socket.poll(int(wait_s * 1000)):
            while len(came) < MOST_AT_ONCE:
                try:
                    came.append(self._received(self._socket.recv_multipart(zmq.NOBLOCK)))
                except zmq.Again:
                    break
        return came

    def _received(self, frames: list[bytes]) -> Received:
        try:
            return Received(self._address.text, "", None, decode(frames[-1]))
        except SightlineError as error:
            return Received(self._address.text, "", None, None, str(error))


def _connected(address: Address, families: Collection[str]) -> Any:
    try:
        import zmq
    except ImportError as error:
        raise SightlineError(f"{address.text}: needs pyzmq; pip install 'sightline-client[zmq]'") from error
    made: Any = zmq.Context.instance().socket(zmq.SUB)
    try:
        made.setsockopt(zmq.RCVHWM, MOST_WAITING)
        made.setsockopt(zmq.MAXMSGSIZE, 2 * MOST_BYTES)
        for family in sorted(families):
            made.setsockopt(zmq.SUBSCRIBE, f"{family}/".encode())  # before a message stands family/key
        _secure(made, address)
        for host in address.hosts:
            made.connect(f"tcp://{host}")
    except zmq.ZMQError as error:
        made.close(linger=0)
        raise SightlineError(f"{address.text}: cannot be connected to, {error.strerror}".lower()) from error
    except SightlineError:
        made.close(linger=0)
        raise
    return made


def _secure(socket: Any, address: Address) -> None:
    server_key = address.options.get("server_key")
    if server_key is None:
        if "secret_key_file" in address.options:
            raise SightlineError(f"{address.text}: a secret key needs the publisher's server_key too")
        return
    import zmq

    secret = _key(address, "the secret key", _secret(address))
    socket.curve_serverkey = _key(address, "server_key", server_key)
    socket.curve_secretkey, socket.curve_publickey = secret, zmq.curve_public(secret)


def _secret(address: Address) -> str:
    file = address.options.get("secret_key_file")
    if file is None:
        if SECRET_KEY not in os.environ:
            raise SightlineError(
                f"{address.text}: needs a secret key; put it into {SECRET_KEY}, or give secret_key_file"
            )
        return os.environ[SECRET_KEY]
    path = Path(file)
    try:
        if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise SightlineError(f"{path}: may be read by others; chmod 600 {path}")
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SightlineError(
            f"{path}: cannot be read as a key, {getattr(error, 'strerror', error)}"
        ) from error


def _key(address: Address, name: str, text: str) -> bytes:
    if len(text) != KEY_CHARACTERS or not text.isascii():
        raise SightlineError(
            f"{address.text}: {name} must have {KEY_CHARACTERS} characters (Z85), got {len(text)}"
        )
    return text.encode()
