"""What a frozen encoder says of pictures, kept for a stage that learns from it alone: of several views of each."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from engines.reid.samplers import Batch, Generator
from engines.reid.task import Prepare, Task

TOGETHER = 64
Said = tuple[Tensor, Tensor]
Encode = Callable[[Tensor, Tensor], Said]  # of pictures and their cameras


class Cached(NamedTuple):
    """Whose turn it is, and of each which view; or the pictures themselves, where none are kept."""

    rows: Batch
    views: Batch
    pictures: Tensor


class Views:
    """`count` views of every sample of a task, prepared at random; 0 where none are kept."""

    def __init__(self, task: Task, prepare: Prepare, count: int) -> None:
        self._task, self._prepare, self.count = task, prepare, count

    def encoded(self, encode: Encode) -> Said:
        """Of each view and sample, (views, samples, ...), in 16 bits, on the processor: the whole of it in memory."""
        task, total = self._task, len(self._task.samples)
        starts = [(view, at) for view in range(self.count) for at in range(0, total, TOGETHER)]
        parts: list[list[Said]] = [[] for _ in range(self.count)]

        def read(place: tuple[int, int]) -> tuple[int, Batch, Tensor]:
            view, at = place
            rows = np.arange(at, min(at + TOGETHER, total))
            return view, rows, task.pictures(rows, self._prepare, task.generator("views", view, at))

        with torch.no_grad(), task.autocast():
            for view, rows, pictures in task.ahead(read, starts):
                made = encode(pictures.to(task.device), task.cameras[rows].to(task.device))
                parts[view].append((made[0].half().cpu(), made[1].half().cpu()))
        first, second = ([torch.cat([part[which] for part in some]) for some in parts] for which in range(2))
        nothing = torch.empty(0)
        return (torch.stack(first), torch.stack(second)) if parts else (nothing, nothing)

    def read(self, batch: Batch, generator: Generator) -> Cached:
        """A view of each at random, or each prepared anew."""
        if self.count:
            return Cached(batch, generator.integers(0, self.count, len(batch)), torch.empty(0))
        return Cached(batch, batch, self._task.pictures(batch, self._prepare, generator))

    def given(self, batch: Cached, kept: Said, encode: Encode) -> Said:
        """What the encoder says of a batch, or has said."""
        task, rows = self._task, torch.from_numpy(batch.rows)
        if self.count:
            views = torch.from_numpy(batch.views)
            return kept[0][views, rows].float().to(task.device), kept[1][views, rows].float().to(task.device)
        with torch.no_grad():
            made = encode(batch.pictures.to(task.device), task.cameras[rows].to(task.device))
        return made[0].float(), made[1].float()
