"""Keeps compiled networks, and gives back only what this user on this machine has written, byte for byte.

To read a compiled network is to run it as code, so all is checked before a runtime sees one of its bytes. A file is
a line that says what it is, a line of JSON (the recipe, and the sha256 of the engine), its HMAC, and the engine.
"""

from __future__ import annotations

import hmac
import logging
from collections.abc import Collection
from hashlib import sha256
from pathlib import Path

import msgspec

from configs.known import known
from engines._machine_key import Untrusted, check_folder, home, machine_key, make_folder, read_own, write_own

log = logging.getLogger(__name__)

FIRST = b"sightline engine 2"


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
    compared: str  # what was found before it was kept


def kept(recipe: Recipe) -> bytes | None:
    """The engine of a recipe; none where there is none, or where it cannot be trusted, which is logged."""
    if not recipe.path.exists():
        return None
    try:
        found, engine = _read(recipe.path, machine_key())
        if found.recipe.key != recipe.key:
            raise Untrusted(f"{recipe.path}: is the engine of something else")
    except (Untrusted, OSError) as error:
        log.warning("%s; it is not used, and %s is compiled again", error, recipe.model)
        return None
    return engine


def keep(recipe: Recipe, engine: bytes, compared: str = "") -> None:
    """Write an engine for the next time, and how it compared; where that cannot be, it is logged."""
    try:
        make_folder(recipe.path.parent)
        check_folder(recipe.path.parent)
        signed = msgspec.json.encode(
            _Kept(recipe, sha256(engine).hexdigest(), compared), order="deterministic"
        )
        write_own(recipe.path, b"\n".join([FIRST, signed, _signature(machine_key(), signed), engine]))
    except (Untrusted, OSError) as error:
        log.warning("%s; %s is compiled again the next time", error, recipe.model)


def drop(recipe: Recipe) -> None:
    """Remove the engine of a recipe, if there is one; where that cannot be, it is logged."""
    try:
        recipe.path.unlink(missing_ok=True)
    except OSError as error:
        log.warning("%s: cannot be removed, %s", recipe.path, error.strerror)


def recipes(model: str) -> list[Recipe]:
    """Of all engines of a model that are kept and can be trusted."""
    found = []
    for path in sorted(_folder().glob(f"{model}-*.engine")):
        try:
            told, _ = _read(path, machine_key())
        except (Untrusted, OSError) as error:
            log.warning("%s; it is not used", error)
        else:
            found += [told.recipe] if told.recipe.path == path else []
    return found


def latest(recipe: Recipe) -> Recipe | None:
    """Of the engine that was kept last, whatever its shapes are."""
    alike = [
        one for one in recipes(recipe.model) if msgspec.structs.replace(one, shapes=recipe.shapes) == recipe
    ]
    return max(alike, key=lambda one: one.path.stat().st_mtime_ns, default=None)


def comparison(recipe: Recipe) -> str:
    """What was found before an engine was kept."""
    return _read(recipe.path, machine_key())[0].compared


def prune(recipe: Recipe, known: Collection[str]) -> None:
    """Remove what an engine that was just kept makes useless: those of its model from other weights or for another
    version of its runtime, and of models that are not `known`; and whatever cannot be trusted.
    """
    try:
        check_folder(_folder())
        key = machine_key()
    except (Untrusted, OSError):
        return  # nothing was kept either, which has been said
    for path in _folder().glob("*.engine"):
        model = path.name.rpartition("-")[0]
        try:
            if model not in {*known, recipe.model} or (model == recipe.model and _is_past(path, key, recipe)):
                path.unlink(missing_ok=True)
                log.info("%s: removed, its model or its runtime has changed", path)
        except OSError as error:
            log.warning("%s: cannot be removed, %s", path, error.strerror)


def _is_past(path: Path, key: bytes, recipe: Recipe) -> bool:
    try:
        found = _read(path, key)[0].recipe
    except Untrusted:
        return True
    is_other_version = found.runtime == recipe.runtime and found.version != recipe.version
    return found.files != recipe.files or is_other_version


def _read(path: Path, key: bytes) -> tuple[_Kept, bytes]:
    """Raises Untrusted for whatever this user has not written like this."""
    check_folder(path.parent)
    first, _, rest = read_own(path).partition(b"\n")
    signed, _, rest = rest.partition(b"\n")
    signature, _, engine = rest.partition(b"\n")
    if first != FIRST or not hmac.compare_digest(signature, _signature(key, signed)):
        raise Untrusted(f"{path}: was not written by this machine")
    told = msgspec.json.decode(signed, type=known(_Kept))
    if not hmac.compare_digest(told.sha256, sha256(engine).hexdigest()):
        raise Untrusted(f"{path}: was changed after it was written")
    return told, engine


def _signature(key: bytes, signed: bytes) -> bytes:
    return hmac.new(key, signed, sha256).hexdigest().encode()


def _folder() -> Path:
    return home("XDG_CACHE_HOME", ".cache") / "engines"
