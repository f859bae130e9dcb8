"""What is known of a model before it is opened: where it comes from, its licence, its files, what goes in and out.

A model is a name: `engines/models/<name>.yaml`. Its files lie in a folder of the user's, never here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import msgspec

from configs.build import ConfigError, closest
from configs.known import known
from configs.read import read
from engines._trusted import trusted_sums

MODELS = Path(__file__).parent / "models"
CHANNELS = {"rgb": 3, "bgr": 3, "grey": 1}
SHA256 = 64  # hexadecimal digits
ENDINGS = {"ultralytics": (".pt",)}  # of the model, by engine; of others .onnx and .xml


class File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of a model, and what its bytes must be. Where its makers say that nowhere, the user must."""

    name: str
    sha256: str = ""  # of what the user vouches for, or empty, where the manifest gives none


class Range(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the network takes for a pixel p of 0 to 255: (p - mean) / scale, one of each for a channel or for all."""

    mean: tuple[float, ...] = (0.0,)
    scale: tuple[float, ...] = (1.0,)


class Input(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The picture that goes in, and how it gets into its size."""

    name: str
    layout: Literal["NCHW", "NHWC"]
    size: tuple[int, int]  # height, width in px
    color: Literal["rgb", "bgr", "grey"]
    range: Range = Range()
    letterbox: int | None = None  # what fills the rest, 0 to 255; none: stretched to the size

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of one picture, as the network takes it."""
        channels = CHANNELS[self.color]
        return (channels, *self.size) if self.layout == "NCHW" else (*self.size, channels)


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A model, as `engines/models/<name>.yaml` describes it. The first of its files is the model, others are its
    weights; all lie in one folder.
    """

    name: str
    task: Literal["detect", "embed"]
    engine: str  # the file in engines/ that decodes what comes out
    source: str
    licence: str
    download: str  # what to fetch and where it goes, in words
    files: tuple[File, ...]
    input: Input
    output: dict[str, Any] = {}  # for the decoder: names, strides, classes, the class of persons
    accuracy: str = "not measured"  # what was measured, and on what


def manifest(name: str) -> Manifest:
    """The manifest of that name, with what the user vouches for; raises ConfigError, with file and place."""
    made = as_shipped(name)
    if all(file.sha256 for file in made.files):
        return made
    sums = trusted_sums(name)
    files = tuple(File(file.name, file.sha256 or sums.get(file.name, "")) for file in made.files)
    return msgspec.structs.replace(made, files=files)


def as_shipped(name: str) -> Manifest:
    """The manifest of that name, with what is in it and no more; raises ConfigError, with file and place."""
    if name not in (choices := models()):
        raise ConfigError(f"model: there is no engines/models/{name}.yaml{closest(name, choices)}")
    return read_manifest(MODELS / f"{name}.yaml")


def models() -> list[str]:
    """The names of all models that there is a manifest of."""
    return sorted(path.stem for path in MODELS.glob("*.yaml"))


def read_manifest(path: Path) -> Manifest:
    """The manifest in a file; raises ConfigError, with file and place."""
    try:
        made = msgspec.convert(read(path), known(Manifest))
    except msgspec.ValidationError as error:
        what, _, place = str(error).partition(" - at `$")
        inside = place.strip("`.") or "manifest"
        raise ConfigError(f"{path}: {inside}: {what[0].lower()}{what[1:]}") from error
    if wrong := _wrong(made, path):
        raise ConfigError(f"{path}: {wrong}")
    return made


def _wrong(made: Manifest, path: Path) -> str:
    """What the types do not say: the place, and what is wrong; empty where nothing is."""
    if made.name != path.stem:
        return f"name: must be {path.stem!r}, as the file is called, got {made.name!r}"
    if not made.files:
        return "files: must name the model, got none"
    for number, file in enumerate(made.files):
        if Path(file.name).name != file.name or "\\" in file.name:
            return f"files[{number}].name: must be a name without a folder, got {file.name!r}"
        if file.sha256 and (len(file.sha256) != SHA256 or set(file.sha256) - set("0123456789abcdef")):
            return f"files[{number}].sha256: must be 64 hexadecimal digits in lower case, got {file.sha256!r}"
    return _wrong_model(made.engine, made.files) or _wrong_input(made.input)


def _wrong_model(engine: str, files: tuple[File, ...]) -> str:
    """A runtime finds weights by itself: all must be named, so that all are checked."""
    first, names = Path(files[0].name), [file.name for file in files]
    endings = ENDINGS.get(engine, (".onnx", ".xml"))
    if first.suffix not in endings:
        return f"files[0].name: must be the model, {' or '.join(endings)}, got {first.name!r}"
    weights = first.with_suffix(".bin").name
    if first.suffix == ".xml" and weights not in names:
        return f"files: must name {weights!r} too, the weights of {first.name!r}"
    return ""


def _wrong_input(made: Input) -> str:
    if min(made.size) < 1:
        return f"input.size: must be height and width in px, got {list(made.size)}"
    for name, values in (("mean", made.range.mean), ("scale", made.range.scale)):
        if len(values) not in (1, CHANNELS[made.color]):
            return f"input.range.{name}: must be one number, or one for each channel, got {list(values)}"
    if 0 in made.range.scale:
        return f"input.range.scale: must not be 0, got {list(made.range.scale)}"
    if made.letterbox is not None and not 0 <= made.letterbox <= 255:
        return f"input.letterbox: must be 0 to 255, got {made.letterbox}"
    return ""
