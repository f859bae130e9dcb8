"""Where a network camera is and as whom one comes to it. The user and the password stand in no repr, and what names the
camera in messages is the address as the graph file has it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import SplitResult, quote, urlsplit, urlunsplit

from configs.password import password
from pipeline.stage import InputError

SCHEMES = ("rtsp", "rtsps")
PORTS = {"rtsp": 554, "rtsps": 322}  # rtsps as FFmpeg and RFC 7826 have it
USER, PASSWORD = "{user}", "{password}"  # noqa: S105, in an address that wants them in its path
IN_A_PATH = re.compile(r"(?i)(pass|passwd|password|pwd)=(?!\{password\})[^&/]+")


def checked(url: str) -> SplitResult:
    """The parts of an address; raises ValueError, which does not repeat what may be a password."""
    try:
        parts = urlsplit(url)
        has_port = parts.port != 0
    except ValueError:
        raise ValueError("url: is no address; write it like rtsp://192.168.1.20:554/stream1") from None
    if "@" in parts.netloc or IN_A_PATH.search(url):
        raise ValueError(
            "url: bears a user or a password, and graph files are read by others; leave them out, write user:password "
            "into a file with mode 600, and name that as login_file (or a variable, as login_variable); where the "
            "address wants them in its path, write {user} and {password} there"
        )
    if parts.scheme not in SCHEMES or not parts.hostname or not has_port:
        raise ValueError(f"url: must be like rtsp://192.168.1.20:554/stream1 or rtsps://..., got {url!r}")
    return parts


@dataclass(frozen=True)
class Address:
    """A camera on the network; `url` is what may be shown."""

    url: str
    host: str
    port: int
    is_secured: bool
    secret_url: str = field(repr=False)
    has_login: bool = False


def address(url: str, variable: str, file: str, where: str) -> Address:
    """With the user and the password from where they are; raises InputError."""
    parts = checked(url)
    login = password(variable, file, f"{where}.login", holds="user:password")
    user, colon, word = login.partition(":")
    named = f"login_variable: {variable}" if variable else f"login_file: {file}"
    if (variable or file) and not (user and colon):
        raise InputError(f"{where}.{named}: must hold user:password, with a colon between the two")
    if (USER in url or PASSWORD in url) and not login:
        raise InputError(f"{where}.url: wants a user and a password; name login_file or login_variable")
    secret = parts
    if USER in url or PASSWORD in url:
        filled = [_filled(part, user, word) for part in (parts.path, parts.query)]
        secret = parts._replace(path=filled[0], query=filled[1])
    elif login:
        secret = parts._replace(netloc=f"{quote(user, safe='')}:{quote(word, safe='')}@{parts.netloc}")
    port = parts.port or PORTS[parts.scheme]
    host = parts.hostname or ""
    return Address(url, host, port, parts.scheme == "rtsps", urlunsplit(secret), bool(login))


def _filled(text: str, user: str, word: str) -> str:
    return text.replace(USER, quote(user, safe="")).replace(PASSWORD, quote(word, safe=""))
