"""Which files the user vouches for, of those whose makers say nowhere what their bytes are.

One file of the user's says so: a line for each, its sha256 and then model/file, as sha256sum writes it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from configs.build import ConfigError
from engines._machine_key import Untrusted, check_folder, home, make_folder, read_own, write_own

LINE = re.compile(r"([0-9a-f]{64})  ([^/]+)/([^/]+)")


def trusted_sums(model: str) -> dict[str, str]:
    """The sha256 by the name of each file of a model that the user vouches for; raises ConfigError where somebody
    else could have said so.
    """
    return {file: sum256 for (named, file), sum256 in _read().items() if named == model}


def trust_sums(model: str, sums: Mapping[str, str]) -> Path:
    """Vouch for these files of a model, and for none of it that was there before; gives where that is written."""
    path = _path()
    kept = {key: sum256 for key, sum256 in _read().items() if key[0] != model}
    every = kept | {(model, file): sum256 for file, sum256 in sums.items()}
    text = "".join(f"{sum256}  {named}/{file}\n" for (named, file), sum256 in sorted(every.items()))
    try:
        make_folder(path.parent)
        check_folder(path.parent)
        write_own(path, text.encode())
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written, {error.strerror}; make room, or mend it") from error
    except Untrusted as error:
        raise ConfigError(str(error)) from error
    return path


def _read() -> dict[tuple[str, str], str]:
    path = _path()
    if not path.exists():
        return {}
    try:
        check_folder(path.parent)
        lines = read_own(path).decode("utf-8", "replace").splitlines()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read, {error.strerror}; mend it, or remove it") from error
    except Untrusted as error:
        raise ConfigError(f"{error}, and trust again what you trust") from error
    found = {}
    for number, line in enumerate(lines, 1):
        if not (parts := LINE.fullmatch(line)):
            raise ConfigError(
                f"{path}: line {number}: must be a sha256 and model/file, got {line!r}; mend it"
            )
        found[parts[2], parts[3]] = parts[1]
    return found


def _path() -> Path:
    return home("XDG_CONFIG_HOME", ".config") / "trusted.sha256"
