"""Overhead people by a colour picture alone, taught by what our recipe for TVRID says of the same people by depth.

A picture is turned upright first (engines/reid/upright.py). The network says where in it the person is and how high up,
as depth would, and reads what that leaves; only training looks at the depth that was measured. Its teachers are the
means of a person's vectors in the recipe's own space, one by depth alone and one by colour and depth: each picture is
to single out its person's among all, twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engines.reid import losses
from engines.reid.lessons import Lessons
from engines.reid.method import Method, Phase, Phases, Terms
from engines.reid.methods.tvrid import LessonTask, erased, layer, together
from engines.reid.muon import Muon
from engines.reid.samplers import Batch, Generator, PeopleAcrossCameras
from engines.reid.schedules import warm_up_then_cosine
from engines.reid.task import Task
from engines.reid.upright import CELLS, HIGH_PX, NUMBERS, WIDE_PX

LENGTH = 64  # of each of the two vectors
READ = 128
SHOWN = 6  # layers that depth leaves of a picture: how much of it is a person, how high up, both, and colours


class Seen(NamedTuple):
    """Pictures as they go in, sets of them after each other, and what may be learned from."""

    pictures: Tensor  # (n * frames, 4, HIGH_PX, WIDE_PX), see Upright.layers
    depths: Tensor  # (n * frames, 2, *CELLS), of 0 to 1
    heights: Tensor  # (n * frames,), as measured, in the unit of the numbers beside maps
    people: Tensor  # (n,)


class Said(NamedTuple):
    """By depth, and by colour and depth: vectors (n, LENGTH) as long as they are sure; and what training looks at."""

    shapes: Tensor
    looks: Tensor
    depths: Tensor  # (n, 2, *CELLS)
    heights: Tensor  # (n,), as the first of the numbers beside maps


class PictureNetwork(nn.Module):
    """An encoder, what it takes depth to be, and a reader of colours and depth together."""

    def __init__(self) -> None:
        super().__init__()
        self.finest = nn.Sequential(layer(3, 24, 2), layer(24, 40, 2))
        self.placed = nn.Linear(NUMBERS, 40)
        self.fine = nn.Sequential(layer(40, 64, 1), layer(64, 64, 1))
        self.coarse = nn.Sequential(layer(64, 96, 2), layer(96, 96, 1))
        self.coarsest = nn.Sequential(layer(96, 80, 2), layer(80, 80, 1))
        self.down = nn.ModuleList(nn.Conv2d(width, 32, 1) for width in (80, 96, 64))
        self.depth = nn.Sequential(layer(32, 32, 1), nn.Conv2d(32, 2, 1))
        self.reader = nn.Sequential(
            layer(32 + SHOWN, 56, 1), layer(56, 72, 2), layer(72, 96, 2), nn.Conv2d(96, 24, 1), nn.Flatten()
        )
        self.joined = nn.Linear(24 * (CELLS[0] // 4) * (CELLS[1] // 4) + NUMBERS, READ)
        self.trunk = nn.Sequential(
            nn.BatchNorm1d(READ), nn.ReLU(), nn.Linear(READ, READ), nn.BatchNorm1d(READ), nn.ReLU()
        )
        self.vectors, self.sureness = nn.Linear(READ, 2 * LENGTH), nn.Linear(READ, 2)
        self.height = nn.Linear(READ, 1)

    def forward(self, pictures: Tensor) -> Said:
        """Of pictures (n, 4, HIGH_PX, WIDE_PX)."""
        colors, numbers = pictures[:, :3] / 255 - 0.4, pictures[:, 3, 0, :NUMBERS]
        colors = colors.contiguous(memory_format=torch.channels_last)
        fine = self.fine(self.finest(colors) + self.placed(numbers)[..., None, None])
        coarse = self.coarse(fine)
        context = self.down[0](self.coarsest(coarse))
        for further, seen in zip(self.down[1:], (coarse, fine), strict=True):
            context = F.relu(F.interpolate(context, scale_factor=2.0) + further(seen))
        depths = torch.sigmoid(self.depth(context))
        there, high = depths[:, :1], depths[:, 1:]
        shown = [context, depths, there * high, there * F.avg_pool2d(colors, HIGH_PX // CELLS[0])]
        read = self.trunk(self.joined(torch.cat([self.reader(torch.cat(shown, dim=1)), numbers], dim=1)))
        shapes, looks = self.vectors(read).split(LENGTH, dim=1)
        sure = torch.sigmoid(self.sureness(read))
        vectors = F.normalize(shapes) * sure[:, :1], F.normalize(looks) * sure[:, 1:]
        return Said(*vectors, depths, self.height(read)[:, 0])


@dataclass
class Taught(LessonTask):
    """Lessons whose people are known already: by depth, and by colour and depth."""

    shapes: Tensor = field(default_factory=lambda: torch.empty(0))  # (people, LENGTH), of length 1
    looks: Tensor = field(default_factory=lambda: torch.empty(0))

    @classmethod
    def by(
        cls, lessons: Sequence[Lessons], frames: int, shapes: Tensor, looks: Tensor, **settings: Any
    ) -> Taught:
        """Lessons, and the teachers' vectors of their people."""
        plain = LessonTask.of(lessons, frames)
        return cls(plain.samples, lessons=lessons, frames=frames, shapes=shapes, looks=looks, **settings)


