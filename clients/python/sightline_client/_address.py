"""What a source's address says. A password never stands in one: it comes from the environment."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from sightline_client.errors import SightlineError

LOGS = {"events.jsonl": ("identity", "tracklet"), "system.jsonl": ("system",)}
FORMS = "kafka://HOST:PORT/SITE, zmq://HOST:PORT, a run's folder or its events.jsonl"
OPTIONS = {
    "kafka": ("security", "user", "mechanism", "ca", "certificate", "key"),
    "zmq": ("server_key", "secret_key_file"),
}


@dataclass(frozen=True)
class Address:
    """`kind` is kafka, zmq or file."""

    text: str  # as given, to say in errors
    kind: str
    hosts: tuple[str, ...] = ()  # host:port
    site: str = ""
    path: Path = Path()
    options: dict[str, str] = field(default_factory=dict)


def parse(source: str | Path, options: dict[str, str]) -> Address:
    """Raises SightlineError, with what such an address looks like."""
    text = str(source)
    if isinstance(source, Path) or "://" not in text:
        return _file(text, Path(text), options)
    try:
        url = urlsplit(text)
        given = dict(parse_qsl(url.query, keep_blank_values=True, strict_parsing=bool(url.query)))
    except ValueError as error:
        raise SightlineError(f"{text}: is no address, {error}; use {FORMS}") from error
    if url.scheme == "file":
        return _file(text, Path(unquote(url.path)), {**given, **options})
    if url.scheme not in OPTIONS:
        raise SightlineError(f"{text}: is none of {FORMS}")
    userinfo, _, hosts = url.netloc.rpartition("@")
    shown = f"{url.scheme}://{hosts}{url.path}"
    if ":" in userinfo:
        raise SightlineError(f"{shown}: has a password in it; put it into SIGHTLINE_KAFKA_PASSWORD instead")
    if userinfo:
        given.setdefault("user", unquote(userinfo))
    site = unquote(url.path.strip("/"))
    if url.scheme == "kafka" and (not site or "/" in site):
        raise SightlineError(f"{shown}: names no site; use kafka://HOST:PORT/SITE")
    return Address(
        shown,
        url.scheme,
        _hosts(shown, hosts),
        site,
        options=_checked(shown, url.scheme, {**given, **options}),
    )


def _file(text: str, path: Path, options: dict[str, str]) -> Address:
    for name in options:
        raise SightlineError(f"{text}: a file has no option {name!r}")
    return Address(text, "file", path=path)


def _hosts(shown: str, netloc: str) -> tuple[str, ...]:
    hosts = tuple(netloc.split(","))
    for host in hosts:
        name, _, port = host.rpartition(":")
        if not name or not port.isdecimal() or not 0 < int(port) < 65536:
            raise SightlineError(f"{shown}: {host or 'nothing'!r} is no HOST:PORT")
    return hosts


def _checked(shown: str, kind: str, options: dict[str, str]) -> dict[str, str]:
    for name in options:
        if name not in OPTIONS[kind]:
            raise SightlineError(f"{shown}: has no option {name!r}; there are {', '.join(OPTIONS[kind])}")
    return options
