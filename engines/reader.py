"""Turns texts into vectors that those of pictures are compared with, with a network that knows some hundred words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec

import msgspec
import numpy as np
from numpy.typing import NDArray

from configs.build import InputError
from engines._model import Model, model_of
from engines.reid.words import Tokenizer, WordTokenizer


class _Output(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of a manifest: how long a vector is, and the words that the network knows; none: it reads as CLIP does."""

    length: int
    words: tuple[str, ...] = ()


@dataclass
class Reader(Model):
    """The network's one vector, of length 1. Its picture is the numbers of a text's words, in one row."""

    _words: Tokenizer = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.manifest, said = model_of(self.model, "embed", "reader", _Output)
        self._knows(said)

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """A vector of length 1 for each text, (n, d)."""
        numbers = self._words(texts).astype(np.float32)
        made = next(iter(self._open(numbers[:, None, None]).values()))
        if made.shape[1:] != (self._length,):
            raise InputError(
                f"{self.model}: must give vectors of {self._length}, gives {list(made.shape[1:])}"
            )
        return np.asarray(made / np.maximum(np.linalg.norm(made, axis=1, keepdims=True), 1e-12), np.float32)

    def unknown(self, text: str) -> list[str]:
        """The words of a text that mean nothing to it; that can be asked before `open`."""
        return self._words.unknown(text)

    def _knows(self, said: _Output) -> None:
        self._length, context = said.length, self.manifest.input.size[1]
        self._words = WordTokenizer(said.words, context) if said.words else _clips(self.model, context)


def _clips(model: str, context: int) -> Tokenizer:
    if not all(map(find_spec, ("ftfy", "regex"))):
        raise InputError(f"{model}: reads as CLIP does, which needs ftfy and regex; pip install '.[torch]'")
    from engines.reid.tokenizer import ClipTokenizer  # late: others need neither

    return ClipTokenizer(context)
