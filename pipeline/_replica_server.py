"""Answers questions about a gallery on loopback, as JSON over HTTP."""

from __future__ import annotations

import io
import ipaddress
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline.replica import QueryError, Replica
from pipeline.stage import InputError

HOST = "127.0.0.1"  # what people look like is nobody else's business
MOST_BYTES, MOST_FOUND = 1 << 20, 1000
MOST_UNREAD = 16 << 20
WAITS_S = 10.0
STATUS = {
    "unknown_identity": HTTPStatus.NOT_FOUND,
    "unknown_path": HTTPStatus.NOT_FOUND,
    "not_from_here": HTTPStatus.FORBIDDEN,
    "too_large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
}  # of all others: 400
log = logging.getLogger(__name__)


@contextmanager
def answering(replica: Replica, port: int) -> Iterator[str]:
    """While inside, questions are answered at this address. Raises InputError where the port is taken."""
    kind = type("Handler", (_Handler,), {"replica": replica})
    try:
        server = ThreadingHTTPServer((HOST, port), kind)
    except OSError as error:
        text = f"nobody can listen on {HOST}:{port}, {error.strerror}; choose another port"
        raise InputError(f"--port: {text}") from error
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, name="answers", daemon=True)
    thread.start()
    try:
        yield f"http://{HOST}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    replica: Replica
    timeout = WAITS_S

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        said = self.headers.get("Content-Length", "")
        size = int(said) if said.isdecimal() else MOST_BYTES + 1
        if size <= MOST_BYTES:
            self._answer(self.rfile.read(size))
        else:
            self._skip(min(size, MOST_UNREAD) if said else 0)
            self._say(
                QueryError("too_large", f"a question takes {MOST_BYTES} bytes at most, and says how many")
            )

    def log_message(self, format: str, *arguments: Any) -> None:
        log.debug(format, *arguments)

    def _skip(self, left: int) -> None:
        """Whoever is still sending hears no answer."""
        while left > 0 and (some := self.rfile.read1(MOST_BYTES)):
            left -= len(some)

    def _answer(self, body: bytes) -> None:
        try:
            if not _is_here(self.headers.get("Host", "")):
                raise QueryError("not_from_here", "questions are answered on this machine alone")
            answer = self._found(body)
        except QueryError as error:
            self._say(error)
        else:
            self._send(HTTPStatus.OK, answer)

    def _found(self, body: bytes) -> Any:
        asked = urlsplit(self.path)
        said = {name: values[-1] for name, values in parse_qs(asked.query, keep_blank_values=True).items()}
        most = _most(said.get("most", "5"))
        match [self.command, *(unquote(part) for part in asked.path.strip("/").split("/"))]:
            case ["GET", "status"]:
                return self.replica.status()
            case ["GET", "people"]:
                return self.replica.present(with_lost="lost" in said)
            case ["GET", "people", name]:
                return self.replica.person(name)
            case ["GET", "people", name, "like"]:
                return self.replica.like(name, most)
            case ["POST", "like"]:
                return self.replica.like_vector(vector_in(body), said.get("kind", ""), most)
        raise QueryError("unknown_path", f"{self.command} {asked.path} is no question that is answered here")

    def _say(self, error: QueryError) -> None:
        status = STATUS.get(error.kind, HTTPStatus.BAD_REQUEST)
        self._send(status, {"error": error.kind, "message": str(error)})

    def _send(self, status: HTTPStatus, answer: Any) -> None:
        body = msgspec.json.encode(answer) + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)


def vector_in(body: bytes) -> NDArray[np.float32]:
    """One vector, as NumPy saves it. Raises QueryError."""
    try:
        vector = np.load(io.BytesIO(body), allow_pickle=False)
    except (ValueError, EOFError, OSError, SyntaxError, MemoryError) as error:
        raise QueryError("bad_vector", "this is no .npy file with numbers in it") from error
    if not isinstance(vector, np.ndarray) or vector.dtype.kind != "f" or vector.ndim != 1:
        raise QueryError("bad_vector", "a vector is one row of floating-point numbers")
    return vector.astype(np.float32)


def _most(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MOST_FOUND:
        raise QueryError("bad_number", f"most must be from 1 to {MOST_FOUND}, got {text!r}")
    return int(text)


def _is_here(host: str) -> bool:
    """A page that a browser here shows may ask, under a name that leads here; it does not get an answer."""
    name = urlsplit(f"//{host}").hostname or ""
    try:
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
