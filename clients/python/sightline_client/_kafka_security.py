"""How a Kafka consumer proves who it is, and what is wrong where it cannot connect: the host, the certificate or the
password are told apart.
"""

from __future__ import annotations

import logging
import os
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sightline_client._address import Address
from sightline_client.errors import SightlineError

PASSWORD, KEY_PASSWORD = "SIGHTLINE_KAFKA_PASSWORD", "SIGHTLINE_KAFKA_KEY_PASSWORD"
SECURITY = {"plain": "PLAINTEXT", "tls": "SSL", "sasl": "SASL_PLAINTEXT", "sasl_tls": "SASL_SSL"}
MECHANISMS = ("SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN")
KNOCK_S = 10.0
ATTEMPTS_S = (3.0, 12.0)  # a broker may hang up before its refusal has been read


def settings(address: Address) -> dict[str, Any]:
    """What kafka-python is told; whoever has a user but names no `security` means sasl_tls."""
    options = address.options
    security = options.get(
        "security", "sasl_tls" if "user" in options else "tls" if "ca" in options else "plain"
    )
    if security not in SECURITY:
        raise SightlineError(
            f"{address.text}: security must be one of {', '.join(SECURITY)}, got {security!r}"
        )
    chosen: dict[str, Any] = {"security_protocol": SECURITY[security]}
    if security.startswith("sasl"):
        chosen |= _sasl(address)
    elif "user" in options:
        raise SightlineError(f"{address.text}: a user needs security=sasl_tls, got security={security}")
    if security.endswith("tls"):
        chosen["ssl_context"] = _context(address)
    return chosen


def _sasl(address: Address) -> dict[str, Any]:
    mechanism = address.options.get("mechanism", MECHANISMS[0])
    if mechanism not in MECHANISMS:
        raise SightlineError(
            f"{address.text}: mechanism must be one of {', '.join(MECHANISMS)}, got {mechanism!r}"
        )
    if "user" not in address.options:
        raise SightlineError(f"{address.text}: names no user; use kafka://USER@HOST:PORT/SITE")
    if PASSWORD not in os.environ:
        raise SightlineError(f"{address.text}: needs a password; put it into {PASSWORD}")
    return {
        "sasl_mechanism": mechanism,
        "sasl_plain_username": address.options["user"],
        "sasl_plain_password": os.environ[PASSWORD],
    }


def _context(address: Address) -> ssl.SSLContext:
    options = address.options
    try:
        context = ssl.create_default_context(cafile=options.get("ca"))
        if "certificate" in options:
            context.load_cert_chain(options["certificate"], options.get("key"), os.environ.get(KEY_PASSWORD))
    except (OSError, ValueError) as error:
        files = ", ".join(options[name] for name in ("ca", "certificate", "key") if name in options)
        raise SightlineError(f"{address.text}: {files}: cannot be used, {_said(error)}") from error
    return context


def connected(address: Address, chosen: dict[str, Any], kind: Callable[..., Any]) -> Any:
    """What `kind` makes of these settings, connected; raises SightlineError with what it failed of."""
    from kafka.errors import KafkaError

    reasons = [_knock(host, chosen.get("ssl_context")) for host in address.hosts]
    if all(reasons):
        raise SightlineError(f"{address.text}: {reasons[0]}")
    failure: Exception | None = None
    with _heard() as heard:
        for seconds in ATTEMPTS_S:
            try:
                return kind(**chosen, bootstrap_timeout_ms=int(seconds * 1000))
            except KafkaError as error:
                failure = error
            if heard.has_refused:
                break
    raise SightlineError(f"{address.text}: {heard.reason(address) or failure}") from failure


@contextmanager
def _heard() -> Iterator[_Heard]:
    heard, logger = _Heard(), logging.getLogger("kafka")
    before, logger.propagate = logger.propagate, False  # it would say the same many times
    logger.addHandler(heard)
    try:
        yield heard
    finally:
        logger.removeHandler(heard)
        logger.propagate = before


class _Heard(logging.Handler):
    """kafka-python tells its log, not its caller, why a connection failed."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._refusal = self._last = ""

    def emit(self, record: logging.LogRecord) -> None:
        self._last = record.getMessage()
        for refusal in ("SaslAuthenticationFailed", "UnsupportedSaslMechanism"):
            if refusal in self._last:
                self._refusal = refusal

    @property
    def has_refused(self) -> bool:
        return bool(self._refusal)

    def reason(self, address: Address) -> str:
        refuses = f"the broker refuses user {address.options.get('user')!r} or the password in {PASSWORD}"
        mechanism = address.options.get("mechanism", MECHANISMS[0])
        if self._refusal == "SaslAuthenticationFailed":
            return refuses
        if self._refusal:
            return f"the broker does not know {mechanism}; give another mechanism"
        if self._last and "user" in address.options:  # it has hung up before its refusal was read
            return f"{refuses}, or does not know {mechanism}, or is none ({self._last})"
        if self._last:
            return f"there is no Kafka broker that answers with this security ({self._last})"
        return ""


def _knock(host: str, context: ssl.SSLContext | None) -> str:
    """Why nobody can connect there, or nothing."""
    name, _, port = host.rpartition(":")
    name = name.strip("[]")
    try:
        with socket.create_connection((name, int(port)), KNOCK_S) as plain:
            if context is not None:
                with context.wrap_socket(plain, server_hostname=name):
                    pass
    except socket.gaierror:
        return f"host {name!r} is not known"
    except ssl.SSLCertVerificationError as error:
        return f"the certificate of {host} is not good, {error.verify_message}; is 'ca' that of the broker?"
    except ssl.SSLError as error:
        return f"{host} does not speak TLS as asked, {_said(error)}"
    except OSError as error:
        return f"{host} cannot be reached, {_said(error)}"
    return ""


def _said(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error).lower()
