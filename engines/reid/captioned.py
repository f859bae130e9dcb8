"""Samples with captions, and batches of those with and those without: what learns from both is given both."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import cycle
from typing import Literal
from zlib import crc32

import numpy as np

from engines.reid.samplers import Batch, Draw, Generator
from engines.reid.task import Task

Kind = Literal["both", "pictures", "captions"]


@dataclass
class CaptionedTask(Task):
    """Samples of which some have a caption."""

    captions: tuple[str, ...] = ()

    @property
    def fingerprint(self) -> str:
        return f"{super().fingerprint}, captions {crc32(repr(self.captions).encode()):08x}"

    @cached_property
    def captioned(self) -> Batch:
        """Which of them have one."""
        return np.array([at for at, said in enumerate(self.captions) if said], np.int64)

    def said(self, batch: Batch, generator: Generator, drop: float) -> list[str]:
        """The captions of some, of whose words a share is left out, but never all."""
        made = []
        for at in batch:
            words = self.captions[at].split()
            kept = [word for word in words if generator.random() >= drop]
            made.append(" ".join(kept or words))
        return made


@dataclass(frozen=True)
class Mixed:
    """Batches of pictures and of captions, before each how many of it are pictures alone: an epoch of pictures, with
    captions again and again; in one step, or each in turn.
    """

    pictures: Draw
    captions: Draw
    captioned: Batch
    kind: Kind
    in_turn: bool

    def __call__(self, generator: Generator) -> list[Batch]:
        """The batches of an epoch."""
        nothing = np.empty(0, np.int64)
        told = (
            [self.captioned[batch] for batch in self.captions(generator)] if self.kind != "pictures" else []
        )
        if self.kind == "captions":
            return [_counted(nothing, batch) for batch in told]
        shown = self.pictures(generator)
        if self.kind == "pictures":
            return [_counted(batch, nothing) for batch in shown]
        pairs = list(zip(shown, cycle(told)))  # noqa: B905, captions go round
        if self.in_turn:
            pairs = [pair for a, b in pairs for pair in ((a, nothing), (nothing, b))]
        return [_counted(a, b) for a, b in pairs]


def _counted(shown: Batch, told: Batch) -> Batch:
    return np.concatenate([[len(shown)], shown, told]).astype(np.int64)
