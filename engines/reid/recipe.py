"""A training as a file of `configs/reid/` describes it: a method with its settings, and a data set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_type_hints

from configs.build import ConfigError, build, checked, closest
from configs.read import read
from engines.reid.method import Method

METHODS, SETS = "engines/reid/methods", "engines/reid/data"


@dataclass(frozen=True)
class Recipe:
    """What is trained, and on what; not where on this machine that lies."""

    method: str  # a file of engines/reid/methods/
    data_set: str  # a file of engines/reid/data/
    settings: dict[str, Any] = field(default_factory=dict)  # of the method
    data_settings: dict[str, Any] = field(default_factory=dict)  # of the data set
    seed: int = 1
    precision: Literal["fp32", "bf16"] = "fp32"  # bf16 on a GPU where that is safe


def read_recipe(path: Path) -> Recipe:
    """The recipe in a file; raises ConfigError, with file and place."""
    told = read(path)
    if not isinstance(told, dict):
        raise ConfigError(f"{path}: must be a map of settings, like configs/reid/clip_reid_market1501.yaml")
    hints, known = get_type_hints(Recipe), [one.name for one in fields(Recipe)]
    for key in told:
        if key not in known:
            raise ConfigError(f"{path}: {key}: a recipe has no such setting{closest(key, known)}")
    for key in ("method", "data_set"):
        if key not in told:
            raise ConfigError(
                f"{path}: {key}: is missing; name one of {METHODS if key == 'method' else SETS}/"
            )
    return Recipe(**{key: checked(value, hints[key], f"{path}: {key}") for key, value in told.items()})


def method_of(name: str, settings: Mapping[str, Any], where: str, weights: str = "") -> Any:
    """The method of that name; raises ConfigError, with the place."""
    return build(f"{METHODS}/{name}", settings, where, Method, {"weights": weights})


def settings_of(method: Any) -> dict[str, Any]:
    """All of a method's settings but where its weights lie on this machine."""
    return {name: value for name, value in asdict(method).items() if name != "weights"}
