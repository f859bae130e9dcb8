"""What somebody asks a gallery for, in words or by a picture, as a vector of the model that has made the gallery."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from configs.build import ConfigError, InputError, build
from configs.read import parsed
from pipeline._picture_file import Picture, picture_in, read_picture

MOST_WORDS = 100
FILE = "reid/trained"  # the engine of a file that `train` has written
WHOLE = np.ones((1, 1), np.float32)  # of an embedder that does not say what shows
Vector = NDArray[np.float32]


class Encoder(Protocol):
    """An embedder; one that reads words has `texts` and `unknown` too."""

    model_id: str

    def __call__(self, pictures: Sequence[Picture]) -> NDArray[np.float32]: ...

    def seen(self, pictures: Sequence[Picture]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Of an embedder that says what shows."""


def engine_of(told: str, option: str) -> Any:
    """The engine that an option names, not opened: `{engine: NAME, ...}`, or the name of an embedder's model."""
    if not told.lstrip().startswith("{"):
        return build("engines/embedder", {"model": told, "runtime": "soonest"}, option, object)
    settings = parsed(told, option)
    if not isinstance(settings, dict) or not isinstance(settings.get("engine"), str):
        raise ConfigError(f"{option}: must be like {{engine: embedder, model: NAME}}, got {told!r}")
    name = settings.pop("engine")
    return build(f"engines/{name}", settings, option, object)


def encoder_of(model_id: str) -> Encoder:
    """The model of that name. Raises InputError where it is not here, or is another file."""
    name, _, begins = model_id.rpartition(".")
    if name == "trained":
        text = (
            f"is a file that begins with sha256 {begins}; name it, --model '{{engine: {FILE}, file: FILE}}'"
        )
        raise InputError(f"--model: the gallery's {text}")
    try:
        made: Encoder = engine_of(name, "--model")
    except ConfigError as error:
        text = f"the gallery was made with {model_id}, which is no model that can be asked; {error}"
        raise InputError(f"--model: {text}") from error
    if made.model_id != model_id:
        text = f"the gallery was made with {model_id}, and here is {made.model_id}; bring that file back"
        raise InputError(f"--model: {text}, or let its run begin anew")
    return made


def check_sees(encoder: Encoder) -> None:
    """Raises InputError for a model that words and pictures cannot be compared with."""
    if getattr(encoder, "reads", "depth") != "color":
        raise InputError(
            f"--model: {encoder.model_id} looks at depth, with which neither words nor pictures can be compared; "
            "search a graph whose embedder looks at colour"
        )


def of_words(encoder: Any, text: str) -> tuple[Vector, list[str]]:
    """Of a sentence; and which of its words mean nothing to the model. Raises InputError."""
    words = checked_words(text)
    if not hasattr(encoder, "texts"):
        raise InputError(f"{encoder.model_id} reads no words; search by a picture, --image FILE")
    unknown = [word for word in encoder.unknown(text) if any(map(str.isalnum, word))]
    if all(encoder.unknown(word) for word in words):
        said = f"knows no word of {text!r}"
        raise InputError(f"{encoder.model_id} {said}; say in plain English what somebody wears and carries")
    (vector,) = encoder.texts([text])
    return np.asarray(vector, np.float32), list(dict.fromkeys(unknown))


def checked_words(text: str) -> list[str]:
    """The words of a question. Raises InputError where there are none, or too many."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InputError(f"the question is no text, {text!r}; write it in UTF-8") from None
    words = [word for word in text.split() if any(map(str.isalnum, word))]
    if not words:
        said = f"has no word in it, {text!r}" if text.strip() else "is empty"
        raise InputError(f"the question {said}; say whom to look for, or name a picture with --image")
    if len(words) > MOST_WORDS:
        raise InputError(
            f"the question has {len(words)} words, {MOST_WORDS} at most are read; say it shorter"
        )
    return words


class Shown(NamedTuple):
    """Somebody as a picture shows them: a vector of length 1, and how far each part of it is to be trusted."""

    vector: Vector
    visibility: Vector
    remark: str
    sha256: str


def of_picture(encoder: Encoder, detector: Callable[..., Any] | None, path: Path) -> Shown:
    """Of the person in a picture. Without a detector all of it is taken for them."""
    data, remark = read_picture(path), ""
    picture = picture_in(path, data)
    if detector is not None:
        picture, remark = _person_in(picture, detector, path)
    says = getattr(encoder, "says_what_shows", False)
    vectors, shown = encoder.seen([picture]) if says else (encoder([picture]), WHOLE)
    vector, visibility = vectors[0], shown[0]
    if not np.isfinite(vector).all() or not vector.any() or not visibility.any():
        raise InputError(f"{path}: {encoder.model_id} sees nothing in it; name another picture")
    vector = np.asarray(vector / np.linalg.norm(vector), np.float32)
    return Shown(vector, visibility, remark, sha256(data).hexdigest())


def _person_in(picture: Picture, detector: Callable[..., Any], path: Path) -> tuple[Picture, str]:
    """The largest of the people whom the detector finds."""
    if getattr(detector, "reads", "depth") != "color":
        raise InputError("--detector: finds nobody in colour; name one that reads pictures")
    ((boxes, _),) = detector([picture])
    if not len(boxes):
        raise InputError(f"{path}: shows no person whom the detector finds; name another picture")
    size = np.array(picture.shape[1::-1] * 2)
    left, top, right, bottom = np.clip(boxes, 0, size)[_areas(boxes).argmax()].round().astype(int).tolist()
    others = f", the largest of {len(boxes)} people in it" if len(boxes) > 1 else ""
    remark = f"{path}: searched is who is from {left}, {top} to {right}, {bottom}{others}"
    return picture[top : max(bottom, top + 1), left : max(right, left + 1)], remark


def _areas(boxes: NDArray[Any]) -> NDArray[np.float32]:
    return np.asarray((boxes[:, 2:] - boxes[:, :2]).prod(axis=1), np.float32)
