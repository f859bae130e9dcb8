"""CLIP's two encoders, of pictures and of texts, in the sizes that there are: ViT-B/16, and a small twin for a CPU."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from engines.reid.positions import Grid, grid_of
from engines.reid.sides import SideEmbedding
from engines.reid.transformer import Activation, Transformer
from engines.reid.words import CONTEXT


@dataclass(frozen=True)
class Architecture:
    """The sizes of a CLIP; a head of attention is always 64 wide."""

    name: str
    patch: int
    grid: Grid  # of patches, for which its weights have positions
    width: int
    layers: int
    embedding: int  # the space that both encoders share
    text_width: int
    text_layers: int
    vocabulary: int
    activation: Activation = "quick_gelu"
    context: int = CONTEXT


VIT_B_16 = Architecture("ViT-B/16", 16, (14, 14), 768, 12, 512, 512, 12, 49408)
TINY = Architecture("tiny", 8, (8, 4), 192, 6, 128, 192, 2, 400, context=32)


@dataclass(frozen=True, slots=True)
class Tokens:
    """What the image encoder says of a batch, each (batch, 1 + patches, ...): the class token first."""

    penultimate: Tensor  # x11, after the last block but one, not normalised
    last: Tensor  # x12, after the last block, normalised
    projected: Tensor  # xp, in the space that texts are in
    tapped: Mapping[int, Tensor] = field(default_factory=dict)  # after the blocks asked for, not normalised


class ImageEncoder(nn.Module):
    """A vision transformer for pictures of one size, whose patches may overlap."""

    def __init__(
        self,
        of: Architecture,
        size: tuple[int, int],
        stride: tuple[int, int] | None = None,
        side: SideEmbedding | None = None,
    ) -> None:
        super().__init__()
        stride = stride or (of.patch, of.patch)
        self.grid = grid_of(size, of.patch, stride)
        scale = of.width**-0.5
        self.conv1 = nn.Conv2d(3, of.width, of.patch, stride, bias=False)
        self.class_embedding = nn.Parameter(scale * torch.randn(of.width))
        count = 1 + self.grid[0] * self.grid[1]
        self.positional_embedding = nn.Parameter(scale * torch.randn(count, of.width))
        self.ln_pre, self.ln_post = nn.LayerNorm(of.width), nn.LayerNorm(of.width)
        self.transformer = Transformer(of.width, of.layers, of.activation)
        self.proj = nn.Parameter(scale * torch.randn(of.width, of.embedding))
        self.side = side

    def forward(  # noqa: PLR0913
        self,
        pictures: Tensor,
        camera: Tensor | None = None,
        view: Tensor | None = None,
        taps: Collection[int] = (),
        inject: Callable[[int, Tensor], Tensor] | None = None,
        patched: Callable[[Tensor], Tensor] | None = None,
    ) -> Tokens:
        """Tokens of pictures (batch, 3, height, width); without a camera nothing of its side is added. `taps` counts
        blocks from 1; `inject` may change the tokens before each block, whose number it is given, from 1; `patched` the
        patches (batch, patches, width) before they are told where they are.
        """
        patches = self.patches(pictures)
        tokens = self._embedded(patches if patched is None else patched(patches), camera, view)
        tapped, penultimate = {}, tokens
        for number, block in enumerate(self.transformer.resblocks, 1):
            penultimate = tokens
            tokens = block(tokens if inject is None else inject(number, tokens))
            if number in taps:
                tapped[number] = tokens
        last = self.ln_post(tokens)
        return Tokens(penultimate, last, last @ self.proj, tapped)

    def patches(self, pictures: Tensor) -> Tensor:
        """Each patch by itself, (batch, patches, width), row by row."""
        return self.conv1(pictures).flatten(2).transpose(1, 2)  # type: ignore[no-any-return]

    def _embedded(self, patches: Tensor, camera: Tensor | None, view: Tensor | None) -> Tensor:
        first = self.class_embedding.to(patches.dtype).expand(patches.shape[0], 1, -1)
        tokens = torch.cat([first, patches], dim=1)
        if self.side is not None and camera is not None:
            tokens = self.side(tokens, camera, view)
        return self.ln_pre(tokens + self.positional_embedding)  # type: ignore[no-any-return]


class TextEncoder(nn.Module):
    """A causal transformer; the token that ends a text, of the largest number, stands for it."""

    def __init__(self, of: Architecture) -> None:
        super().__init__()
        self.context = of.context
        self.token_embedding = nn.Embedding(of.vocabulary, of.text_width)
        self.positional_embedding = nn.Parameter(0.01 * torch.randn(of.context, of.text_width))
        self.transformer = Transformer(of.text_width, of.text_layers, of.activation, is_causal=True)
        self.ln_final = nn.LayerNorm(of.text_width)
        self.text_projection = nn.Parameter(of.text_width**-0.5 * torch.randn(of.text_width, of.embedding))
        nn.init.normal_(self.token_embedding.weight, std=0.02)

    def forward(self, numbers: Tensor) -> Tensor:
        """Texts (count, embedding), of token numbers (count, context)."""
        return self.embedded(self.token_embedding(numbers), numbers.argmax(dim=1))

    def embedded(self, words: Tensor, ends: Tensor) -> Tensor:
        """Texts of embedded words (count, context, width) that end at these places."""
        # nothing looks behind the end; a network that is exported must take ends wherever they are
        used = self.context if torch.onnx.is_in_onnx_export() else int(ends.max()) + 1
        tokens = self.transformer(words[:, :used] + self.positional_embedding[:used])
        there = torch.arange(words.shape[0], device=words.device)
        return self.ln_final(tokens[there, ends]) @ self.text_projection  # type: ignore[no-any-return]


class Clip(nn.Module):
    """Both encoders, for pictures of one size."""

    def __init__(
        self,
        of: Architecture,
        size: tuple[int, int],
        stride: tuple[int, int] | None = None,
        side: SideEmbedding | None = None,
    ) -> None:
        super().__init__()
        self.architecture = of
        self.visual = ImageEncoder(of, size, stride, side)
        self.text = TextEncoder(of)
        self.logit_scale = nn.Parameter(torch.tensor(4.6052))  # exp of it is 100
