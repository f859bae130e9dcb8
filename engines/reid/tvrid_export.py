"""Writes the overhead network as ONNX: maps in, a vector out as long as it is sure. Needs the 'torch' extra."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from torch import Tensor, nn
from torch.nn import functional as F

from configs.build import InputError
from engines._overhead_maps import CHANNELS, LAYERS, MAPS, NUMBERS, SIDE
from engines.reid.discriminant import discriminants
from engines.reid.export import BYTES, OPSET
from engines.reid.lessons import PICTURE_PX, Lessons
from engines.reid.methods.tvrid import Network, half_turned, without_color
from engines.reid.overhead_people import REACH

LENGTH = 64  # of what ships
AT_ONCE = 512
TOLD = {
    "source": "trained on simulated people alone; python benchmarks/tvrid.py makes it again",
    "licence": "Apache-2.0",
}


class _Layers(nn.Module):
    """Looks at people both ways round, so that which way they face is nothing to it."""

    def __init__(self, network: Network, last: nn.Linear) -> None:
        super().__init__()
        self.network, self.last = network, last

    def forward(self, layers: Tensor) -> Tensor:
        maps, numbers = layers[:, : MAPS * CHANNELS], layers[:, MAPS * CHANNELS, 0, :NUMBERS]
        return _sure(self.network, self.last, _both_ways(self.network, maps, numbers))


class _Pictures(nn.Module):
    def __init__(self, network: Network, last: nn.Linear) -> None:
        super().__init__()
        self.network, self.last = network, last

    def forward(self, pictures: Tensor) -> Tensor:
        return _sure(self.network, self.last, _of_pictures(self.network, pictures))


def _both_ways(network: Network, maps: Tensor, numbers: Tensor) -> Tensor:
    turns = (maps, half_turned(maps))
    seen = [network.trunk(network.joined(torch.cat([network.maps(one), numbers], dim=1))) for one in turns]
    return 0.5 * torch.stack(seen).sum(dim=0)


def _of_pictures(network: Network, pictures: Tensor) -> Tensor:
    features: Tensor = network.trunk(network.pictures(pictures / BYTES - 0.5))
    return features


def _sure(network: Network, last: nn.Linear, features: Tensor) -> Tensor:
    return F.normalize(last(features)) * torch.sigmoid(network.sureness(features))


def told_apart(network: Network, of: Lessons) -> tuple[nn.Linear, nn.Linear]:
    """What follows the trunk, of maps and of pictures: what tells the people of the lessons apart."""
    network.eval()
    people, maps, pictures = np.unique(of.people, return_inverse=True)[1], list[Tensor](), list[Tensor]()
    reach = torch.from_numpy(np.tile(REACH, MAPS))[:, None, None]
    with torch.inference_mode():
        for first in range(0, len(of.people), AT_ONCE):
            some = slice(first, first + AT_ONCE)
            seen = (torch.from_numpy(of.maps[some].copy()).float() / 127.5 - 1.0) * reach
            said = seen, torch.from_numpy(of.numbers[some].copy())
            bare = without_color(*said)
            maps.append(
                torch.stack([network.vector(_both_ways(network, *one)) for one in (said, bare)], dim=1)
            )
            shown = torch.from_numpy(of.pictures[some].copy()).permute(0, 3, 1, 2).float()
            pictures.append(network.vector(_of_pictures(network, shown)))
    by_maps, by_pictures = torch.cat(maps).flatten(0, 1).double(), torch.cat(pictures).double()
    matrix = torch.from_numpy(discriminants(by_maps.numpy(), np.repeat(people, 2), LENGTH))
    return tuple(_followed(network.vector, one.mean(dim=0), matrix) for one in (by_maps, by_pictures))  # type: ignore[return-value]


def _followed(vector: nn.Linear, mean: Tensor, matrix: Tensor) -> nn.Linear:
    """A linear step, less a mean, and a matrix after it, as one."""
    made = nn.Linear(vector.in_features, matrix.shape[1])
    with torch.no_grad():
        made.weight.copy_((matrix.T @ vector.weight.double()).float())
        made.bias.copy_(((vector.bias.double() - mean) @ matrix).float())
    return made


def export(network: Network, of: Lessons, folder: Path, like: Mapping[str, float]) -> None:
    """The network as `overhead.onnx`, for maps, and `picture.onnx`, for colour pictures alone (n, 3, side, side), each
    with what is said of it beside it. `like` are the similarities that say nothing.
    """
    by_maps, by_pictures = told_apart(network, of)
    parts = {
        "overhead": (_Layers(network, by_maps), torch.zeros(2, LAYERS, SIDE, SIDE), "layers"),
        "picture": (_Pictures(network, by_pictures), torch.zeros(2, 3, PICTURE_PX, PICTURE_PX), "pictures"),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, (module, given, called) in parts.items():
            path = folder / f"{name}.onnx"
            _write(module.eval(), given, called, path)
            told: dict[str, Any] = {"sha256": sha256(path.read_bytes()).hexdigest(), **TOLD}
            if name == "overhead":
                told |= {"length": LENGTH, **like}
            path.with_suffix(".yaml").write_text(yaml.safe_dump(told, sort_keys=False), encoding="utf-8")
    except OSError as error:
        raise InputError(f"{folder}: cannot be written, {error.strerror}; name another place") from error


def _write(module: nn.Module, given: Tensor, called: str, path: Path) -> None:
    with warnings.catch_warnings():  # the exporter, about itself
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            (given,),
            path,
            opset_version=OPSET,
            dynamo=False,
            dynamic_axes={called: {0: "n"}, "vectors": {0: "n"}},
            input_names=[called],
            output_names=["vectors"],
        )
