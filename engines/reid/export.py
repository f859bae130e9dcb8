"""Writes a trained network as ONNX with its manifest, for the engines that run networks. Needs the 'torch' extra."""

from __future__ import annotations

import warnings
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor, nn

from configs.build import InputError
from engines.reid.method import MaskedMethod, PictureMethod, TextMethod

OPSET = 17
BYTES = 255


def export(method: PictureMethod, network: nn.Module, path: Path, licence: str = "unknown") -> Path:
    """The network as `path`, for batches of any size, and `path`.yaml that says how pictures go in; gives that.

    A method that says how far its vectors are to be trusted gives that as a second output.
    """
    is_masked = isinstance(method, MaskedMethod)
    module = (_Seen if is_masked else _Vectors)(method, network).eval()
    picture, outputs = torch.zeros(2, 3, *method.look.size), ["vectors", "visibility"][: 1 + is_masked]
    names: dict[str, Any] = {"input_names": ["images"], "output_names": outputs}
    with torch.no_grad():
        made = module(picture) if is_masked else (module(picture),)
    lengths = dict(zip(("length", "parts"), (one.shape[1] for one in made), strict=False))
    axes = {name: {0: "n"} for name in ("images", *outputs)}
    described = path.with_suffix(".yaml")
    try:
        with warnings.catch_warnings():  # the exporter, about itself
            warnings.simplefilter("ignore")
            torch.onnx.export(
                module, (picture,), path, opset_version=OPSET, dynamo=False, dynamic_axes=axes, **names
            )
        described.write_text(yaml.safe_dump(_manifest(method, path, lengths, licence), sort_keys=False))
    except OSError as error:
        raise InputError(
            f"{path}: cannot be written, {error.strerror}; make room, or name another place"
        ) from error
    return described


def export_texts(method: TextMethod, network: nn.Module, path: Path) -> Path:
    """What it says of texts as `path`: numbers of tokens (n, context) in, vectors of length 1 out."""
    numbers = method.reader()(["a person", "somebody else"])
    names: dict[str, Any] = {"input_names": ["tokens"], "output_names": ["vectors"]}
    axes = {name: {0: "n"} for name in ("tokens", "vectors")}
    try:
        with warnings.catch_warnings():  # the exporter, about itself
            warnings.simplefilter("ignore")
            torch.onnx.export(
                _Texts(method, network).eval(),
                (numbers,),
                path,
                opset_version=OPSET,
                dynamo=False,
                dynamic_axes=axes,
                **names,
            )
    except OSError as error:
        raise InputError(
            f"{path}: cannot be written, {error.strerror}; make room, or name another place"
        ) from error
    return path


class _Vectors(nn.Module):
    def __init__(self, method: PictureMethod, network: nn.Module) -> None:
        super().__init__()
        self.method, self.network = method, network

    def forward(self, pictures: Tensor) -> Tensor:
        return self.method.vectors(self.network, pictures)


class _Seen(_Vectors):
    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        return self.method.seen(self.network, pictures)  # type: ignore[attr-defined, no-any-return]


class _Texts(_Vectors):
    def forward(self, numbers: Tensor) -> Tensor:
        return self.method.texts(self.network, numbers)  # type: ignore[attr-defined, no-any-return]


def _manifest(method: PictureMethod, path: Path, lengths: dict[str, int], licence: str) -> dict[str, Any]:
    look, name = method.look, path.stem
    scaled = {"mean": [BYTES * one for one in look.mean], "scale": [BYTES * one for one in look.std]}
    return {
        "name": name,
        "task": "embed",
        "engine": "embedder",
        "source": f"trained here, with {type(method).__name__}",
        "licence": licence,
        "download": "python run.py train makes it",
        "files": [{"name": path.name, "sha256": sha256(path.read_bytes()).hexdigest()}],
        "input": {
            "name": "images",
            "layout": "NCHW",
            "size": list(look.size),
            "color": "rgb",
            "range": scaled,
        },
        "output": lengths,
    }
