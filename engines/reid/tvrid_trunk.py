"""A trunk that the official baseline of TVRID may begin with where no weights of ImageNet are at hand.

It is the same ResNet-50, after it has learned to say what simulated people wear, none of whom is in a simulated TVRID.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from configs.build import InputError
from engines.people.anybody import BAG, BOTTOMS, HAIR, HATS, TOPS
from engines.people.crowd import Person
from engines.reid import losses
from engines.reid.fit import Told, Training
from engines.reid.method import Method, Phase, Phases, Terms
from engines.reid.methods.tvrid_baseline import IMAGENET, Bottleneck, resnet50
from engines.reid.overhead_people import GROUP, shown
from engines.reid.recipe import settings_of
from engines.reid.samplers import Batch, Generator, Shuffled
from engines.reid.schedules import warm_up_then_cosine
from engines.reid.task import Picture, Task

PLACES, PASSAGES, FRAMES = 4, 2, 2  # of each person
KINDS: dict[str, tuple[Any, ...]] = {  # of what is worn, by the outfit's names
    "top": tuple(dict.fromkeys(TOPS)),
    "bottom": tuple(dict.fromkeys(BOTTOMS)),
    "short_sleeves": (False, True),
    "hair": tuple(dict.fromkeys(HAIR)),
    "hat": ("none", *HATS),
    "bag": tuple(dict.fromkeys(BAG)),
}
COLORS = 18  # of hair and of all that is worn
KEPT_PX, SHOWN_PX = 75, 66  # side of a crop that is kept, and of what is cut out of it by chance


class Seen(NamedTuple):
    """Pictures as they go in, and what is worn in them."""

    pictures: Tensor  # (n, 3, px, px)
    kinds: Tensor  # (n, len(KINDS)), the number of each
    colors: Tensor  # (n, COLORS)


def crops(seeds: Sequence[int]) -> Iterator[Picture]:
    """A group of people for each seed, cut out as the set cuts them, in a quarter of the size."""
    for number, seed in enumerate(seeds):
        for sight in shown(seed, PLACES, PASSAGES, FRAMES):
            small = cv2.resize(sight.shot.color, (KEPT_PX, KEPT_PX), interpolation=cv2.INTER_AREA)
            yield Picture(np.asarray(small, np.uint8), number * GROUP + sight.person)


def kept_crops(folder: Path, seeds: Sequence[int]) -> list[Picture]:
    """Those in a folder, which are made if there are none."""
    path = folder / "crops.npz"
    try:
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            made, new = list(crops(seeds)), folder / "new.npz"
            images = np.stack([np.asarray(one.image) for one in made])
            np.savez(new, images=images, people=[one.person for one in made])
            new.replace(path)
        with np.load(path) as read:
            return [Picture(*one) for one in zip(read["images"], read["people"].tolist(), strict=True)]
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise InputError(
            f"{path}: is not to be had, {error}; take it away, or name another folder"
        ) from error


class Trunk(nn.Module):
    """A ResNet-50 and what it says somebody wears: of every kind how likely each is, and colours."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = resnet50()
        self.worn = nn.Linear(2048, sum(map(len, KINDS.values())) + COLORS)
        for module in self.trunk.modules():
            if isinstance(module, Bottleneck):  # each begins as if it were not there: so they learn sooner
                nn.init.zeros_(module.bn3.weight)

    def forward(self, pictures: Tensor) -> tuple[Tensor, ...]:
        """Of pictures (n, 3, h, w)."""
        said: Tensor = self.worn(self.trunk(pictures).flatten(1))
        kinds_and_colors: tuple[Tensor, ...] = said.split([*map(len, KINDS.values()), COLORS], dim=1)
        return kinds_and_colors


@dataclass
class Wardrobe(Task):
    """Crops, and what each of their people wears."""

    kinds: Tensor = field(default_factory=lambda: torch.empty(0))  # (people, len(KINDS))
    colors: Tensor = field(default_factory=lambda: torch.empty(0))  # (people, COLORS), of 0 to 1

    @classmethod
    def of(cls, samples: Sequence[Picture], people: Sequence[Person], **settings: Any) -> Wardrobe:
        """Crops of these people, by their places among them."""
        kinds = [[some.index(getattr(one.outfit, name)) for name, some in KINDS.items()] for one in people]
        worn = [[part for material in one.materials[1:] for part in material.color] for one in people]
        return cls(samples, kinds=torch.tensor(kinds), colors=torch.tensor(worn) ** (1 / 2.2), **settings)


@dataclass(frozen=True)
class Dress(Method):
    """Settings; pictures go in coarser than the baseline is shown them, `px` a side."""

    epochs: int = 4
    px: int = 48
    batch: int = 32
    lr: float = 1e-3
    weight_decay: float = 0.05
    color_weight: float = 20.0

    def network(self, people: int, cameras: int) -> Trunk:
        return Trunk().to(memory_format=torch.channels_last)

    def phases(self, network: Trunk, task: Task) -> Phases:
        return {"worn": partial(self._worn, network, task)}

    def _worn(self, network: Trunk, task: Any) -> Phase:
        def loss(seen: Seen) -> Terms:
            *kinds, colors = network(seen.pictures.contiguous(memory_format=torch.channels_last))
            terms = {
                name: losses.identity(said, seen.kinds[:, at])
                for at, (name, said) in enumerate(zip(KINDS, kinds, strict=True))
            }
            return terms | {"colors": self.color_weight * F.smooth_l1_loss(colors.float(), seen.colors)}

        return Phase(
            self.epochs,
            torch.optim.AdamW(network.parameters(), weight_decay=self.weight_decay),
            warm_up_then_cosine(self.lr, self.epochs + 1, warm_up=1),
            Shuffled(len(task.samples), self.batch, is_last_kept=False),
            partial(self._read, task),
            loss,
        )

    def _read(self, task: Wardrobe, batch: Batch, generator: Generator) -> Seen:
        pictures = task.pictures(batch, _varied, generator)
        if self.px != SHOWN_PX:
            pictures = F.interpolate(pictures, (self.px, self.px), mode="bilinear", antialias=True)
        people = task.people[torch.from_numpy(batch)]
        return Seen(pictures, task.kinds[people], task.colors[people])


def _varied(picture: Any, generator: Generator) -> Tensor:
    """A part of it, turned by quarters and mirrored by chance: from above no way is up."""
    left, top = generator.integers(0, KEPT_PX - SHOWN_PX + 1, 2)
    part = np.rot90(picture[top : top + SHOWN_PX, left : left + SHOWN_PX], int(generator.integers(4)))
    part = part[:, ::-1] if generator.random() < 0.5 else part
    mean, std = (torch.tensor(one)[:, None, None] for one in IMAGENET)
    pixels = torch.from_numpy(np.ascontiguousarray(part)).permute(2, 0, 1)
    return (pixels.float() / 255 - mean) / std


def train(task: Wardrobe, method: Dress, folder: Path, shown: Told) -> Path:
    """Train it in a folder; gives the file of its weights, under torchvision's names, as the baseline reads them."""
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
