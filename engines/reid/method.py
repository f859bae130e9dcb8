"""What a method of training is: settings, a network, and phases that train it one after the other."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from engines.reid.augment import Look
from engines.reid.data._records import Record
from engines.reid.samplers import Batch, Draw, Generator
from engines.reid.schedules import Schedule
from engines.reid.task import Picture, Task
from engines.reid.words import Tokenizer

Terms = dict[str, Tensor]  # of a loss, weighted, by name


@dataclass
class Phase:
    """A stretch of training with one loss. Its epochs are counted from 1.

    `read` makes a batch ready in another thread, from its indices and a generator of its own.
    """

    epochs: int
    optimizer: torch.optim.Optimizer
    rate: Schedule  # of the epoch, for the optimizer's groups, each of which may have it `times` something
    draw: Draw
    read: Callable[[Batch, Generator], Any]
    loss: Callable[[Any], Terms]


Phases = Mapping[str, Callable[[], Phase]]  # by name, in order; each is made when its turn comes


class Method(ABC):
    """A frozen data class of settings, named as in the paper. `weights`, if it has that, is a file to begin with."""

    @property
    def lacks_weights(self) -> bool:
        """Whether it makes no sense to begin without a file of weights, and there is none."""
        return False

    @abstractmethod
    def network(self, people: int, cameras: int) -> nn.Module:
        """A new one, all of it: what is trained, what is frozen, and what is thrown away after training."""

    def task(self, records: Sequence[Record], **settings: Any) -> Task:
        """What it learns from, of the records of a data set."""
        return Task([Picture(one.path, one.person, one.camera) for one in records], **settings)

    @abstractmethod
    def phases(self, network: Any, task: Task) -> Phases:
        """How it is trained. A phase is made from the network as it is when the phase begins, also when training goes
        on in the middle of it.
        """


class PictureMethod(Method):
    """A method whose network gives one vector for one picture."""

    @property
    @abstractmethod
    def look(self) -> Look:
        """How a picture is prepared in testing."""

    @abstractmethod
    def vectors(self, network: Any, pictures: Tensor) -> Tensor:
        """What tells people apart, (batch, width) of length 1, of pictures as they are prepared."""


class MaskedMethod(PictureMethod):
    """A method whose network also says what of a vector is to be trusted (see engines/index/masked.py)."""

    @abstractmethod
    def seen(self, network: Any, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Vectors, and how far each part of them shows, (batch, parts) of 0 to 1."""

    def vectors(self, network: Any, pictures: Tensor) -> Tensor:
        return self.seen(network, pictures)[0]


class TextMethod(PictureMethod):
    """A method whose network gives texts vectors that those of pictures are compared with."""

    @abstractmethod
    def reader(self) -> Tokenizer:
        """What makes numbers of texts."""

    @abstractmethod
    def texts(self, network: Any, numbers: Tensor) -> Tensor:
        """Vectors of length 1, of numbers of tokens (batch, context)."""
