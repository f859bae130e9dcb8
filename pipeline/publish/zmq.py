"""Publishes events over ZeroMQ to whoever listens now. Each says its family and key in front, and its `sequence` counts
within these: who sees a number missing finds it in the run's log. Beyond this machine only listed keys may listen.
"""

from __future__ import annotations

import ipaddress
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from configs.build import InputError
from pipeline.publish._publisher import Publisher, Row, Unreachable
from pipeline.zmq_key import KEY, secret_key

ADDRESS = re.compile(r"tcp://(?P<host>\[[0-9a-fA-F:.]+\]|[^:/]+):(?P<port>\d{1,5})")
DOMAIN = "sightline"
LINGER_MS = 1000
MOST_REFUSED = 20  # strangers of whom a log tells; there may be one with a key for every second
log = logging.getLogger(__name__)


@dataclass
class Zmq(Publisher):
    """Listens on loopback; elsewhere it needs its own key and a list of those who may hear it."""

    families: ClassVar[frozenset[str]] = frozenset({"identity", "tracklet", "system"})

    bind: str = "tcp://127.0.0.1:5556"
    secret_key_file: str = ""
    clients_file: str = ""
    most_waiting: int = 10_000
    _context: Any = field(default=None, init=False)
    _socket: Any = field(default=None, init=False)
    _authenticator: Any = field(default=None, init=False)

    def __post_init__(self) -> None:
        if (named := ADDRESS.fullmatch(self.bind)) is None or int(named["port"]) > 65535:
            raise ValueError(f"bind: must be like tcp://127.0.0.1:5556, got {self.bind!r}")
        if self.most_waiting < 1:
            raise ValueError(f"most_waiting must be above 0, got {self.most_waiting}")
        if not self.secret_key_file and not _is_loopback(named["host"]):
            raise ValueError(
                f"bind: {self.bind} is more than loopback, where nothing goes unencrypted; "
                "name secret_key_file and clients_file, or bind to 127.0.0.1"
            )
        if bool(self.secret_key_file) != bool(self.clients_file):
            raise ValueError(
                "secret_key_file and clients_file go together: with a key and no list, anybody may listen"
            )

    def open(self, folder: Path, site: str) -> None:
        """Raises InputError for keys that cannot be read, and an address that cannot be had."""
        import zmq

        keys = (
            (secret_key(self.secret_key_file), _clients(self.clients_file)) if self.secret_key_file else None
        )
        self._context = zmq.Context()  # of its own: only one can say in each who may come
        self._socket = self._context.socket(zmq.PUB)
        self._socket.setsockopt(zmq.SNDHWM, self.most_waiting)
        self._socket.setsockopt(zmq.LINGER, LINGER_MS)
        self._socket.setsockopt(zmq.IPV6, int("[" in self.bind))
        if keys is not None:
            self._admit(*keys)
        try:
            self._socket.bind(self.bind)
        except zmq.ZMQError as error:
            why = zmq.strerror(error.errno or 0).lower()
            raise InputError(f"publish.zmq.bind: {self.bind} cannot be had, {why}; choose another") from error

    def send(self, rows: Sequence[Row]) -> int:
        """All of them: whoever does not listen, or not fast enough, sees it by the next number."""
        if self._socket is None:
            raise Unreachable("it is closed")
        for row in rows:
            self._socket.send_multipart((f"{row.family}/{row.key}".encode(), row.body))
        return len(rows)

    def close(self) -> None:
        sending, self._socket = self._socket, None
        if sending is not None:
            sending.close()
        if self._authenticator is not None:
            self._authenticator.stop()
        if self._context is not None:
            self._context.term()
        self._authenticator = self._context = None

    def _admit(self, secret: bytes, clients: dict[bytes, str]) -> None:
        import zmq
        from zmq.auth.thread import ThreadAuthenticator

        self._authenticator = ThreadAuthenticator(self._context)
        self._authenticator.start()
        self._authenticator.configure_curve_callback(DOMAIN, _Listed(clients))
        self._socket.curve_secretkey = secret
        self._socket.curve_server = True
        self._socket.zap_domain = DOMAIN.encode()
        self._socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)  # nobody to ask means nobody comes in


class _Listed:
    """Whom the authenticator asks about a key."""

    def __init__(self, clients: dict[bytes, str]) -> None:
        self._clients, self._refused = clients, set[bytes]()

    def callback(self, domain: str, key: bytes) -> bool:
        if key in self._clients:
            log.info("publish.zmq: %s listens", self._clients[key])
            return True
        if key not in self._refused and len(self._refused) < MOST_REFUSED:
            self._refused.add(key)
            log.warning("publish.zmq: key %s is not listed, and hears nothing", key.decode())
        return False


def _clients(file: str) -> dict[bytes, str]:
    """Public keys and whose they are: a line each, the key first."""
    try:
        lines = Path(file).read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = str(getattr(error, "strerror", None) or "is no text").lower()
        raise InputError(f"publish.zmq.clients_file: {file}: {why}; list the public keys in it") from error
    clients: dict[bytes, str] = {}
    for number, line in enumerate(lines, 1):
        key, _, name = line.partition(" ")
        if not line.strip() or line.startswith("# "):
            continue
        if not KEY.fullmatch(key):
            raise InputError(
                f"publish.zmq.clients_file: {file}: line {number}: must begin with a public key of 40 characters"
            )
        clients[key.encode()] = name.strip() or key
    if not clients:
        raise InputError(f"publish.zmq.clients_file: {file}: lists nobody; add a public key and a name")
    return clients


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False  # a name, an interface, or all of them
