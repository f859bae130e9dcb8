"""The one secret that all keys of a user's sites are wrapped with: from the environment, or a file that nobody else
may read, made on first use. It lies outside of the folders of runs, so that a copy of one is of no use without it.
"""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from pipeline._store_file import StoreError

LENGTH = 32  # bytes
KEY, FILE = "SIGHTLINE_MASTER_KEY", "SIGHTLINE_MASTER_KEY_FILE"
WANTED = f"must be {2 * LENGTH} hexadecimal digits; make one with openssl rand -hex {LENGTH}"


def master_key(may_make: bool) -> bytearray:
    """The key; made where there is none and it may be. Raises StoreError, which says nothing of the key itself."""
    if (told := os.environ.get(KEY)) is not None:
        return _key(told, KEY)
    path = key_path()
    if may_make and not path.exists():
        _make(path)
    return key_in(path, f"what is kept was sealed with it; put it back, or set {KEY} or {FILE}")


def key_in(path: Path, lost: str) -> bytearray:
    """The key in a file that nobody else may read. Raises StoreError, which says `lost` where there is no such file."""
    return _key(_read(path, lost), str(path))


def key_path() -> Path:
    """The file, wherever the user has said, else among their settings as the XDG base directories say."""
    if told := os.environ.get(FILE):
        return Path(told)
    named = Path(os.environ.get("XDG_CONFIG_HOME", ""))
    return (named if named.is_absolute() else Path.home() / ".config") / "sightline" / "master.key"


def _key(text: str, where: str) -> bytearray:
    try:
        key = bytearray.fromhex(text)
    except ValueError:
        raise StoreError(f"{where}: {WANTED}") from None
    if len(key) != LENGTH:
        raise StoreError(f"{where}: {WANTED}")
    return key


def _read(path: Path, lost: str) -> str:
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_CLOEXEC), encoding="ascii", errors="replace") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise StoreError(f"{path}: is no file; name one that holds a key")
            if found.st_uid not in (0, os.geteuid()):
                raise StoreError(f"{path}: belongs to somebody else; chown it to who runs this")
            if found.st_mode & 0o077:
                raise StoreError(
                    f"{path}: others may read it, mode {found.st_mode & 0o777:04o}; chmod 600 it"
                )
            return file.read(4 * LENGTH)
    except FileNotFoundError:
        raise StoreError(f"{path}: is not there, and {lost}") from None
    except OSError as error:
        raise StoreError(
            f"{path}: cannot be read, {error.strerror}; check its owner and its folder"
        ) from error


def _make(path: Path) -> None:
    """Whole or not at all: whoever finds it there finds all of it."""
    new = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "w") as file:
            file.write(secrets.token_hex(LENGTH) + "\n")
            file.flush()
            os.fsync(file.fileno())
        path.hardlink_to(new)
    except FileExistsError:
        return  # another process was quicker: its key is the key
    except OSError as error:
        raise StoreError(
            f"{path}: cannot be made, {error.strerror}; set {FILE} to a file that can be, or {KEY}"
        ) from error
    finally:
        new.unlink(missing_ok=True)
