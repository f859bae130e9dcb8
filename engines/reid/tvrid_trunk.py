"""A trunk that the official baseline of TVRID may begin with where no weights of ImageNet are at hand.

It is the same ResNet-50, after it has learned to tell simulated people apart, none of whom is in a simulated TVRID.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from configs.build import InputError
from engines.reid import losses
from engines.reid.fit import Told, Training
from engines.reid.method import Method, Phase, Phases, Terms
from engines.reid.methods.tvrid_baseline import IMAGENET, resnet50
from engines.reid.overhead_people import GROUP, shown
from engines.reid.recipe import settings_of
from engines.reid.samplers import Batch, Generator, Shuffled
from engines.reid.schedules import warm_up_then_cosine
from engines.reid.task import Picture, Task

PLACES, PASSAGES, FRAMES = 4, 2, 2  # of each person
KEPT_PX, SHOWN_PX = 75, 66  # side of a crop that is kept, and of what is cut out of it by chance


class Seen(NamedTuple):
    """Pictures as they go in, and whose they are."""

    pictures: Tensor  # (n, 3, px, px)
    people: Tensor  # (n,)


def crops(seeds: Sequence[int]) -> Iterator[Picture]:
    """A group of people for each seed, cut out as the set cuts them, in a quarter of the size."""
    for number, seed in enumerate(seeds):
        for sight in shown(seed, PLACES, PASSAGES, FRAMES):
            small = cv2.resize(sight.shot.color, (KEPT_PX, KEPT_PX), interpolation=cv2.INTER_AREA)
            yield Picture(np.asarray(small, np.uint8), number * GROUP + sight.person, sight.place)


class Trunk(nn.Module):
    """A ResNet-50 and who there is."""

    def __init__(self, people: int) -> None:
        super().__init__()
        self.trunk, self.people = resnet50(), nn.Linear(2048, people)

    def forward(self, pictures: Tensor) -> Tensor:
        """Of pictures (n, 3, h, w): (n, people)."""
        said: Tensor = self.people(self.trunk(pictures).flatten(1))
        return said


@dataclass(frozen=True)
class TellingApart(Method):
    """Settings; pictures go in coarser than the baseline is shown them, `px` a side."""

    epochs: int = 3
    px: int = 48
    batch: int = 32
    lr: float = 1e-3
    weight_decay: float = 0.05
    smoothing: float = 0.1

    def network(self, people: int, cameras: int) -> Trunk:
        return Trunk(people).to(memory_format=torch.channels_last)

    def phases(self, network: Trunk, task: Task) -> Phases:
        return {"coarse": partial(self._coarse, network, task)}

    def _coarse(self, network: Trunk, task: Task) -> Phase:
        def loss(seen: Seen) -> Terms:
            pictures = seen.pictures.contiguous(memory_format=torch.channels_last)
            return {"people": losses.identity(network(pictures), seen.people, self.smoothing)}

        return Phase(
            self.epochs,
            torch.optim.AdamW(network.parameters(), weight_decay=self.weight_decay),
            warm_up_then_cosine(self.lr, self.epochs, warm_up=1, first=self.lr / 10, last=self.lr / 100),
            Shuffled(len(task.samples), self.batch, is_last_kept=False),
            partial(self._read, task),
            loss,
        )

    def _read(self, task: Task, batch: Batch, generator: Generator) -> Seen:
        pictures = task.pictures(batch, _varied, generator)
        if self.px != SHOWN_PX:
            pictures = F.interpolate(pictures, (self.px, self.px), mode="bilinear", antialias=True)
        return Seen(pictures, task.people[torch.from_numpy(batch)])


def _varied(picture: Any, generator: Generator) -> Tensor:
    """A part of it, turned by quarters and mirrored by chance: from above no way is up."""
    left, top = generator.integers(0, KEPT_PX - SHOWN_PX + 1, 2)
    part = np.rot90(picture[top : top + SHOWN_PX, left : left + SHOWN_PX], int(generator.integers(4)))
    part = part[:, ::-1] if generator.random() < 0.5 else part
    mean, std = (torch.tensor(one)[:, None, None] for one in IMAGENET)
    shown = torch.from_numpy(np.ascontiguousarray(part)).permute(2, 0, 1)
    return (shown.float() / 255 - mean) / std


def train(samples: Sequence[Picture], method: TellingApart, folder: Path, shown: Told) -> Path:
    """Train it in a folder; gives the file of its weights, under torchvision's names, as the baseline reads them."""
    task = Task(samples, workers=1, is_mixed=True)
    task.seed_all()
    network = method.network(task.people_count, 1)
    told = {"settings": settings_of(method), "samples": task.fingerprint}
    Training(folder, network, task, told, shown).fit(method.phases(network, task))
    path = folder / "resnet50.pth"
    try:
        torch.save({name: one.contiguous() for name, one in network.trunk.state_dict().items()}, path)
    except (OSError, RuntimeError) as error:
        raise InputError(f"{path}: cannot be written, {error}; make room, and run it again") from error
    return path
