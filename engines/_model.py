"""A model by name, for the engine that decodes it: its manifest, checked, and its network while it is open."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from configs.build import ConfigError
from configs.known import known
from engines._manifest import Manifest, manifest
from engines._network import Network, Outputs, Precision, opened
from engines._resized import ordered

T = TypeVar("T")


@dataclass
class Model:
    """What all engines have that run a model. Until `open` nothing of it but its manifest is looked at."""

    model: str
    runtime: str = "auto"
    precision: Precision = "fp32"
    manifest: Manifest = field(init=False, repr=False)
    _network: Network | None = field(default=None, init=False, repr=False)

    def open(self) -> None:
        """Read the weights and make ready; raises InputError where that cannot be."""
        self.close()
        self._network = opened(self.manifest, self.runtime, self.precision)

    def use(self, network: Network) -> None:
        """Run on this network instead of one that `open` would make."""
        self.close()
        self._network = network

    def close(self) -> None:
        """Give back what `open` took."""
        network, self._network = self._network, None
        if network is not None:
            network.close()

    @property
    def is_open(self) -> bool:
        """Whether it can be asked."""
        return self._network is not None

    def _run(self, batch: NDArray[np.uint8]) -> Outputs:
        """What the network gives for pictures in its size, RGB (n, height, width, 3)."""
        port = next(iter(self._open.inputs.values()))
        return self._open(ordered(batch, self.manifest.input).astype(port.dtype, copy=False))

    @property
    def _open(self) -> Network:
        if self._network is None:
            raise RuntimeError(
                f"{type(self).__name__} is not open: call open() first, and close() at the end"
            )
        return self._network


def model_of(name: str, task: Literal["detect", "embed"], engine: str, output: type[T]) -> tuple[Manifest, T]:
    """The manifest of that name, and its `output` as this engine reads it; raises ValueError where it is not for it."""
    try:
        made = manifest(name)
    except ConfigError as error:
        raise ValueError(str(error)) from error
    if (made.task, made.engine) != (task, engine):
        raise ValueError(
            f"model: {name} is for {made.engine}, which {made.task}s; write {{engine: {made.engine}, model: {name}}}"
        )
    try:
        return made, msgspec.convert(made.output, known(output))
    except msgspec.ValidationError as error:
        raise ValueError(f"engines/models/{name}.yaml: output: {str(error).lower()}") from error
