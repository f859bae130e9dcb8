"""Keeps compiled networks, and gives back only what this user on this machine has written, byte for byte.

To read a compiled network is to run it as code, so all is checked before a runtime sees one of its bytes. A file is
a line that says what it is, a line of JSON (the recipe, and the sha256 of the engine), its HMAC, and the engine.
"""

from __future__ import annotations

import hmac
import logging
from hashlib import sha256
from pathlib import Path

import msgspec

from engines._machine_key import Untrusted, check_folder, home, machine_key, make_folder, read_own, write_own

log = logging.getLogger(__name__)

FIRST = b"sightline engine 1"


class Recipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All that an engine depends on: where any of it differs, it is another engine."""

    model: str
    files: dict[str, str]  # sha256 by name
    runtime: str
    version: str
    device: str
    capability: str  # what the device can do
    precision: str
    shapes: dict[str, list[int | None]]  # of the inputs
    flags: dict[str, str]

    @property
    def key(self) -> str:
        """The same for the same recipe alone."""
        return sha256(msgspec.json.encode(self, order="deterministic")).hexdigest()

    @property
    def path(self) -> Path:
        """Where its engine lies."""
        return _folder() / f"{self.model}-{self.key}.engine"


class _Kept(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    recipe: Recipe
    sha256: str


def kept(recipe: Recipe) -> bytes | None:
    """The engine of a recipe; none where there is none, or where it cannot be trusted, which is logged."""
    if not recipe.path.exists():
        return None
    try:
        found, engine = _read(recipe.path, machine_key())
        if found.key != recipe.key:
            raise Untrusted(f"{recipe.path}: is the engine of something else")
    except (Untrusted, OSError) as error:
        log.warning("%s; it is not used, and %s is compiled again", error, recipe.model)
        return None
    return engine


def keep(recipe: Recipe, engine: bytes) -> None:
    """Write an engine for the next time; where that cannot be, it is logged."""
    try:
        make_folder(recipe.path.parent)
        check_folder(recipe.path.parent)
        signed = msgspec.json.encode(_Kept(recipe, sha256(engine).hexdigest()), order="deterministic")
        write_own(recipe.path, b"\n".join([FIRST, signed, _signature(machine_key(), signed), engine]))
    except (Untrusted, OSError) as error:
        log.warning("%s; %s is compiled again the next time", error, recipe.model)


def recipes(model: str) -> list[Recipe]:
    """Of all engines of a model that are kept and can be trusted."""
    found = []
    for path in sorted(_folder().glob(f"{model}-*.engine")):
        try:
            recipe, _ = _read(path, machine_key())
        except (Untrusted, OSError) as error:
            log.warning("%s; it is not used", error)
        else:
            found += [recipe] if recipe.path == path else []
    return found


def _read(path: Path, key: bytes) -> tuple[Recipe, bytes]:
    """Raises Untrusted for whatever this user has not written like this."""
    check_folder(path.parent)
    first, _, rest = read_own(path).partition(b"\n")
    signed, _, rest = rest.partition(b"\n")
    signature, _, engine = rest.partition(b"\n")
    if first != FIRST or not hmac.compare_digest(signature, _signature(key, signed)):
        raise Untrusted(f"{path}: was not written by this machine")
    told = msgspec.json.decode(signed, type=_Kept)
    if not hmac.compare_digest(told.sha256, sha256(engine).hexdigest()):
        raise Untrusted(f"{path}: was changed after it was written")
    return told.recipe, engine


def _signature(key: bytes, signed: bytes) -> bytes:
    return hmac.new(key, signed, sha256).hexdigest().encode()


def _folder() -> Path:
    return home("XDG_CACHE_HOME", ".cache") / "engines"
