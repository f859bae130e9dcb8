"""Whether a compiled network may be used: it must find what the same model finds at fp32 on another runtime.

Vectors are compared by their cosine, detectors by AP50. Without labels, those whom the fp32 network is sure of are the
people, and whom it is not sure of are neither right nor wrong to find.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from configs.build import InputError
from engines._average_precision import Truth, ap50
from engines._manifest import Manifest
from engines._model import Model
from engines._network import Network, Outputs
from engines._picture_folder import picture
from engines.runtimes._parallel import noise

LEAST_COSINE = {"fp32": 0.9999, "fp16": 0.999, "bf16": 0.999, "int8": 0.99}
MOST_LOST = 0.5  # points of AP50
SURE, DOUBTFUL = 0.5, 0.1  # scores of a detector
EVERY = 0.02  # score from which a box counts for AP50
ON_NOISE = 4  # pictures
LEAST_SHARED, LOOKED_AT = 0.9, 1000  # of a picture's rows; of which so many are looked at
NEAR = {"fp32": 0.01, "fp16": 0.03, "bf16": 0.1, "int8": 0.3}  # of a row's length


@dataclass(frozen=True)
class Compared:
    """How alike two networks are, and whether that is enough."""

    said: str
    is_good: bool


@dataclass(frozen=True)
class Pictures:
    """What is looked at, and who is in each picture where that is known."""

    paths: Sequence[Path]
    truth: Sequence[Truth] | None = None


@dataclass(frozen=True)
class Comparison:
    """Compares networks of a model, at a precision, with its reference."""

    manifest: Manifest
    reference: Network
    precision: str

    def on_pictures(self, network: Network, pictures: Pictures, shown: Callable[[], None]) -> Compared:
        """By what the model's engine makes of each picture; `shown` is called twice for each."""
        paths = pictures.paths
        given = [list(_given(self.manifest, one, paths, shown)) for one in (network, self.reference)]
        if self.manifest.task == "embed":
            cosines = [float((one[0] * other[0]).sum()) for one, other in zip(*given, strict=True)]
            least = min(cosines)
            said = f"cosine with fp32 {least:.4f} at least, {np.mean(cosines):.4f} in the mean"
            return Compared(f"{said} of {len(paths)} pictures", least >= LEAST_COSINE[self.precision])
        found, expected = ([one[0] for one in of_one] for of_one in given)
        people = pictures.truth or [_believed(*one) for one in expected]
        if not any(len(one.people) for one in people):
            raise InputError(
                "--calibrate: nobody is in these pictures; name others, as the model will see them"
            )
        score, wanted = ap50(found, people), ap50(expected, people)
        whom = "those in the labels" if pictures.truth else "those of whom fp32 is sure"
        said = f"AP50 {score:.1f}, at fp32 {wanted:.1f}, of {whom} in {len(paths)} pictures"
        return Compared(said, wanted - score <= MOST_LOST)

    def on_noise(self, network: Network) -> Compared:
        """By what comes out of the network itself, where there are no pictures. Some detectors choose their best rows
        themselves: a row of them may be any row of the other's, and of those as good as the last chosen, on noise often
        all, it is chance which are.
        """
        port = next(iter(network.inputs.values()))
        batch = noise(self.manifest.input, ON_NOISE).astype(port.dtype)
        given, expected = network(batch), self.reference(batch)
        if self.manifest.task == "detect":
            near = NEAR[self.precision]
            rows = _by_choice if self.manifest.output.get("is_end_to_end") else _shared
            share = min(
                rows(given[name][row], expected[name][row], near)
                for name in expected
                for row in range(ON_NOISE)
            )
            return Compared(f"{share:.1%} of rows alike on noise", share >= LEAST_SHARED)
        least = min(float(one @ other) for one, other in zip(_flat(given), _flat(expected), strict=True))
        return Compared(f"cosine {least:.6f} on noise", least >= LEAST_COSINE[self.precision])


class Fed:
    """What a network is fed for pictures, a batch each; every time anew, as all of it would fill the memory."""

    def __init__(self, manifest: Manifest, reference: Network, paths: Sequence[Path]) -> None:
        self._manifest, self._reference, self._paths = manifest, reference, paths

    def __iter__(self) -> Iterator[NDArray[Any]]:
        remembering = _Remembering(self._reference)
        made = _engine(self._manifest, remembering)
        for path in self._paths:
            made([picture(path)])
            yield remembering.fed


class _Remembering:
    """A network that remembers what it was fed last, as often as it takes at once."""

    def __init__(self, network: Network) -> None:
        self._network, self.fed = network, np.empty(0)
        self.runtime, self.device, self.layers = network.runtime, network.device, network.layers
        self.inputs, self.outputs, self.most = network.inputs, network.outputs, network.most

    def __call__(self, batch: NDArray[Any]) -> Outputs:
        self.fed = np.repeat(batch[:1], self.most or 1, axis=0)
        return self._network(batch)

    def submit(self, batch: NDArray[Any]) -> Callable[[], Outputs]:
        given = self(batch)
        return lambda: given

    def close(self) -> None:
        """It is closed by whom it belongs to."""


def _given(
    manifest: Manifest, network: Network, paths: Sequence[Path], shown: Callable[[], None]
) -> Iterator[Any]:
    made = _engine(manifest, network)
    for path in paths:
        yield made([picture(path)])
        shown()


def _engine(manifest: Manifest, network: Network) -> Any:
    """What reads this model, on a network that stays its owner's."""
    file = import_module(f"engines.{manifest.engine}")
    (kind,) = (
        made
        for made in vars(file).values()
        if isinstance(made, type) and issubclass(made, Model) and made.__module__ == file.__name__
    )
    settings: dict[str, Any] = {"min_score": EVERY} if manifest.task == "detect" else {}
    made = kind(manifest.name, **settings)
    made.use(network)
    return made


def _believed(boxes: NDArray[np.float32], scores: NDArray[np.float32]) -> Truth:
    sure = scores >= SURE
    return Truth(boxes[sure], boxes[~sure & (scores >= DOUBTFUL)])


def _flat(outputs: Outputs) -> NDArray[np.float64]:
    """All that comes out for each picture, (n, numbers), of length 1."""
    rows = np.concatenate([array.reshape(len(array), -1) for array in outputs.values()], axis=1).astype(float)
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12), float)


def _by_choice(given: NDArray[Any], expected: NDArray[Any], near: float) -> float:
    """Of rows (n, 6) that a network chose by the score in the fifth place, how many of those better than the last are
    near some row of the other; none unless scores are alike.
    """
    if np.abs(np.sort(given[:, 4]) - np.sort(expected[:, 4])).max() > near:
        return 0.0
    better = given[given[:, 4] > given[:, 4].min() + near]
    return _shared(better, expected, near) if len(better) else 1.0


def _shared(given: NDArray[Any], expected: NDArray[Any], near: float) -> float:
    """How many of the rows of one array are near some row of another."""
    rows = given.reshape(-1, given.shape[-1]).astype(np.float64)
    others = expected.reshape(-1, expected.shape[-1]).astype(np.float64)
    rows = rows[:: max(1, len(rows) // LOOKED_AT)]
    lengths = np.linalg.norm(rows, axis=1)
    squares = lengths[:, None] ** 2 + (others**2).sum(axis=1)[None] - 2 * rows @ others.T
    nearest = np.sqrt(squares.min(axis=1).clip(0))
    return float((nearest <= near * np.maximum(lengths, 1.0)).mean())
