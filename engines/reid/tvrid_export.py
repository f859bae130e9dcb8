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
from engines.reid.blocks import in_blocks
from engines.reid.discriminant import discriminants
from engines.reid.export import OPSET
from engines.reid.lessons import FRAMES, Lessons
from engines.reid.methods.tvrid import Network, half_turned, together, without_color
from engines.reid.methods.tvrid_picture import LENGTH, PictureNetwork
from engines.reid.overhead_people import REACH
from engines.reid.upright import HIGH_PX, WIDE_PX, layers_of, mirrored

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
        self.maps = in_blocks(network.maps, MAPS, CHANNELS)

    def forward(self, layers: Tensor) -> Tensor:
        maps, numbers = layers[:, : MAPS * CHANNELS], layers[:, MAPS * CHANNELS, 0, :NUMBERS]
        seen = self.maps(torch.cat([maps, half_turned(maps)]))
        joined = self.network.joined(torch.cat([seen, numbers.repeat(2, 1)], dim=1))
        one, other = self.network.trunk(joined).chunk(2)
        return _sure(self.network, self.last, 0.5 * (one + other))


class _Pictures(nn.Module):
    """What a picture says by itself: as depth would, by which to find depth; and twice as long what tells pictures of
    people apart.
    """

    def __init__(self, network: PictureNetwork, last: Tensor) -> None:
        super().__init__()
        self.network, self.last = network, nn.Parameter(last)

    def forward(self, pictures: Tensor) -> Tensor:
        said = self.network(pictures)
        return torch.cat([said.shapes, torch.cat([said.shapes, said.looks], dim=1) @ self.last], dim=1)


def _both_ways(network: Network, maps: Tensor, numbers: Tensor) -> Tensor:
    turns = (maps, half_turned(maps))
    seen = [network.trunk(network.joined(torch.cat([network.maps(one), numbers], dim=1))) for one in turns]
    return 0.5 * torch.stack(seen).sum(dim=0)


def _sure(network: Network, last: nn.Linear, features: Tensor) -> Tensor:
    return F.normalize(last(features)) * torch.sigmoid(network.sureness(features))


def told_apart(network: Network, of: Lessons) -> nn.Linear:
    """What follows the trunk in what ships: what tells the people of the lessons apart."""
    network.eval()
    with torch.inference_mode():
        vectors = network.vector(_features(network, of)).flatten(0, 1).double()
    people = np.unique(of.people, return_inverse=True)[1]
    matrix = discriminants(vectors.numpy(), np.repeat(people, 2), LENGTH)
    return _followed(network.vector, vectors.mean(dim=0), torch.from_numpy(matrix))


def pictures_apart(network: PictureNetwork, of: Lessons) -> Tensor:
    """What follows both vectors of a picture, (2 * LENGTH, 2 * LENGTH): what tells people of the lessons apart by two
    frames of a passage, each looked at in a mirror too.
    """
    network.eval()
    seen = list[Tensor]()
    with torch.inference_mode():
        for first in range(0, len(of.people), AT_ONCE):
            some = slice(first, first + AT_ONCE)
            layers = layers_of(of.pictures[some], of.cameras[some])
            ways = (torch.from_numpy(one) for one in (layers, mirrored(layers)))
            seen.append(torch.stack([torch.cat(network(one)[:2], dim=1) for one in ways]).sum(dim=0))
    vectors = together(torch.cat(seen), FRAMES).double().numpy()
    people = np.unique(of.people[::FRAMES], return_inverse=True)[1]
    return torch.from_numpy(discriminants(vectors, people, 2 * LENGTH)).float()


def teachers(network: Network, of: Lessons) -> tuple[Tensor, Tensor]:
    """What is said of each person of the lessons by depth alone, and by colour and depth: (people, LENGTH)."""
    last, features = told_apart(network, of), _features(network, of)
    people = torch.from_numpy(np.unique(of.people, return_inverse=True)[1].astype(np.int64))
    with torch.inference_mode():
        said = [_sure(network, last, features[:, mode]) for mode in (1, 0)]
        sums = [torch.zeros(int(people.max()) + 1, LENGTH).index_add_(0, people, one) for one in said]
    return F.normalize(sums[0]).clone(), F.normalize(sums[1]).clone()


def _features(network: Network, of: Lessons) -> Tensor:
    """Of each frame by colour and depth, and by depth alone: (n, 2, WIDTH)."""
    reach, seen = torch.from_numpy(np.tile(REACH, MAPS))[:, None, None], list[Tensor]()
    with torch.inference_mode():
        for first in range(0, len(of.people), AT_ONCE):
            some = slice(first, first + AT_ONCE)
            maps = (torch.from_numpy(of.maps[some].copy()).float() / 127.5 - 1.0) * reach
            whole = maps, torch.from_numpy(of.numbers[some].copy())
            both = [_both_ways(network, *one) for one in (whole, without_color(*whole))]
            seen.append(torch.stack(both, dim=1))
    return torch.cat(seen)


def _followed(vector: nn.Linear, mean: Tensor, matrix: Tensor) -> nn.Linear:
    """A linear step, less a mean, and a matrix after it, as one."""
    made = nn.Linear(vector.in_features, matrix.shape[1])
    with torch.no_grad():
        made.weight.copy_((matrix.T @ vector.weight.double()).float())
        made.bias.copy_(((vector.bias.double() - mean) @ matrix).float())
    return made


def export(
    network: Network, pictures: PictureNetwork, of: Lessons, folder: Path, like: Mapping[str, float]
) -> None:
    """The networks as `overhead.onnx`, for maps, and `picture.onnx`, for upright pictures (n, 4, h, w), each with what
    is said of it beside it. `like` are the similarities that say nothing.
    """
    parts = {
        "overhead": (_Layers(network, told_apart(network, of)), torch.zeros(2, LAYERS, SIDE, SIDE), "layers"),
        "picture": (
            _Pictures(pictures, pictures_apart(pictures, of)),
            torch.zeros(2, 4, HIGH_PX, WIDE_PX),
            "pictures",
        ),
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
