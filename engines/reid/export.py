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
from engines.reid.augment import Look
from engines.reid.halved import halve
from engines.reid.method import MaskedMethod, PictureMethod, TextMethod
from engines.reid.words import WordTokenizer

OPSET = 17
BYTES = 255


def export(method: PictureMethod, network: nn.Module, path: Path, licence: str = "unknown") -> Path:
    """The network as `path`, for batches of any size, and `path`.yaml that says how pictures go in; gives that.

    A method that says how far its vectors are to be trusted gives that as a second output. Of one that reads texts,
    what reads them lies beside it, with a manifest too.
    """
    is_masked = isinstance(method, MaskedMethod)
    module = (_Seen if is_masked else _Vectors)(method, network).eval()
    picture, outputs = torch.zeros(2, 3, *method.look.size), ["vectors", "visibility"][: 1 + is_masked]
    with torch.no_grad():
        made = module(picture) if is_masked else (module(picture),)
    said: dict[str, Any] = dict(zip(("length", "parts"), (one.shape[1] for one in made), strict=False))
    _write(module, picture, path, ("images", *outputs))
    if isinstance(method, TextMethod):
        said["texts"] = export_texts(method, network, path.with_name(f"{path.stem}_texts.onnx"), licence).stem
    return _describe(path, _manifest(method, path, licence, _pictures(method.look), said))


def export_texts(method: TextMethod, network: nn.Module, path: Path, licence: str = "unknown") -> Path:
    """What it says of texts as `path`, vectors of length 1, and its manifest; gives that. A text goes in as if it
    were a picture of one row: the numbers of its tokens, as floats.
    """
    reader = method.reader()
    numbers = torch.from_numpy(reader(["a person", "somebody else"])).float()[:, None, None]
    module = _Texts(method, network).eval()
    _write(module, numbers, path, ("tokens", "vectors"))
    said: dict[str, Any] = {"length": module(numbers).shape[1]}
    if isinstance(reader, WordTokenizer):
        said["words"] = reader.known
    given = {"name": "tokens", "layout": "NCHW", "size": [1, reader.context], "color": "grey"}
    return _describe(path, _manifest(method, path, licence, given, said) | {"engine": "reader"})


def _write(module: nn.Module, given: Tensor, path: Path, names: tuple[str, ...]) -> None:
    first, *others = names
    try:
        with warnings.catch_warnings():  # the exporter, about itself
            warnings.simplefilter("ignore")
            torch.onnx.export(
                module,
                (given,),
                path,
                opset_version=OPSET,
                dynamo=False,
                dynamic_axes={name: {0: "n"} for name in names},
                input_names=[first],
                output_names=others,
            )
        halve(path)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be written, {error.strerror}; make room, or name another place"
        ) from error


def _describe(path: Path, manifest: dict[str, Any]) -> Path:
    described = path.with_suffix(".yaml")
    try:
        described.write_text(yaml.safe_dump(manifest, sort_keys=False))
    except OSError as error:
        raise InputError(
            f"{described}: cannot be written, {error.strerror}; make room, or name another place"
        ) from error
    return described


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
    def forward(self, row: Tensor) -> Tensor:
        return self.method.texts(self.network, row[:, 0, 0].long())  # type: ignore[attr-defined, no-any-return]


def _pictures(look: Look) -> dict[str, Any]:
    scaled = {"mean": [BYTES * one for one in look.mean], "scale": [BYTES * one for one in look.std]}
    return {"name": "images", "layout": "NCHW", "size": list(look.size), "color": "rgb", "range": scaled}


def _manifest(
    method: PictureMethod, path: Path, licence: str, given: dict[str, Any], said: dict[str, Any]
) -> dict[str, Any]:
    return {
        "name": path.stem,
        "task": "embed",
        "engine": "embedder",
        "source": f"trained here, with {type(method).__name__}",
        "licence": licence,
        "download": "python run.py train makes it",
        "files": [{"name": path.name, "sha256": sha256(path.read_bytes()).hexdigest()}],
        "input": given,
        "output": said,
    }
