"""Whether Kafka can be reached with what the user has set, and if not, which of the many things it is: libraries only
say that it took too long. So a server is asked step by step: its name, a connection, TLS, is it Kafka, the user.
"""

from __future__ import annotations

import socket
import ssl
import struct
from contextlib import closing
from typing import Any

from configs.build import InputError
from pipeline.publish._kafka_access import MECHANISM, Access, made
from pipeline.publish._publisher import Unreachable

CONNECTS_WITHIN_S, ANSWERS_WITHIN_S = 5.0, 10.0
EXPIRED, OTHER_NAME, UNKNOWN_SIGNER = (10,), (62, 64), (18, 19, 20, 21)  # OpenSSL's numbers
VERSIONS, HANDSHAKE, AUTHENTICATE = (18, 0), (17, 1), (36, 1)  # Kafka's requests, and which version of them
WRONG_PASSWORD, NO_MECHANISM = 58, 33
LARGEST_ANSWER = 1 << 20


def connected(access: Access) -> Any:
    """An administrator's connection. Raises InputError or Unreachable, and says which of all troubles it is."""
    from kafka import KafkaAdminClient
    from kafka.errors import KafkaError

    look(access)
    try:
        return made(KafkaAdminClient, access, bootstrap_timeout_ms=int(ANSWERS_WITHIN_S * 1000))
    except KafkaError as error:
        more = "" if access.user else "; where it wants a password, say user"
        raise Unreachable(f"{', '.join(access.servers)}: lets nobody in{more}") from error


def look(access: Access) -> None:
    """Return if one of the servers lets us in; else raise what is wrong with them, mistakes first."""
    context, troubles = access.context(), []
    for server in access.servers:
        try:
            _knock(server, context, access)
        except (InputError, Unreachable) as trouble:
            troubles.append(trouble)
        else:
            return
    raise next((one for one in troubles if isinstance(one, InputError)), troubles[0])


def _knock(server: str, context: ssl.SSLContext | None, access: Access) -> None:
    host, _, port = server.rpartition(":")
    host = host.strip("[]")
    try:
        line = socket.create_connection((host, int(port)), CONNECTS_WITHIN_S)
    except socket.gaierror as error:
        raise InputError(f"publish.kafka.servers: host {host!r} is not known here; mend the name") from error
    except OSError as error:
        why = "says nothing" if isinstance(error, TimeoutError) else str(error.strerror or error).lower()
        raise Unreachable(f"{server}: {why}") from error
    with closing(line):
        line.settimeout(ANSWERS_WITHIN_S)
        if context is None:
            _ask(server, line, access)
        else:
            with closing(_wrapped(server, host, line, context)) as wrapped:
                _ask(server, wrapped, access)


def _wrapped(server: str, host: str, line: socket.socket, context: ssl.SSLContext) -> ssl.SSLSocket:
    try:
        return context.wrap_socket(line, server_hostname=host)
    except ssl.SSLCertVerificationError as error:
        raise InputError(_certificate(server, host, error)) from error
    except ssl.SSLError as error:
        text = (
            f"publish.kafka.security: {server} speaks no TLS ({error.reason}); is it plain, or another port?"
        )
        raise InputError(text) from error
    except OSError as error:
        raise Unreachable(f"{server}: ends a TLS connection at once ({error})") from error


def _certificate(server: str, host: str, error: ssl.SSLCertVerificationError) -> str:
    where = f"publish.kafka: {server}: its certificate"
    if error.verify_code in EXPIRED:
        return f"{where} has expired; renew it over there"
    if error.verify_code in OTHER_NAME:
        return f"{where} is not for {host!r}; use the name that it is for, or have one made for this name"
    if error.verify_code in UNKNOWN_SIGNER:
        return f"{where} is signed by nobody who is trusted here; name the signer's PEM file under 'ca'"
    return f"{where} is not good: {error.verify_message}; see its keeper"


def _ask(server: str, line: socket.socket, access: Access) -> None:
    try:
        _request(line, VERSIONS, b"")
        code = _sasl(line, access) if access.user else 0
    except TimeoutError as error:
        raise Unreachable(f"{server}: takes connections, and answers nothing") from error
    except (OSError, ValueError, struct.error) as error:
        more = "" if access.tls else "; where it wants TLS, say security: tls"
        raise Unreachable(f"{server}: does not answer as Kafka does{more}") from error
    if code == NO_MECHANISM:
        raise InputError(
            f"publish.kafka: {server} takes no {MECHANISM}; enable it there, or ask another port"
        )
    if code == WRONG_PASSWORD:
        text = f"publish.kafka: {access.who} is refused: the password is wrong, or there is no such user"
        raise InputError(f"{text}; mend what 'user' and the password say")
    if code:
        raise Unreachable(f"{server}: lets {access.who} not in now (Kafka's error {code})")


def _sasl(line: socket.socket, access: Access) -> int:
    """Come in as the user does; the code that says why not, else 0."""
    from kafka.net.sasl import get_sasl_mechanism

    name = MECHANISM.encode()
    (code,) = struct.unpack_from(">h", _request(line, HANDSHAKE, struct.pack(">h", len(name)) + name))
    talk = get_sasl_mechanism(MECHANISM)(security_protocol=access.protocol, **access.of_sasl())
    while not code and not talk.is_done():
        said = talk.auth_bytes()
        answer = _request(line, AUTHENTICATE, struct.pack(">i", len(said)) + said)
        code, words = struct.unpack_from(">hh", answer)
        if not code:
            start = 4 + max(words, 0)
            (size,) = struct.unpack_from(">i", answer, start)
            talk.receive(answer[start + 4 : start + 4 + size])
    return int(code)


def _request(line: socket.socket, kind: tuple[int, int], body: bytes) -> bytes:
    """One request of Kafka's protocol, and its answer behind the number that says to which request."""
    request = struct.pack(">hhih", *kind, 1, -1) + body
    line.sendall(struct.pack(">i", len(request)) + request)
    size, number = struct.unpack(">ii", _read(line, 8))
    if number != 1 or not 4 <= size <= LARGEST_ANSWER:
        raise ValueError("not an answer of Kafka's")
    return _read(line, size - 4)


def _read(line: socket.socket, size: int) -> bytes:
    read = b""
    while len(read) < size:
        some = line.recv(size - len(read))
        if not some:
            raise ConnectionResetError("ended")
        read += some
    return read
