"""Tells people apart from above: by depth alone with a small network that comes with the program.

Where there is colour the network may look at it too; but there the descriptor of `overhead_descriptor` told people of
the simulated site apart better (engines/reid/README.md), so that speaks unless it is said otherwise.

Crops are laid out in metres first (engines/_overhead_maps.py). A vector is as long as the network is sure of it, so
that of several crops the better ones count for more. It runs on OpenCV, which is always there; ONNX Runtime is faster,
and differs in the last bits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import ClassVar, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from configs.build import InputError
from configs.known import known
from configs.read import read
from engines._overhead_maps import CHANNELS, MAPS, maps_of_each
from engines._plan import Plan
from engines.overhead_descriptor import OverheadDescriptor

Array = NDArray[np.float32]
Runs = Callable[[Array], Array]

MODEL = Path(__file__).parent / "models" / "tvrid" / "overhead.onnx"
KNOWN = (MAPS * CHANNELS, 0, 11)  # of the layers: above 0 where anything is known of a person


class _Said(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What stands beside the model. Similarities of another network mean another thing: `like` and `like_by_depth` are
    those at which it is as likely one person as two, and become what the matcher takes for that.
    """

    sha256: str
    length: int
    source: str
    licence: str
    like: float
    like_by_depth: float


SAYS_NOTHING = 0.80  # the matcher's midpoint


@dataclass
class TvridEmbedder:
    """`model` is the ONNX file, by itself the one that comes with the program; `runtime` what runs it; and `with_color`
    what speaks where there is colour.
    """

    reads: ClassVar[str] = "depth"
    says_how_sure: ClassVar[bool] = True
    model: str = ""
    runtime: Literal["opencv", "onnxruntime"] = "opencv"
    with_color: Literal["descriptor", "network"] = "descriptor"
    _said: _Said = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.runtime == "onnxruntime" and not find_spec("onnxruntime"):
            raise ValueError("runtime: onnxruntime is not installed; pip install '.[onnxruntime]'")
        self._said = _said(self._path)

    @property
    def model_id(self) -> str:
        """Only vectors of one model can be compared."""
        color = "" if self.with_color == "network" else f"+{OverheadDescriptor.model_id}"
        return f"tvrid.{self._said.sha256[:8]}{color}"

    @property
    def like(self) -> float:
        """The network's own similarity of those of whom it says nothing, by colour and depth."""
        return self._said.like

    @property
    def like_by_depth(self) -> float:
        """The same, by depth alone."""
        return self._said.like_by_depth

    def open(self) -> None:
        """Read the model; raises InputError where its bytes are others than they should be."""
        self._run  # noqa: B018, it is kept

    def of(self, modality: str) -> TvridEmbedder | OverheadDescriptor:
        """What speaks of a tracklet, from its first crop to its last."""
        by_color = modality == "rgbd" and self.with_color == "descriptor"
        return OverheadDescriptor() if by_color else self

    def __call__(
        self, colors: Sequence[NDArray[np.uint8] | None], points: Sequence[Array | None], heights_m: Array
    ) -> Array:
        """A vector for each crop, (n, d), of length 1 at most: RGB (h, w, 3) uint8 or None, points (h, w, 3) in metres
        from the head's place on the floor, NaN where unknown, and heights (n,) in metres. That of a crop in which
        hardly anything is measured is all 0: it is like nobody. Raises ValueError without depth.
        """
        shown = [one for one in points if one is not None]
        if len(shown) < len(points):
            raise ValueError("tvrid_embedder needs depth; choose another embedder for cameras without it")
        layers = maps_of_each(colors, shown, heights_m)
        return self._comparable(self.vectors(layers), np.array([one is not None for one in colors], bool))

    def vectors(self, layers: Array) -> Array:
        """What the network says of maps (n, LAYERS, SIDE, SIDE)."""
        known = layers[(slice(None), *KNOWN)] > 0
        if known.all() and len(layers):  # as nearly always, and a copy of them takes time
            return self._run(layers)
        vectors = np.zeros((len(layers), self._said.length), np.float32)
        if known.any():
            vectors[known] = self._run(layers[known])
        return vectors

    def _comparable(self, vectors: Array, has_color: NDArray[np.bool_]) -> Array:
        """With a part that is the same for all, so large that similarities are what the matcher takes them for."""
        like = np.where(has_color, self._said.like, self._said.like_by_depth)
        own = (1.0 - SAYS_NOTHING) / (1.0 - like)
        sure = np.linalg.norm(vectors, axis=1)
        same = sure * np.sqrt(1.0 - own)
        return np.concatenate([vectors * np.sqrt(own)[:, None], same[:, None]], axis=1).astype(np.float32)

    @property
    def _path(self) -> Path:
        return Path(self.model) if self.model else MODEL

    @cached_property
    def _run(self) -> Runs:
        """What runs the model; raises InputError where its bytes are others than they should be."""
        try:
            written = self._path.read_bytes()
        except OSError as error:
            raise InputError(f"{self._path}: cannot be read, {error.strerror}; install it again") from error
        if sha256(written).hexdigest() != self._said.sha256:
            raise InputError(
                f"{self._path}: is not the file that {self._path.with_suffix('.yaml').name} describes, its sha256 "
                "is another; fetch it again"
            )
        by_opencv = self.runtime == "opencv"
        return _by_opencv(written) if by_opencv else _by_onnxruntime(self._path, written)


def _said(model: Path) -> _Said:
    described = model.with_suffix(".yaml")
    try:
        said = msgspec.convert(read(described), known(_Said))
    except msgspec.ValidationError as error:
        raise ValueError(f"{described}: {str(error).lower()}") from error
    for name in ("like", "like_by_depth"):
        if not -1.0 < getattr(said, name) <= SAYS_NOTHING:
            raise ValueError(f"{described}: {name}: must be from -1 to {SAYS_NOTHING}")
    return said


def _by_opencv(written: bytes) -> Runs:
    import cv2

    network, alone = cv2.dnn.readNetFromONNX(np.frombuffer(written, np.uint8)), Lock()

    def run(layers: Array) -> Array:
        with alone:  # it holds what goes in
            network.setInput(layers, "layers")
            return np.asarray(network.forward(), np.float32).copy()

    return run


def _by_onnxruntime(path: Path, written: bytes) -> Runs:
    from engines.runtimes.onnxruntime import session

    opened, _ = session(path, Plan("onnxruntime"), written, threads=1)
    return lambda layers: np.asarray(opened.run(None, {"layers": layers})[0], np.float32)
