"""A secret from the environment, or from a file that nobody else may read: never from a file of settings."""

from __future__ import annotations

import os
from pathlib import Path

from configs.build import InputError


def password(variable: str, file: str, where: str, holds: str = "the password") -> str:
    """What `<where>_variable` or `<where>_file` names; nothing where neither does; raises InputError."""
    if variable:
        if not (word := os.environ.get(variable, "")):
            raise InputError(f"{where}_variable: {variable} is not set; export it")
        return word
    if not file:
        return ""
    try:
        mode, text = Path(file).stat().st_mode, Path(file).read_text()
    except (OSError, UnicodeDecodeError) as error:
        why = str(getattr(error, "strerror", None) or "is no text").lower()
        raise InputError(f"{where}_file: {file}: {why}; write {holds} into it") from error
    if mode & 0o077:
        raise InputError(f"{where}_file: {file}: others may read it; chmod 600 {file}")
    return text.rstrip("\r\n")
