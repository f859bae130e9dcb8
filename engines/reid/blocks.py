"""Grouped convolutions in whole blocks of channels, their norms within: the same numbers, in less time.

ONNX Runtime computes in blocks of 16 channels, and in a slower way where those of a group do not fill theirs.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

BLOCK = 16


def in_blocks(layers: nn.Sequential, groups: int, channels: int) -> nn.Sequential:
    """Layers (a convolution, its norm and ReLU), convolutions and others in a row, of so many groups all of them; of
    `channels` each at first, which are too few for a block, so that the first convolution sees all groups at once.
    """
    made = list[nn.Module]()
    for layer in layers:
        if isinstance(layer, nn.Sequential):
            convolution, norm, after = cast(Any, layer)
            wide = _in_blocks(fuse_conv_bn_eval(convolution, norm), groups, channels, is_first=not made)
            made += [wide, after]
        elif isinstance(layer, nn.Conv2d):
            wide = _in_blocks(layer, groups, channels, is_first=not made)
            made.append(wide)
        else:
            made.append(layer)
            continue
        channels = wide.out_channels // groups
    return nn.Sequential(*made)


def _in_blocks(layer: nn.Conv2d, groups: int, channels: int, is_first: bool) -> nn.Conv2d:
    """It, what is added being 0; of each group come so many channels, some of which may have been added."""
    out, given = layer.out_channels // groups, layer.weight.shape[1]
    wide = -(-out // BLOCK) * BLOCK
    size, stride, pad = layer.kernel_size[0], layer.stride[0], int(layer.padding[0])
    made = nn.Conv2d(groups * channels, groups * wide, size, stride, pad, groups=1 if is_first else groups)
    with torch.no_grad():
        made.weight.zero_()
        made.bias.zero_()  # type: ignore[union-attr]
        for group in range(groups):
            own, there = slice(group * out, (group + 1) * out), slice(group * wide, group * wide + out)
            first = group * channels if is_first else 0
            made.weight[there, first : first + given] = layer.weight[own]
            if layer.bias is not None:
                made.bias[there] = layer.bias[own]  # type: ignore[index]
    return made
