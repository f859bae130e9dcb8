"""Keys for ZeroMQ: makes one (python -m pipeline.zmq_key FILE), and reads the secret half of one."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from configs.build import InputError

KEY = re.compile(r"[0-9a-zA-Z.\-:+=^!/*?&<>()\[\]{}@%$#]{40}")  # Z85


def make(file: Path) -> str:
    """Write a secret key into a new file that only its owner may read; answers the public one. Raises InputError."""
    import zmq

    public, secret = zmq.curve_keypair()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as written:
            written.write(secret + b"\n")
    except FileExistsError:
        raise InputError(f"{file}: is there already; choose another name") from None
    except OSError as error:
        why = str(error.strerror).lower()
        raise InputError(f"{file}: cannot be written, {why}; choose another place") from error
    return public.decode()


def secret_key(file: str) -> bytes:
    """Raises InputError for a file that others may read, or that holds none."""
    try:
        mode, text = Path(file).stat().st_mode, Path(file).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        why = str(getattr(error, "strerror", None) or "is no text").lower()
        raise InputError(f"{file}: {why}; python -m pipeline.zmq_key {file} makes a key") from error
    if mode & 0o077:
        raise InputError(f"{file}: others may read it; chmod 600 {file}")
    if not KEY.fullmatch(text):
        raise InputError(f"{file}: holds no secret key; python -m pipeline.zmq_key makes one in a new file")
    return text.encode()


def main(arguments: list[str]) -> int:
    """Make a key in a new file, and print its public half."""
    if len(arguments) != 1 or arguments[0].startswith("-"):
        sys.stderr.write("usage: python -m pipeline.zmq_key FILE\n")
        return 2
    try:
        sys.stdout.write(f"{make(Path(arguments[0]))}\n")
    except InputError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
