"""Turns pictures of people into vectors with a network that `run.py train` has written. Needs the 'torch' extra."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import file_digest
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from configs.build import InputError
from engines._pictures import readable
from engines.reid import checkpoint
from engines.reid.method import MaskedMethod, PictureMethod, TextMethod
from engines.reid.recipe import method_of

BATCH = 64


@dataclass
class Trained:
    """`file` is the model.safetensors of a training. The camera of a picture is not told: the mean stands for it."""

    file: str
    device: str = "cpu"  # or cuda
    reads: ClassVar[str] = "color"
    _made: tuple[PictureMethod, Any] | None = field(default=None, init=False)

    def open(self) -> None:
        """Read the network; raises InputError where it is not one that `train` has written."""
        self._made = trained(Path(self.file), self.device)

    def close(self) -> None:
        """Let go of it."""
        self._made = None

    @cached_property
    def model_id(self) -> str:
        """The beginning of its file's sha256: only vectors of one model can be compared."""
        try:
            with Path(self.file).open("rb") as file:
                return f"trained.{file_digest(file, 'sha256').hexdigest()[:8]}"
        except OSError as error:
            raise InputError(
                f"{self.file}: cannot be read, {error.strerror}; name a model.safetensors"
            ) from error

    @property
    def says_what_shows(self) -> bool:
        """Whether `seen` tells more than that all is to be trusted."""
        return isinstance(self._opened[0], MaskedMethod)

    def __call__(self, pictures: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
        """A vector of length 1 for each picture, (n, d): RGB or grey, of any sizes. That of a picture without pixels is
        all 0.
        """
        return self.seen(pictures)[0]

    def seen(self, pictures: Sequence[NDArray[Any]]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The same, and how far each part of each vector is to be trusted, (n, parts) of 0 to 1: see
        engines/index/masked.py. A method that does not say so has one part, and all of it is; of a picture without
        pixels nothing is.
        """
        method, network = self._opened
        has_pixels = np.array([picture.size > 0 for picture in pictures], bool)
        shown = [_rgb(picture) if picture.size else np.zeros((1, 1, 3), np.uint8) for picture in pictures]
        made = [(np.empty((0, 0), np.float32), np.empty((0, 1), np.float32))]
        with torch.inference_mode():
            for start in range(0, len(shown), BATCH):
                batch = torch.stack([method.look(picture) for picture in shown[start : start + BATCH]])
                made.append(_seen(method, network, batch.to(self.device)))
        vectors, visibility = (np.concatenate(some) for some in zip(*(made[1:] or made), strict=True))
        return (
            np.asarray(vectors * has_pixels[:, None], np.float32),
            np.asarray(visibility * has_pixels[:, None], np.float32),
        )

    def texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """A vector of length 1 for each text, which those of pictures are compared with: (n, d)."""
        method, network = self._texts_of()
        vectors = [np.empty((0, 0), np.float32)]
        with torch.inference_mode():
            for start in range(0, len(texts), BATCH):
                read = method.reader()(list(texts[start : start + BATCH]))
                numbers = torch.from_numpy(read).to(self.device)
                vectors.append(method.texts(network, numbers).float().cpu().numpy())
        return np.concatenate(vectors[1:] or vectors)

    def unknown(self, text: str) -> list[str]:
        """The words of a text that mean nothing to it."""
        return self._texts_of()[0].reader().unknown(text)

    @property
    def _opened(self) -> tuple[PictureMethod, Any]:
        if self._made is None:
            self.open()
        assert self._made is not None
        return self._made

    def _texts_of(self) -> tuple[TextMethod, Any]:
        method, network = self._opened
        if not isinstance(method, TextMethod):
            raise InputError(f"{self.file}: {type(method).__name__} reads no text; name one of unified's")
        return method, network


def _seen(
    method: PictureMethod, network: Any, pictures: Tensor
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    if isinstance(method, MaskedMethod):
        vectors, visibility = method.seen(network, pictures)
    else:
        vectors, visibility = method.vectors(network, pictures), torch.ones(len(pictures), 1)
    return vectors.float().cpu().numpy(), visibility.float().cpu().numpy()


def trained(path: Path, device: str = "cpu") -> tuple[PictureMethod, Any]:
    """The method and the network of a trained file; raises InputError with one line."""
    state, told = checkpoint.load(path, device)
    if "method" not in told or "place" in told:
        raise InputError(f"{path}: is a training that has not ended; name the model.safetensors beside it")
    method = method_of(told["method"], told["settings"], f"{path}: settings")
    if not isinstance(method, PictureMethod):
        raise InputError(f"{path}: {told['method']} gives no vectors of single pictures; name another model")
    network = method.network(told["people"], told["cameras"])
    network.load_state_dict(state)
    return method, network.to(device).eval()


def _rgb(picture: NDArray[Any]) -> NDArray[np.uint8]:
    shown = readable(picture)
    return shown if shown.ndim == 3 else np.repeat(shown[:, :, None], 3, axis=2)
