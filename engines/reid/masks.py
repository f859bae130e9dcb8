"""Which numbers of a picture's vector can be trusted, learned against prototypes of people (DPM, Tan et al., 2022)."""

from __future__ import annotations

from math import cos, pi, sin

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engines.reid.heads import shiftless
from engines.reid.positions import Grid
from engines.reid.transformer import HEAD_WIDTH, Block

SCALE = 30.0  # of ArcFace
LEAST = 1e-12


class MaskGenerator(nn.Module):
    """DPM's hierarchical mask generator: maps of patches from several depths in, a mask of a feature's width out.

    It begins at 0.5 everywhere, which is as good as no mask. `inner` is the width of its first maps, in DPM twice the
    feature's; those after them have half of that.
    """

    def __init__(self, width: int, levels: int, grid: Grid, inner: int) -> None:
        super().__init__()
        self.grid = grid
        self.first, self.second, self.third = (
            _narrowed(*widths)
            for widths in ((levels * width, inner), (inner, inner // 2), (inner // 2, inner // 2))
        )
        self.last = nn.Linear(inner // 2, width)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, levels: list[Tensor]) -> Tensor:
        """(batch, width) of 0 to 1, of patches (batch, patches, width) at each level."""
        stacked = torch.cat(levels, dim=2).transpose(1, 2)
        maps = stacked.reshape(*stacked.shape[:2], *self.grid)
        maps = _halved(self.second(_halved(self.first(maps))))
        return torch.sigmoid(self.last(self.third(maps).amax(dim=(2, 3))))


class Prototypes(nn.Module):
    """A direction for each person, to which a feature is compared as it is and through its mask."""

    def __init__(self, width: int, people: int) -> None:
        super().__init__()
        self.norm = shiftless(width)
        self.weight = nn.Parameter(nn.init.xavier_uniform_(torch.empty(people, width)))

    def scores(self, after: Tensor) -> Tensor:
        """Of all people, by plain products with normalised features."""
        return after @ self.weight.T

    def masked_cosines(self, after: Tensor, mask: Tensor) -> Tensor:
        """Of each feature with each prototype, over which the feature's mask lies: (batch, people)."""
        directions = F.normalize(self.weight.float())
        lengths = (mask.float() ** 2 @ (directions**2).T).clamp(min=LEAST).sqrt()
        return (F.normalize(after.float()) * mask.float()) @ directions.T / lengths


def arcface(cosines: Tensor, people: Tensor, margin: float, scale: float = SCALE) -> Tensor:
    """ArcFace: a person's own angle counts as wider by a margin; where it cannot be, the cosine is less instead."""
    own = cosines.gather(1, people[:, None]).clamp(-1, 1)
    wider = own * cos(margin) - (1 - own**2).clamp(min=LEAST).sqrt() * sin(margin)
    wider = torch.where(own > cos(pi - margin), wider, own - margin * sin(pi - margin))
    return F.cross_entropy(scale * cosines.scatter(1, people[:, None], wider), people)


def heads_overlap(block: Block, tokens: Tensor) -> Tensor:
    """How alike the heads of a block look from the class token, before their softmax; `tokens` are what it is given.

    DPM's sum over the batch by the square of how many heads there are: it grows with the batch, as in its code.
    """
    attention, width = block.attn, tokens.shape[2]
    given = block.ln_1(tokens)
    query = F.linear(given[:, :1], attention.in_proj_weight[:width], attention.in_proj_bias[:width])
    key = F.linear(
        given[:, 1:], attention.in_proj_weight[width : 2 * width], attention.in_proj_bias[width : 2 * width]
    )
    heads = width // HEAD_WIDTH
    query, key = (one.unflatten(2, (heads, HEAD_WIDTH)).transpose(1, 2) for one in (query, key))
    looks = F.normalize((query @ key.transpose(2, 3) / HEAD_WIDTH**0.5).squeeze(2).float(), dim=2)
    apart = looks @ looks.transpose(1, 2) - torch.eye(heads, device=looks.device)
    return apart.square().sum() / heads**2


def _narrowed(into: int, out: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(into, out, 3, padding=1), nn.BatchNorm2d(out), nn.ReLU())


def _halved(maps: Tensor) -> Tensor:
    """Unless a side is one patch already."""
    return F.max_pool2d(maps, [2 if side > 1 else 1 for side in maps.shape[2:]])
