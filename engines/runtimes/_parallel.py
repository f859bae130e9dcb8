"""Splits a batch into what a network takes at once, runs the parts side by side, and joins what comes out in order.

Knows no runtime: it is told what runs one part, and how large a part may be.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from configs.build import InputError
from engines._manifest import Input, Manifest
from engines._network import Outputs, Port

Run = Callable[
    [NDArray[Any]], Outputs
]  # one part: may be called from several threads, gives arrays of its own


def cores() -> int:
    """How many threads this process may run at once."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _nothing_to_give_back() -> None:
    pass


@dataclass(frozen=True)
class Ready:
    """A network as a runtime has made it ready: what it is, and what runs one part of a batch."""

    runtime: str
    device: str
    inputs: Mapping[str, Port]
    outputs: Mapping[str, Port]
    run: Run
    layers: str = "fp32"  # how its layers compute, as far as the runtime tells
    least: int = 1  # a part with less is filled up
    most: int | None = None  # in a part, where the batch is not fixed
    tried: int = 2  # rows of the first batch: two tell rows from what is always one
    threads: int = field(default_factory=cores)  # which run parts
    splits: bool = True  # a batch among the threads, so that it keeps all cores busy
    run_alone: Run | None = None  # one part on all cores, where nothing runs beside it
    given_back: Callable[[], None] = _nothing_to_give_back


class Parallel:
    """A network of one input. A network whose batch is fixed takes that and no other: the last part is filled up, and
    what comes of the filling is left out.
    """

    def __init__(self, ready: Ready) -> None:
        self.runtime, self.device, self.layers = ready.runtime, ready.device, ready.layers
        self.inputs, self.outputs = ready.inputs, ready.outputs
        self._port = next(iter(self.inputs.values()))
        fixed = self._port.shape[0]
        self.most, self._least = (fixed, fixed) if fixed else (ready.most, ready.least)
        self.tried = fixed or ready.tried
        self._run, self._ready = ready.run, ready
        self._alone = ready.run_alone or ready.run
        self._threads = ThreadPoolExecutor(ready.threads, thread_name_prefix=self.runtime)

    def __call__(self, batch: NDArray[Any]) -> Outputs:
        parts = self._parts(batch)
        if len(parts) == 1:  # no thread is woken for one
            return self._joined([self._alone(parts[0])], len(batch))
        return self._joined(list(self._threads.map(self._run, parts)), len(batch))

    def submit(self, batch: NDArray[Any]) -> Callable[[], Outputs]:
        waiting: list[Future[Outputs]] = [
            self._threads.submit(self._run, part) for part in self._parts(batch)
        ]
        return lambda: self._joined([future.result() for future in waiting], len(batch))

    def together(self, part: NDArray[Any]) -> Outputs:
        """What comes out of one part, as it comes."""
        return self._run(part)

    def settle(self, asked: Input) -> None:
        """Keep to one core for a part alone if on all of them other bits come out, as noise shows."""
        part = noise(asked, self._port.shape[0] or 1).astype(self._port.dtype)
        one, on_all = self._run(part), self._alone(part)
        if any(one[name].tobytes() != on_all[name].tobytes() for name in one):
            self._alone = self._run

    def close(self) -> None:
        if self._run is _closed:
            return
        self._run = self._alone = _closed
        self._threads.shutdown()
        self._ready.given_back()

    def _parts(self, batch: NDArray[Any]) -> list[NDArray[Any]]:
        if self._run is _closed:
            raise ValueError("the network is closed")
        wanted = self._port.shape[1:]
        fits = len(wanted) == batch.ndim - 1 and all(
            want in (None, got) for want, got in zip(wanted, batch.shape[1:], strict=True)
        )
        if not fits or batch.dtype != self._port.dtype:
            raise ValueError(
                f"a batch must be {self._port.dtype} (n, {_said(wanted)}), got {batch.dtype} {batch.shape}"
            )
        batch = np.ascontiguousarray(batch)
        if not len(batch):
            return []
        if self.most is None and self._ready.splits:
            # a row is the same whatever runs beside it, and one part keeps one core busy
            return np.array_split(batch, min(self._ready.threads, len(batch)))
        most = self.most or len(batch)
        return [self._filled(batch[at : at + most]) for at in range(0, len(batch), most)]

    def _filled(self, part: NDArray[Any]) -> NDArray[Any]:
        lacking = max(0, self._least - len(part))
        return np.concatenate([part, np.zeros((lacking, *part.shape[1:]), part.dtype)]) if lacking else part

    def _joined(self, results: list[Outputs], count: int) -> Outputs:
        if not results:
            return {name: _nothing(port) for name, port in self.outputs.items()}
        if len(results) == 1:
            return {name: array[:count] for name, array in results[0].items()}
        return {name: np.concatenate([one[name] for one in results])[:count] for name in self.outputs}


def warmed_up(model: Path, manifest: Manifest, ready: Ready) -> Parallel:
    """The network, after it has run once; raises InputError where it takes something else than its manifest says, or
    gives nothing of use.
    """
    try:
        if wrong := _differs(ready.inputs, ready.outputs, manifest.input):
            raise InputError(f"{model}: {wrong}; mend the manifest, or fetch the file that it means")
        network = Parallel(ready)
    except BaseException:
        ready.given_back()
        raise
    try:
        if wrong := _useless(network, manifest.input):
            raise InputError(f"{model}: {wrong}; fetch it again, export it anew, or choose another precision")
        if ready.run_alone:
            network.settle(manifest.input)
    except BaseException:
        network.close()
        raise
    return network


def _differs(inputs: Mapping[str, Port], outputs: Mapping[str, Port], asked: Input) -> str:
    """Where a network cannot be fed what its manifest says; empty where it can."""
    if list(inputs) != [asked.name]:
        return (
            f"takes {', '.join(map(repr, inputs)) or 'nothing'}, but the manifest says {asked.name!r} alone"
        )
    shape = inputs[asked.name].shape
    if len(shape) != 4 or any(
        size not in (None, want) for size, want in zip(shape[1:], asked.shape, strict=True)
    ):
        return f"input {asked.name!r} is ({_said(shape)}), but the manifest says (any, {_said(asked.shape)})"
    if not outputs:
        return "gives nothing"
    return ""


def _useless(network: Parallel, asked: Input) -> str:
    """What is wrong with what it gives for noise; empty where nothing is."""
    rows = network.tried
    port = network.inputs[asked.name]
    for name, array in network.together(noise(asked, rows).astype(port.dtype)).items():
        if array.ndim == 0 or not array.size or len(array) != rows:
            return f"output {name!r} is ({_said(array.shape)}) for a batch of {rows}, not a row for each"
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            return f"output {name!r} is not finite"
    return ""


def noise(asked: Input, rows: int) -> NDArray[np.float64]:
    """A batch of pictures that show nothing, in the range that a network takes; the same each time."""
    channels = (-1, 1, 1) if asked.layout == "NCHW" else (-1,)
    mean, scale = (np.reshape(values, channels) for values in (asked.range.mean, asked.range.scale))
    pixels = np.random.default_rng(1).uniform(0, 255, (rows, *asked.shape))
    return np.asarray((pixels - mean) / scale)


def _nothing(port: Port) -> NDArray[Any]:
    return np.empty((0, *(size or 0 for size in port.shape[1:])), port.dtype)


def _said(shape: tuple[int | None, ...]) -> str:
    return ", ".join("any" if size is None else str(size) for size in shape)


def _closed(batch: NDArray[Any]) -> Outputs:
    raise ValueError("the network is closed")
