"""Overhead people in one space, whether by colour and depth or by depth alone.

Our own recipe for TVRID, after what its winners are known to have done and the field does. Depth is laid out in metres
about the person first (engines/_overhead_maps.py), so the network never sees how the camera hangs. A passage is a set
of frames: the vector of each counts by how sure of it the network is, which is also what is known of the whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engines._overhead_maps import CHANNELS, MAPS, NUMBERS
from engines.reid import losses
from engines.reid.lessons import Lessons
from engines.reid.method import Method, Phase, Phases, Terms
from engines.reid.overhead_people import REACH
from engines.reid.samplers import Batch, Generator, PeopleAcrossCameras
from engines.reid.schedules import warm_up_then_cosine
from engines.reid.task import Picture, Task

WIDTH = 256
LENGTH = 128
COLORS = slice(1, 5)  # of the numbers: whether there is colour, and its means
NOWHERE = np.zeros((1, 1, 3), np.uint8)


class Seen(NamedTuple):
    """Frames as they go in; sets of them follow each other, `frames` to a set."""

    maps: Tensor  # (n * frames, MAPS * CHANNELS, side, side)
    numbers: Tensor  # (n * frames, NUMBERS)
    people: Tensor  # (n,)


class Network(nn.Module):
    """A stem for each map, one trunk, and the identities of training."""

    def __init__(self, people: int) -> None:
        super().__init__()
        self.maps = nn.Sequential(
            layer(MAPS * CHANNELS, 48, 2, MAPS),
            layer(48, 96, 2, MAPS),
            layer(96, 120, 1, MAPS),
            layer(120, 168, 2, MAPS),
            nn.Conv2d(168, 96, 1, groups=MAPS),
            nn.Flatten(),
        )
        self.joined = nn.Linear(96 * 16 + NUMBERS, WIDTH)
        self.trunk = nn.Sequential(
            nn.BatchNorm1d(WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH), nn.BatchNorm1d(WIDTH), nn.ReLU()
        )
        self.vector, self.sureness = nn.Linear(WIDTH, LENGTH), nn.Linear(WIDTH, 1)
        self.identities = nn.Parameter(torch.randn(people, LENGTH))

    def by_maps(self, maps: Tensor, numbers: Tensor) -> Tensor:
        """A vector for each frame, as long as it is sure."""
        features = self.trunk(self.joined(torch.cat([self.maps(maps), numbers], dim=1)))
        return F.normalize(self.vector(features)) * torch.sigmoid(self.sureness(features))


def together(vectors: Tensor, frames: int) -> Tensor:
    """One vector for each set of so many frames, of length 1, whatever their order."""
    return F.normalize(vectors.view(-1, frames, vectors.shape[1]).sum(dim=1))


def without_color(maps: Tensor, numbers: Tensor) -> tuple[Tensor, Tensor]:
    """What depth alone says of frames."""
    bare = maps.unflatten(1, (MAPS, CHANNELS)).clone()
    bare[:, :, 2:] = 0
    said = numbers.clone()
    said[:, COLORS] = 0
    return bare.flatten(1, 2), said


def half_turned(maps: Tensor) -> Tensor:
    """The same people, turned by half: of a line of shoulders nobody knows which end is which."""
    above, across, along = (maps[:, CHANNELS * m : CHANNELS * (m + 1)] for m in range(MAPS))
    sign = torch.ones(CHANNELS, 1, 1, device=maps.device)
    sign[1] = -1
    return torch.cat([above.flip(2, 3), across.flip(3) * sign, along.flip(3) * sign], dim=1)


@dataclass
class LessonTask(Task):
    """Lessons as a task; a sample is a passage's frames."""

    lessons: Sequence[Lessons] = ()
    frames: int = 2

    @classmethod
    def of(cls, lessons: Sequence[Lessons], frames: int, **settings: Any) -> LessonTask:
        """Their people numbered on."""
        samples, before = [], 0
        for one in lessons:
            people, places = one.people[::frames].tolist(), one.places[::frames].tolist()
            samples += [
                Picture(NOWHERE, before + who, where) for who, where in zip(people, places, strict=True)
            ]
            before += max(people) + 1
        return cls(samples, lessons=lessons, frames=frames, **settings)

    def rows(self, batch: Batch) -> list[tuple[Lessons, slice]]:
        """Where each sample's frames lie."""
        starts = np.cumsum([0, *(len(one.people) // self.frames for one in self.lessons)])
        parts = np.searchsorted(starts, batch, side="right") - 1
        firsts = (batch - starts[parts]) * self.frames
        return [
            (self.lessons[part], slice(first, first + self.frames))
            for part, first in zip(parts.tolist(), firsts.tolist(), strict=True)
        ]


@dataclass(frozen=True)
class Tvrid(Method):
    """Settings; `frames` is of a passage in the lessons."""

    epochs: int = 10
    people_a_batch: int = 24
    passages_each: int = 4
    frames: int = 2
    lr: float = 2e-3
    weight_decay: float = 5e-4
    scale: float = 16.0  # of the cosines with identities
    margin: float = 0.15  # of those cosines
    triplet_weight: float = 1.0
    light: float = 0.25  # deviation of the logarithm of each colour's gain
    erase: float = 0.35  # probability

    def network(self, people: int, cameras: int) -> Network:
        return Network(people)

    def phases(self, network: Network, task: Task) -> Phases:
        return {"sets": partial(self._sets, network, task)}

    def _sets(self, network: Network, task: Any) -> Phase:
        people, places = task.people.tolist(), task.cameras.tolist()

        def loss(seen: Seen) -> Terms:
            bare = without_color(seen.maps, seen.numbers)
            seen_twice = torch.cat([seen.maps, bare[0]]), torch.cat([seen.numbers, bare[1]])
            vectors = together(network.by_maps(*seen_twice), self.frames)
            whose = seen.people.repeat(MODES)
            cosines = vectors @ F.normalize(network.identities).T
            off = torch.zeros_like(cosines).scatter_(1, whose[:, None], self.margin)
            return {
                "identity": losses.identity(self.scale * (cosines - off), whose, 0.05),
                "triplet": self.triplet_weight * losses.triplet(vectors, whose, None),
            }

        groups: list[dict[str, Any]] = [
            {"params": [one for one in network.parameters() if one.ndim > 1]},
            {"params": [one for one in network.parameters() if one.ndim <= 1], "weight_decay": 0.0},
        ]
        return Phase(
            self.epochs,
            torch.optim.AdamW(groups, weight_decay=self.weight_decay),
            warm_up_then_cosine(self.lr, self.epochs, warm_up=1, first=self.lr / 10, last=self.lr / 500),
            PeopleAcrossCameras(people, places, self.people_a_batch, self.passages_each),
            partial(self._read, task),
            loss,
        )

    def _read(self, task: LessonTask, batch: Batch, generator: Generator) -> Seen:
        rows = task.rows(batch)
        maps = torch.from_numpy(np.concatenate([of.maps[where] for of, where in rows]))
        numbers = torch.from_numpy(np.concatenate([of.numbers[where] for of, where in rows]))
        reach = torch.from_numpy(np.tile(REACH, MAPS))[:, None, None]
        seen = self._varied((maps.float().div_(127.5) - 1.0) * reach, numbers, generator)
        return Seen(*seen, task.people[torch.from_numpy(batch)])

    def _varied(self, maps: Tensor, numbers: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
        """Turned by half as often as not, in other light, and with parts missing."""
        n = len(maps)
        turn = torch.from_numpy(generator.random(n) < 0.5)[:, None, None, None]
        maps = torch.where(turn, half_turned(maps), maps)
        light = torch.from_numpy(generator.normal(0, self.light, (n, 3)).astype(np.float32))
        numbers = numbers.clone()
        numbers[:, 2:5] += light
        numbers[:, 0] += torch.from_numpy(generator.normal(0, 0.05, n).astype(np.float32))
        for one in range(n):
            if generator.random() < self.erase:
                erased(maps[one], generator)
        return maps, numbers


MODES = 2  # colour and depth, depth alone


def erased(layers: Tensor, generator: Generator) -> None:
    """Take a random part out of layers (channels, h, w)."""
    h, w = layers.shape[-2:]
    high, wide = generator.integers(h // 6, h // 2), generator.integers(w // 6, w // 2)
    top, left = generator.integers(0, h - high), generator.integers(0, w - wide)
    layers[:, top : top + high, left : left + wide] = 0


def layer(inner: int, outer: int, stride: int, groups: int = 1) -> nn.Module:
    """A convolution, its norm and ReLU."""
    return nn.Sequential(
        nn.Conv2d(inner, outer, 3, stride, 1, groups=groups, bias=False), nn.BatchNorm2d(outer), nn.ReLU()
    )
