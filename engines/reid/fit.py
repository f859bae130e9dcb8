"""Trains a network phase by phase. Killed at any step and run again, it ends with the same weights, bit for bit.

Two files in the training's folder make that so: the network as the phase began, from which the phase is made again, and
the latest state. Nothing random is kept: a step draws from a generator of its own place.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from configs.build import InputError
from engines.reid import checkpoint
from engines.reid.method import Phase, Phases, Terms
from engines.reid.samplers import Batch
from engines.reid.task import Task

BEGUN, LATEST, TRAINED = "begun.safetensors", "latest.safetensors", "model.safetensors"
SAVE_S = 300.0  # between two checkpoints within an epoch; at the end of each there is one


@dataclass(slots=True)
class Place:
    """How far a training has come: steps of an epoch of a phase that are done, and the mean losses so far."""

    phase: str
    epoch: int = 1
    step: int = 0
    losses: list[dict[str, Any]] = field(default_factory=list)  # of every epoch
    sums: dict[str, float] = field(default_factory=dict)  # of this epoch


Told = Callable[[Place, int, int], None]  # and of how many epochs and steps


@dataclass
class Training:
    """A training in a folder of its own. What `told` of it must be the same whenever it goes on."""

    folder: Path
    network: nn.Module
    task: Task
    told: Mapping[str, Any]
    shown: Told = lambda place, epochs, steps: None
    save_s: float = SAVE_S

    def fit(self, phases: Phases) -> Path:
        """Train to the end, from the beginning or from where it was left; gives the file of the trained network."""
        _make(self.folder)
        with _alone(self.folder), _deterministic():
            self.network.to(self.task.device)
            place = self._begun(next(iter(phases)))
            names = list(phases)
            for name in names[names.index(place.phase) :]:
                if name != place.phase:
                    place = self._begin(Place(name, losses=place.losses))
                self.task.seed_all(name)
                self._train(phases[name](), place)
            path = self.folder / TRAINED
            checkpoint.save(path, self.network.state_dict(), {**self.told, "losses": place.losses})
            return path

    def _train(self, phase: Phase, place: Place) -> None:
        place = self._restored(phase.optimizer, place)
        while place.epoch <= phase.epochs:
            self.train_epoch(phase, place)
            means = {name: total / place.step for name, total in place.sums.items()}
            place.losses.append({"phase": place.phase, "epoch": place.epoch, **means})
            place.epoch, place.step, place.sums = place.epoch + 1, 0, {}
            self._save(phase.optimizer, place)

    def train_epoch(self, phase: Phase, place: Place) -> None:
        """What is left of an epoch; what it has come to is written only where it takes long."""
        task, at = self.task, (place.phase, place.epoch)
        batches = phase.draw(task.generator(*at))
        if not batches:
            raise InputError(f"{place.phase}: no batch can be drawn; ask for smaller ones, or train on more")
        for group in phase.optimizer.param_groups:
            group["lr"] = phase.rate(place.epoch) * group.get("times", 1.0)
        self.network.train()
        steps, saved = list(enumerate(batches))[place.step :], time.monotonic()

        def read(numbered: tuple[int, Batch]) -> Any:
            number, batch = numbered
            return phase.read(batch, task.generator(*at, number))

        for batch in task.ahead(read, steps):
            terms = self._step(phase, place, batch)
            place.step += 1
            place.sums = {name: place.sums.get(name, 0.0) + value for name, value in terms.items()}
            self.shown(place, phase.epochs, len(batches))
            if place.step < len(batches) and time.monotonic() - saved >= self.save_s:
                self._save(phase.optimizer, place)
                saved = time.monotonic()

    def _step(self, phase: Phase, place: Place, batch: Any) -> dict[str, float]:
        self.task.seed_all(place.phase, place.epoch, place.step)
        with self.task.autocast():
            terms = phase.loss(batch)
        phase.optimizer.zero_grad()
        torch.stack([term.float() for term in terms.values()]).sum().backward()
        values = _finite(terms, place)
        phase.optimizer.step()
        return values

    def _begun(self, first: str) -> Place:
        """Where the phase begins in which the training was left, the network as it was then."""
        path = self.folder / BEGUN
        if not path.exists():
            return self._begin(Place(first))
        state, told = checkpoint.load(path, self.task.device)
        self._check(told, path)
        _fill(self.network, state, path)
        return Place(**told["place"])

    def _begin(self, place: Place) -> Place:
        checkpoint.save(self.folder / BEGUN, self.network.state_dict(), {**self.told, "place": asdict(place)})
        return place

    def _save(self, optimizer: torch.optim.Optimizer, place: Place) -> None:
        state = {f"network.{name}": tensor for name, tensor in self.network.state_dict().items()}
        for number, moments in optimizer.state_dict()["state"].items():
            state |= {f"optimizer.{number}.{name}": tensor for name, tensor in moments.items()}
        checkpoint.save(self.folder / LATEST, state, {**self.told, "place": asdict(place)})

    def _restored(self, optimizer: torch.optim.Optimizer, place: Place) -> Place:
        """Where the phase was left, if it had come further than its beginning, network and optimizer as they were."""
        path = self.folder / LATEST
        if not path.exists():
            return place
        state, told = checkpoint.load(path, self.task.device)
        self._check(told, path)
        latest = Place(**told["place"])
        if latest.phase != place.phase:
            return place
        moments: dict[int, dict[str, Tensor]] = {}
        for name in [name for name in state if name.startswith("optimizer.")]:
            _, number, moment = name.split(".")
            moments.setdefault(int(number), {})[moment] = state.pop(name)
        _fill(self.network, {name.removeprefix("network."): one for name, one in state.items()}, path)
        optimizer.load_state_dict({"state": moments, "param_groups": optimizer.state_dict()["param_groups"]})
        return latest

    def _check(self, told: Mapping[str, Any], path: Path) -> None:
        for name, wanted in self.told.items():
            if told.get(name) != wanted:
                raise InputError(
                    f"{path}: was trained with {name} {_short(told.get(name))}, not {_short(wanted)}; "
                    "name another folder, or ask for the same"
                )


def _finite(terms: Terms, place: Place) -> dict[str, float]:
    """The terms as numbers; raises InputError with the one that is none."""
    values = torch.stack([term.detach().float() for term in terms.values()]).tolist()
    for name, value in zip(terms, values, strict=True):
        if not abs(value) < float("inf"):
            raise InputError(
                f"{place.phase}: epoch {place.epoch}: step {place.step + 1}: the loss {name!r} is {value}; "
                "lower the learning rate, or train without mixed precision"
            )
    return dict(zip(terms, values, strict=True))


def _fill(network: nn.Module, state: Mapping[str, Tensor], path: Path) -> None:
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        said = str(error).splitlines()[1].strip().rstrip(".")
        raise InputError(f"{path}: is of another network, {said}; name another folder") from error


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be made, {error.strerror}; name another folder") from error


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """While nobody else trains in the folder."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise InputError(
            f"{folder}: another process trains there; wait for it, or name another folder"
        ) from error
    finally:
        os.close(descriptor)


@contextmanager
def _deterministic() -> Iterator[None]:
    """The same bits every time, on a GPU too; memory that is not filled yet need not be."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    was, memory = torch.are_deterministic_algorithms_enabled(), cast(Any, torch.utils.deterministic)
    filled = memory.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True)
    memory.fill_uninitialized_memory = False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(was)
        memory.fill_uninitialized_memory = filled