@dataclass(frozen=True)
class TvridPicture(Method):
    """Settings; `frames` is of a passage in the lessons."""

    epochs: int = 34
    people_a_batch: int = 16
    passages_each: int = 2
    frames: int = 2
    lr: float = 2e-3
    weight_decay: float = 5e-4
    scale: float = 20.0  # of the cosines with teachers
    margin: float = 0.1  # of those cosines
    depth_weight: float = 1.0
    height_weight: float = 1.0
    likeness_weight: float = 2.0
    light: float = 0.2  # deviation of the logarithm of the exposure, and of each colour's gain half of that
    erase: float = 0.3  # probability

    def network(self, people: int, cameras: int) -> PictureNetwork:
        return PictureNetwork().to(memory_format=torch.channels_last)

    def phases(self, network: PictureNetwork, task: Task) -> Phases:
        return {"pictures": partial(self._pictures, network, task)}

    def _pictures(self, network: PictureNetwork, task: Any) -> Phase:
        def loss(seen: Seen) -> Terms:
            said = network(seen.pictures)
            there, high = seen.depths[:, 0], seen.depths[:, 1]
            known = said.depths.float()
            terms = {
                "there": F.binary_cross_entropy(known[:, 0], there),
                "high": 10 * (there * (known[:, 1] - high).abs()).mean(),
            }
            terms = {name: self.depth_weight * term for name, term in terms.items()}
            terms["height"] = self.height_weight * F.smooth_l1_loss(said.heights.float(), seen.heights)
            for name, vectors, teachers in (
                ("shapes", said.shapes, task.shapes),
                ("looks", said.looks, task.looks),
            ):
                cosines = together(vectors.float(), self.frames) @ teachers.T
                own = cosines.gather(1, seen.people[:, None])
                off = torch.zeros_like(cosines).scatter_(1, seen.people[:, None], self.margin)
                terms[name] = losses.identity(self.scale * (cosines - off), seen.people, 0.0)
                terms[f"{name}_likeness"] = self.likeness_weight * (1 - own).mean()
            return terms

        return Phase(
            self.epochs,
            Muon(network, self.weight_decay),
            warm_up_then_cosine(self.lr, self.epochs, warm_up=1, first=self.lr / 10, last=self.lr / 500),
            PeopleAcrossCameras(
                task.people.tolist(), task.cameras.tolist(), self.people_a_batch, self.passages_each
            ),
            partial(self._read, task),
            loss,
        )

    def _read(self, task: Taught, batch: Batch, generator: Generator) -> Seen:
        rows = task.rows(batch)
        colors = torch.from_numpy(np.concatenate([of.pictures[where] for of, where in rows]))
        cameras = torch.from_numpy(np.concatenate([of.cameras[where] for of, where in rows]))
        depths = torch.from_numpy(np.concatenate([of.depths[where] for of, where in rows]))
        pictures = torch.zeros(len(colors), 4, HIGH_PX, WIDE_PX)
        pictures[:, :3] = self._lit(colors.permute(0, 3, 1, 2).float(), generator)
        pictures[:, 3, 0, :NUMBERS] = cameras
        for one in range(len(pictures)):
            if generator.random() < self.erase:
                erased(pictures[one, :3], generator)
        heights = torch.from_numpy(np.concatenate([of.numbers[where, 0] for of, where in rows]))
        return Seen(pictures, depths.float() / 255, heights, task.people[torch.from_numpy(batch)])

    def _lit(self, colors: Tensor, generator: Generator) -> Tensor:
        """In other light, a set's frames in the same."""
        sets = len(colors) // self.frames
        light = generator.normal(0, self.light, (sets, 1)) + generator.normal(0, 0.5 * self.light, (sets, 3))
        gains = torch.from_numpy(np.exp(light / 2.2).astype(np.float32)).repeat_interleave(self.frames, 0)
        return (colors * gains[:, :, None, None]).clamp(0, 255)
