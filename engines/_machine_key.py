"""The secret by which a user on this machine knows again what it has written, and who else could have written there."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

LENGTH = 32  # bytes


class Untrusted(Exception):
    """A file or a folder that others could have written, or a key that they could have read."""


def machine_key() -> bytes:
    """The key, made where there is none; raises Untrusted or OSError."""
    path = home("XDG_STATE_HOME", ".local/state") / "engines.key"
    if not path.exists():
        make_folder(path.parent)
        _make(path)
    check_folder(path.parent)
    key = read_own(path, hidden=True)
    if len(key) != LENGTH:
        raise Untrusted(f"{path}: has {len(key)} bytes, not {LENGTH}; remove it")
    return key


def home(variable: str, otherwise: str) -> Path:
    """Our folder in one of the user's, which a variable may name, as the XDG base directories say."""
    named = Path(os.environ.get(variable, ""))
    return (named if named.is_absolute() else Path.home() / otherwise) / "sightline"


def make_folder(folder: Path) -> None:
    """It and what is above it, where it is not there, for the user alone."""
    for one in [*reversed(folder.parents), folder]:
        if not one.exists():
            one.mkdir(mode=0o700, exist_ok=True)


def check_folder(folder: Path) -> None:
    """Raises Untrusted where anybody but the user and root could put another file or folder into its place."""
    for one in [folder.resolve(), *folder.resolve().parents]:
        found = one.stat()
        if found.st_uid not in (0, os.geteuid()):
            raise Untrusted(f"{one}: belongs to somebody else; choose another folder")
        keeps_apart = found.st_mode & stat.S_ISVTX and one != folder.resolve()
        if found.st_mode & 0o022 and not keeps_apart:
            raise Untrusted(f"{one}: others can write it; chmod go-w it")


def read_own(path: Path, hidden: bool = False) -> bytes:
    """What is in a file of the user's that nobody else can write, nor read where it is `hidden`."""
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as file:
        found = os.fstat(file.fileno())
        if found.st_uid != os.geteuid() or not stat.S_ISREG(found.st_mode):
            raise Untrusted(f"{path}: is no file of this user; remove it")
        if found.st_mode & (0o077 if hidden else 0o022):
            raise Untrusted(f"{path}: others can {'read' if hidden else 'write'} it; remove it")
        return file.read()


def write_own(path: Path, content: bytes, replaces: bool = True) -> None:
    """Written whole or not at all, for the user alone; where it does not replace, what is there already stays."""
    new = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(
            os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb"
        ) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if replaces:
            new.replace(path)
        else:
            path.hardlink_to(new)
    finally:
        new.unlink(missing_ok=True)


def _make(path: Path) -> None:
    try:
        write_own(path, secrets.token_bytes(LENGTH), replaces=False)
    except FileExistsError:
        return  # another process was quicker: its key is the key
