"""What a method is given to learn from: pictures of people, read and prepared ahead, always in the same way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar
from zlib import crc32

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from configs.build import InputError
from engines.reid.data._folders import color
from engines.reid.samplers import Batch, Generator

Given = TypeVar("Given")
Made = TypeVar("Made")
Prepare = Callable[[NDArray[np.uint8], Generator], Tensor]
AHEAD = 2  # batches that a thread may be ahead


class Sample(Protocol):
    """Somebody as a camera saw them; people and cameras are numbered in any way."""

    @property
    def image(self) -> Path | NDArray[np.uint8]:
        """RGB (height, width, 3), or the file of it."""

    @property
    def person(self) -> int: ...
    @property
    def camera(self) -> int: ...


class Picture(NamedTuple):
    """The plainest sample."""

    image: Path | NDArray[np.uint8]
    person: int
    camera: int = 0


@dataclass
class Task:
    """Samples to learn from, on a device; whatever is random comes from the seed and a place in the training."""

    samples: Sequence[Sample]
    seed: int = 1
    device: str = "cpu"
    is_mixed: bool = False  # bfloat16 where that is safe
    workers: int = 2  # threads that read pictures
    open: Callable[[Path], NDArray[np.uint8]] = color  # what a file holds, or a path stands for

    def __post_init__(self) -> None:
        if len(set(self._names)) < 2:
            raise InputError(
                f"all {len(self.samples)} samples are of one person; two at least can be told apart"
            )

    @cached_property
    def _names(self) -> list[int]:
        return [sample.person for sample in self.samples]

    @cached_property
    def people(self) -> Tensor:
        """Of each sample, from 0 without gaps, in the order of their own numbers."""
        return torch.from_numpy(np.unique(self._names, return_inverse=True)[1].astype(np.int64))

    @cached_property
    def cameras(self) -> Tensor:
        """Of each sample, from 0."""
        return torch.tensor([sample.camera for sample in self.samples])

    @property
    def people_count(self) -> int:
        """How many there are."""
        return int(self.people.max()) + 1

    @property
    def camera_count(self) -> int:
        """How many there are, or would be if none were left out."""
        return int(self.cameras.max()) + 1

    @property
    def fingerprint(self) -> str:
        """Another one where other people stand in another order."""
        names = (f"{sample.image if isinstance(sample.image, Path) else ''}" for sample in self.samples)
        rows = zip(names, self.people.tolist(), self.cameras.tolist(), strict=True)
        return f"{len(self.samples)} samples, {crc32(repr(list(rows)).encode()):08x}"

    def generator(self, *place: str | int) -> Generator:
        """A new one for a place in the training, the same every time."""
        parts = [crc32(part.encode()) if isinstance(part, str) else part for part in place]
        return np.random.default_rng([self.seed, *parts])

    def seed_all(self, *place: str | int) -> None:
        """What PyTorch itself draws from now on is that of a place in the training."""
        torch.manual_seed(int(self.generator(*place, "torch").integers(2**63)))

    def pictures(self, batch: Batch, prepare: Prepare, generator: Generator) -> Tensor:
        """(batch, 3, height, width), each prepared with a generator of its own; raises InputError for what is none."""
        own = generator.spawn(len(batch))
        return torch.stack(
            [prepare(self._read(self.samples[at].image), one) for at, one in zip(batch, own, strict=True)]
        )

    def _read(self, image: Path | NDArray[np.uint8]) -> NDArray[np.uint8]:
        return self.open(image) if isinstance(image, Path) else image

    def encoded(self, encode: Callable[[Tensor], Tensor], prepare: Prepare, batch: int = 64) -> Tensor:
        """What an encoder says of every sample, in order, in float32 on the device."""
        starts = [
            np.arange(at, min(at + batch, len(self.samples))) for at in range(0, len(self.samples), batch)
        ]
        unused = self.generator("encoded")
        with torch.no_grad(), self.autocast():
            batches = self.ahead(lambda part: self.pictures(part, prepare, unused), starts)
            return torch.cat([encode(pictures.to(self.device)).float() for pictures in batches])

    def autocast(self) -> torch.autocast:
        """Mixed precision, where it is asked for."""
        return torch.autocast(torch.device(self.device).type, torch.bfloat16, enabled=self.is_mixed)

    def ahead(self, make: Callable[[Given], Made], given: Iterable[Given]) -> Iterator[Made]:
        """What is made of each, in order, by threads that are some steps ahead."""
        waiting: list[Future[Made]] = []
        with ThreadPoolExecutor(self.workers) as pool:
            try:
                for one in given:
                    waiting.append(pool.submit(make, one))
                    if len(waiting) >= AHEAD * self.workers:
                        yield waiting.pop(0).result()
                while waiting:
                    yield waiting.pop(0).result()
            finally:
                pool.shutdown(cancel_futures=True)
