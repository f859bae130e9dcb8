"""A ResNet-50 out of an ONNX file, whose batch norms are part of its convolutions and whose weights may have 8 bits.

So it is shipped where pictures are compared, and the official baseline of TVRID may begin with it where torchvision's
own file is not at hand. That needs norms to train: they become what they take in of some pictures, and change nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from configs.build import InputError
from engines.reid.methods.tvrid_baseline import resnet50

Array = NDArray[np.float32]
FIRST = re.compile(r"/backbone/initial_block/_module/0/Conv")
LATER = re.compile(r"/backbone/blocks/(\d)/block\d-(\d)/(convolutional_block/[036]|downsample/0)/Conv")
PARTS = {  # as ClassyVision counts within a block, and as torchvision names it: convolution and norm
    "convolutional_block/0": ("conv1", "bn1"),
    "convolutional_block/3": ("conv2", "bn2"),
    "convolutional_block/6": ("conv3", "bn3"),
    "downsample/0": ("downsample.0", "downsample.1"),
}


def read(path: Path) -> nn.Sequential:
    """The ResNet-50 in a file, under ClassyVision's names, without what comes after its last pooling; norms do nothing.

    Raises InputError for a file that has none.
    """
    import onnx

    try:
        graph = onnx.load(path).graph
    except OSError as error:
        raise InputError(f"{path}: cannot be read, {error.strerror}; name an ONNX file") from error
    except Exception as error:  # what a file that is none may raise has no end
        raise InputError(f"{path}: is no ONNX file; name one of a ResNet-50") from error
    trunk = resnet50()
    modules, given = dict(trunk.named_modules()), set[str]()
    for name, norm, weight, bias in _convolutions(graph):
        if name not in modules or modules[name].weight.shape != weight.shape:
            raise InputError(f"{path}: {name} is not as a ResNet-50 has it; name another file")
        modules[name].weight.data, modules[norm].bias.data = torch.tensor(weight), torch.tensor(bias)
        modules[norm].running_var.fill_(1 - modules[norm].eps)
        given.add(name)
    lacks = sorted(name for name, one in modules.items() if isinstance(one, nn.Conv2d) and name not in given)
    if lacks:
        raise InputError(
            f"{path}: has no {lacks[0]} of a ResNet-50 named as ClassyVision does; name another file"
        )
    return trunk.eval()


def settle(trunk: nn.Sequential, pictures: Sequence[Tensor]) -> None:
    """Give norms the means and deviations of what they get of batches of pictures (n, 3, h, w), and take those out
    again in their weights: what the trunk says stays as it was.
    """
    seen: dict[str, list[tuple[Tensor, Tensor]]] = {}
    hooks = [
        norm.register_forward_hook(
            lambda _, given, __, name=name: seen.setdefault(name, []).append(_moments(given[0]))
        )
        for name, norm in _norms(trunk)
    ]
    with torch.no_grad():
        for batch in pictures:
            trunk(batch)
        for hook in hooks:
            hook.remove()
        for name, norm in _norms(trunk):
            mean, square = (torch.stack(some).mean(dim=0) for some in zip(*seen[name], strict=True))
            variance = (square - mean**2).clamp(min=1e-8)
            shift = mean - norm.running_mean
            scale = norm.weight / (norm.running_var + norm.eps).sqrt()
            norm.weight.copy_(scale * (variance + norm.eps).sqrt())
            norm.bias.add_(scale * shift)
            norm.running_mean.copy_(mean)
            norm.running_var.copy_(variance)


def save(trunk: nn.Sequential, path: Path) -> None:
    """Its weights under torchvision's names, as the baseline reads them."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(trunk.state_dict(), path)
    except (OSError, RuntimeError) as error:
        raise InputError(f"{path}: cannot be written, {error}; make room, and run it again") from error


def _norms(trunk: nn.Sequential) -> list[tuple[str, Any]]:
    return [(name, one) for name, one in trunk.named_modules() if isinstance(one, nn.BatchNorm2d)]


def _moments(x: Tensor) -> tuple[Tensor, Tensor]:
    return x.mean(dim=(0, 2, 3)), x.square().mean(dim=(0, 2, 3))


def _convolutions(graph: Any) -> Iterator[tuple[str, str, Array, Array]]:
    """Of each its name and its norm's, weights, and what is added."""
    from onnx import numpy_helper

    kept = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    made = {name: node for node in graph.node for name in node.output}
    for node in graph.node:
        names = _named(node.name) if node.op_type == "Conv" else None
        if names and len(node.input) == 3:
            yield *names, _plain(made, kept, node.input[1]), _plain(made, kept, node.input[2])


def _named(name: str) -> tuple[str, str] | None:
    if FIRST.fullmatch(name):
        return "conv1", "bn1"
    found = LATER.fullmatch(name)
    if found is None:
        return None
    stage, block, part = found.groups()
    convolution, norm = (f"layer{int(stage) + 1}.{block}.{one}" for one in PARTS[part])
    return convolution, norm


def _plain(made: Mapping[str, Any], kept: Mapping[str, NDArray[Any]], name: str) -> Array:
    """A tensor that is kept as it is, or in whole numbers with a scale, for all or for each channel of an axis."""
    if name in kept:
        return np.array(kept[name], np.float32)
    node = made[name]
    whole, scale, zero = (kept[one].astype(np.float32) for one in node.input)
    shape = [1] * whole.ndim
    if scale.size > 1:
        shape[next((one.i for one in node.attribute if one.name == "axis"), 1)] = -1
    return np.asarray((whole - zero.reshape(shape)) * scale.reshape(shape), np.float32)
