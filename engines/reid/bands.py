"""Vectors of bands of a picture, from top to bottom, each of what shows of somebody in that band alone.

Patches look at those of their own band alone, and hardly at one that shows nobody, or what hides somebody: so that
whatever covers a band spoils no other, and whatever covers half of it not the rest.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engines.reid.clip import ImageEncoder
from engines.reid.heads import shiftless
from engines.reid.positions import Grid

LEAST_LOOK, LEAST_WEIGHT = 0.01, 0.02  # of a patch that shows nobody
APART = -1e4  # is added to a look that there is not
EYE = 96


class Seen(NamedTuple):
    """Vectors (batch, bands * length) of length 1, of which each band has the same share; how far each band is to be
    trusted, and how much of each patch shows somebody, both before a sigmoid.
    """

    vectors: Tensor
    trust: Tensor  # (batch, bands)
    shows: Tensor  # (batch, patches)


class Eye(nn.Module):
    """Sees of pixels what shows of somebody: of each patch, and of each band."""

    def __init__(self, patch: int, grid: Grid, bands: int) -> None:
        super().__init__()
        halvings = patch.bit_length() - 1
        widths = [3, *(max(24, EYE >> (halvings - 1 - n)) for n in range(halvings)), EYE, EYE]
        layers = [
            _seen(into, out, 2 if n < halvings else 1)
            for n, (into, out) in enumerate(zip(widths, widths[1:], strict=False))
        ]
        self.layers, self.bands = nn.Sequential(*layers), bands
        self.place = nn.Parameter(0.02 * torch.randn(1, EYE, *grid))
        self.shows = nn.Conv2d(EYE, 1, 1)
        self.trust = nn.Linear(EYE * grid[0] * grid[1] // bands, 1)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Of bands, and of patches."""
        maps = self.layers(pictures) + self.place
        rows = maps.transpose(1, 2).reshape(maps.shape[0], self.bands, self.trust.in_features)
        return self.trust(rows).squeeze(2), self.shows(maps).flatten(1)


class Bands(nn.Module):
    """The first blocks of an encoder, of each band by itself, and what is said of it."""

    def __init__(self, encoder: ImageEncoder, blocks: int, bands: int, length: int) -> None:
        super().__init__()
        rows, columns = encoder.grid
        patch, width = encoder.conv1.kernel_size[0], encoder.conv1.out_channels
        if encoder.conv1.stride[0] != patch or rows % bands:
            raise ValueError(
                f"stride must be the patch's {patch} px, and bands divide the {rows} rows of patches, got {bands}"
            )
        self.encoder, self.bands, self.length = encoder, bands, length
        del encoder.transformer.resblocks[blocks:]
        self.eye = Eye(patch, encoder.grid, bands)
        self.said = nn.ModuleList(nn.Linear(width, length) for _ in range(bands))
        self.norm = shiftless(bands * length)
        of = torch.arange(rows * columns) // (rows * columns // bands)
        self.apart: Tensor
        self.register_buffer("apart", APART * (of[:, None] != of[None]).float(), persistent=False)

    def forward(self, pictures: Tensor) -> Seen:
        """What a band looks at teaches nothing of what shows: that is told."""
        trust, shows = self.eye(pictures)
        looked = torch.sigmoid(shows).detach()
        encoder, bias = self.encoder, self.apart + torch.log(looked + LEAST_LOOK)[:, None]
        tokens = encoder.ln_pre(encoder.patches(pictures) + encoder.positional_embedding[1:])
        for block in encoder.transformer.resblocks:
            tokens = block(tokens, bias)
        weights = (looked + LEAST_WEIGHT).unflatten(1, (self.bands, -1))[..., None]
        pooled = (weights * tokens.unflatten(1, (self.bands, -1))).sum(2) / weights.sum(2)
        said = torch.cat([one(pooled[:, band]) for band, one in enumerate(self.said)], dim=1)
        parts = F.normalize(self.norm(said).float().unflatten(1, (self.bands, self.length)), dim=2)
        return Seen(parts.flatten(1) / self.bands**0.5, trust.float(), shows.float())


def _seen(into: int, out: int, stride: int) -> nn.Sequential:
    size = 5 if into == 3 else 3
    convolution = nn.Conv2d(into, out, size, stride, size // 2)
    nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
    return nn.Sequential(convolution, nn.BatchNorm2d(out), nn.ReLU())
